"""Pictures under a rolling shutter, and when each object is in front of it.

A picture is made of strips from left to right, each as the world was when its middle column was exposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from bev.datasets.synthetic.render import CameraRenderer, CameraView, Exposure, moment
from bev.datasets.synthetic.rig import Camera
from bev.datasets.synthetic.scene import FRAME_INTERVAL, Scene
from bev.datasets.synthetic.waymo_rig import RollingCamera

STRIPS = 4
"""Of a picture; in the time of one, 11 ms, a car that crosses at 10 m/s moves 0.1 m."""

_STEPS = 6
"""Iterations for the time at which an object's centre is exposed; few are needed, for the shutter is much faster."""


class RollingRenderer:
    """Draws what one camera of a scene sees."""

    def __init__(self, scene: Scene, rolling: RollingCamera) -> None:
        self._scene, self._rolling = scene, rolling
        edges = np.linspace(0, rolling.camera.width, STRIPS + 1).round().astype(int)
        self._middles = (edges[1:] + edges[:-1]) / 2
        self._strips = [
            CameraRenderer(scene, _strip(rolling.camera, int(left), int(right)))
            for left, right in pairwise(edges)
        ]
        self._whole = CameraRenderer(scene, rolling.camera)

    def render(self, frame: int, rng: np.random.Generator) -> CameraView:
        """Draws a frame that isn't the scene's last one."""
        exposures = []
        for middle, strip in zip(self._middles, self._strips, strict=True):
            share = self._rolling.time_of(float(middle)) / FRAME_INTERVAL
            exposures.append(strip.expose(moment(self._scene.between(frame, share), 0)))
        return self._whole.develop(Exposure.beside(exposures), rng)


def exposure_times(scene: Scene, frame: int, rolling: RollingCamera, actors: Sequence[int]) -> np.ndarray:
    """When a camera exposes the centres of objects: seconds (M,) from the frame's time.

    The column on which a centre lies depends on the time, for the object and ego move, and the time on the column.

    Args:
        scene: The scene.
        frame: Not its last one.
        rolling: The camera.
        actors: M objects in its view.
    """
    return np.array([_exposure_time(scene, frame, rolling, actor) for actor in actors], dtype=np.float64)


def _exposure_time(scene: Scene, frame: int, rolling: RollingCamera, actor: int) -> float:
    time, camera = rolling.delay, rolling.camera
    for _ in range(_STEPS):
        world_T_camera = ego_after(scene, frame, time) @ camera.ego_T_camera
        x, _, z = world_T_camera[:3, :3].T @ (centre_after(scene, frame, actor, time) - world_T_camera[:3, 3])
        column = camera.intrinsic[0, 0] * x / max(z, 1e-3) + camera.intrinsic[0, 2]
        time = rolling.time_of(float(np.clip(column, 0, camera.width)))  # centres may lie outside the picture
    return time


def ego_after(scene: Scene, frame: int, seconds: float) -> np.ndarray:
    """Pose (4, 4) of ego in the world so many seconds after a key frame that isn't the last one."""
    return replace(scene, actors=()).between(frame, seconds / FRAME_INTERVAL).world_T_ego(0)


def centre_after(scene: Scene, frame: int, actor: int, seconds: float) -> np.ndarray:
    """Centre (3,) of an object's box in the world so many seconds after a key frame that isn't the last one."""
    before, after = scene.actors[actor].centre(frame), scene.actors[actor].centre(frame + 1)
    return before + seconds / FRAME_INTERVAL * (after - before)


def _strip(camera: Camera, left: int, right: int) -> Camera:
    """The part of a camera between two columns."""
    intrinsic = camera.intrinsic.copy()
    intrinsic[0, 2] -= left
    return replace(camera, intrinsic=intrinsic, width=right - left)
