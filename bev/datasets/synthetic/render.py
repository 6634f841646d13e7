"""Pictures of a scene: what each camera sees at a key frame, with the object behind every ray.

Shapes: H, W image; S rays per pixel and axis (`film.SUPERSAMPLING`); P parts; K objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bev.datasets.synthetic.film import SUPERSAMPLING, develop
from bev.datasets.synthetic.ground import paint_background
from bev.datasets.synthetic.materials import paint_surfaces
from bev.datasets.synthetic.parts import Parts
from bev.datasets.synthetic.raycast import Hits, Solids, cast, owner_map
from bev.datasets.synthetic.rays import Rays
from bev.datasets.synthetic.rig import Camera
from bev.datasets.synthetic.scene import Scene
from bev.datasets.synthetic.shadows import Shade

NEAR = 0.2
"""Nothing closer to a camera than this is drawn, metres."""

FAR = 240.0
"""Nothing farther from ego than this is drawn, metres."""

_EDGES = np.array([(a, b) for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1])


@dataclass(frozen=True)
class Moment:
    """All that is common to the sensors at one key frame.

    Attributes:
        world_T_ego: (4, 4).
        parts: Everything within reach, parts of one object adjacent, objects first, then scenery by distance.
        scenery: (S,) int64, rows of the scene's scenery that the last S parts are.
        sunlit: (P,) float32.
        shade: Shadows on the ground around ego.
    """

    world_T_ego: np.ndarray
    parts: Parts
    scenery: np.ndarray
    sunlit: np.ndarray
    shade: Shade


@dataclass(frozen=True)
class CameraView:
    """What a camera saw.

    Attributes:
        picture: (H, W, 3) uint8, BGR.
        owners: (H * S, W * S) int32, the object that each ray hit, or `BACKGROUND`.
        depth: (H * S, W * S) float32, metres along the optical axis; infinite in the sky.
        visible: (K,) rays that hit each object.
        covered: (K,) rays that would hit it if nothing were in front of it.
    """

    picture: np.ndarray
    owners: np.ndarray
    depth: np.ndarray
    visible: np.ndarray
    covered: np.ndarray


def moment(scene: Scene, frame: int) -> Moment:
    """Gathers the parts and shadows of a key frame."""
    world_T_ego = scene.world_T_ego(frame)
    ego = world_T_ego[:2, 3]
    present = [actor for actor in scene.actors if np.linalg.norm(actor.positions[frame] - ego) < FAR]
    moving = Parts.concatenate([actor.parts(frame) for actor in present])
    distance = np.linalg.norm(scene.scenery.centre[:, :2] - ego, axis=1)
    order = np.argsort(distance, kind="stable")
    rows = order[distance[order] < FAR]
    scenery = scene.scenery.select(rows)
    sunlit = np.concatenate([scene.shadows.sunlight(moving), np.ones(len(scenery), np.float32)])
    return Moment(world_T_ego, Parts.concatenate([moving, scenery]), rows, sunlit, scene.shadows.around(ego, moving))


@dataclass(frozen=True)
class Exposure:
    """What falls on the film of a camera, or of a part of it, before it is developed.

    Attributes:
        light: (H * S, W * S, 3) float32, linear RGB.
        owners: (H * S, W * S) int32, as in `CameraView`.
        depth: (H * S, W * S) float32, as in `CameraView`.
        covered: (K,), as in `CameraView`.
    """

    light: np.ndarray
    owners: np.ndarray
    depth: np.ndarray
    covered: np.ndarray

    @classmethod
    def beside(cls, parts: Sequence[Exposure]) -> Exposure:
        """Parts of one film, from left to right."""
        light, owners, depth = (
            np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("light", "owners", "depth")
        )
        return cls(light, owners, depth, np.sum([part.covered for part in parts], axis=0))


class CameraRenderer:
    """Draws what one camera of a scene sees; keeps what doesn't change from frame to frame."""

    def __init__(self, scene: Scene, camera: Camera) -> None:
        self._scene = scene
        self._camera = camera
        self._directions = camera.directions(SUPERSAMPLING)
        self._ground_depth = ground_depth(self._directions, camera.ego_T_camera)
        self._step = 1.0 / (float(camera.intrinsic[0, 0]) * SUPERSAMPLING)

    def cast(self, now: Moment) -> tuple[Solids, Hits]:
        """What the camera's rays hit in a key frame, unpainted."""
        world_T_camera = now.world_T_ego @ self._camera.ego_T_camera
        rectangles, nearest = _rectangles(now.parts, world_T_camera, self._camera)
        solids = Solids.seen_from(now.parts, world_T_camera)
        owners = len(self._scene.actors)
        return solids, cast(self._directions, solids, rectangles, nearest, self._ground_depth, owners)

    def render(self, now: Moment, rng: np.random.Generator) -> CameraView:
        """Draws a key frame.

        Args:
            now: The key frame.
            rng: For the grain of the film.
        """
        return self.develop(self.expose(now), rng)

    def expose(self, now: Moment) -> Exposure:
        """Gathers the light of a moment."""
        camera, scene = self._camera, self._scene
        world_T_camera = now.world_T_ego @ camera.ego_T_camera
        rays = Rays.of(self._directions, world_T_camera, self._step)
        solids, hits = self.cast(now)
        image = np.empty((*hits.depth.shape, 3), dtype=np.float32)
        light = scene.weather.light
        paint_background(image, rays, hits, scene.ground, now.shade, light)
        paint_surfaces(image, rays, hits, solids, now.sunlit, light)
        return Exposure(image, owner_map(hits, now.parts), hits.depth, hits.covered)

    def develop(self, exposure: Exposure, rng: np.random.Generator) -> CameraView:
        """Makes the picture of an exposure of the whole film."""
        owners = exposure.owners
        visible = np.bincount(owners[owners >= 0], minlength=len(self._scene.actors))
        picture = develop(exposure.light, exposure.depth, self._scene.weather, self._camera.exposure, rng)
        return CameraView(picture, owners, exposure.depth, visible, exposure.covered)


def ground_depth(directions: np.ndarray, ego_T_sensor: np.ndarray) -> np.ndarray:
    """Ray parameters (H, W) float32 at which rays of a sensor meet the ground; infinite where they don't."""
    fall = -(directions @ ego_T_sensor[2, :3].astype(np.float32))
    height = np.float32(ego_T_sensor[2, 3])
    return np.where(fall > 1e-4, height / np.maximum(fall, 1e-4), np.inf).astype(np.float32)


def _rectangles(parts: Parts, world_T_camera: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Rectangles (R, 5) of the ray grid that hold the parts in view, and least depths (P,) of all parts."""
    corners = (parts.bounding_corners() - world_T_camera[:3, 3]) @ world_T_camera[:3, :3]
    depth = corners[..., 2]
    start, end = corners[:, _EDGES[:, 0]], corners[:, _EDGES[:, 1]]
    crosses = (start[..., 2] < NEAR) != (end[..., 2] < NEAR)
    share = (NEAR - start[..., 2]) / np.where(crosses, end[..., 2] - start[..., 2], 1.0)
    clipped = start + share[..., None] * (end - start)
    points = np.concatenate([corners, clipped], axis=1)
    valid = np.concatenate([depth >= NEAR, crosses], axis=1)
    safe = np.where(valid, points[..., 2], 1.0)
    pixels = [points[..., axis] / safe * camera.intrinsic[axis, axis] + camera.intrinsic[axis, 2] for axis in (0, 1)]
    bounds = []
    for pixel, size in ((pixels[0], camera.width), (pixels[1], camera.height)):
        low = np.where(valid, pixel, np.inf).min(axis=1) * SUPERSAMPLING - 1
        high = np.where(valid, pixel, -np.inf).max(axis=1) * SUPERSAMPLING + 2
        bounds += [np.clip(low, 0, size * SUPERSAMPLING), np.clip(high, 0, size * SUPERSAMPLING)]
    left, right, top, bottom = (np.nan_to_num(bound).astype(np.int32) for bound in bounds)
    seen = np.flatnonzero(valid.any(axis=1) & (right > left) & (bottom > top))
    rectangles = np.stack([seen, top[seen], bottom[seen], left[seen], right[seen]], axis=1).astype(np.int32)
    return rectangles, depth.min(axis=1).astype(np.float32)
