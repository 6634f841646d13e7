"""What all sensors of ego observe of a scene at a key frame; the ground truth that depends on visibility.

Shapes: K objects, N LiDAR points.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bev.datasets.synthetic.lidar import Scan, scan
from bev.datasets.synthetic.raycast import NOTHING
from bev.datasets.synthetic.render import CameraRenderer, CameraView, Moment, moment
from bev.datasets.synthetic.scene import Scene
from bev.datasets.synthetic.semantics import ground_categories, part_categories
from bev.geometry import transform_points


@dataclass(frozen=True)
class Observation:
    """A key frame as the sensors saw it.

    Attributes:
        frame: Number of the key frame.
        views: What each camera saw, by channel.
        sweep: What the LiDAR saw.
        visible: (K,) rays of all cameras that hit each object.
        covered: (K,) rays that would hit it if nothing were in front of it.
        lidar_points: (K,) LiDAR points inside each object's box.
        categories: (N,) uint8, position in `semantics.CATEGORIES` of what each LiDAR point lies on.
    """

    frame: int
    views: dict[str, CameraView]
    sweep: Scan
    visible: np.ndarray
    covered: np.ndarray
    lidar_points: np.ndarray
    categories: np.ndarray


def observe(scene: Scene) -> Iterator[Observation]:
    """Yields the observations of all key frames, in order."""
    renderers = {camera.name: CameraRenderer(scene, camera) for camera in scene.rig.cameras}
    owners = len(scene.actors)
    for frame in range(len(scene)):
        now = moment(scene, frame)
        rng = np.random.default_rng((*scene.seed, frame))
        views = {name: renderer.render(now, rng) for name, renderer in renderers.items()}
        sweep = scan(now, scene.rig.ego_T_lidar, owners, rng)
        yield Observation(
            frame=frame,
            views=views,
            sweep=sweep,
            visible=np.sum([view.visible for view in views.values()], axis=0),
            covered=np.sum([view.covered for view in views.values()], axis=0),
            lidar_points=points_in_boxes(scene, frame, sweep, now.world_T_ego @ scene.rig.ego_T_lidar),
            categories=_categories(scene, now, sweep),
        )


def sweeps_after(scene: Scene, frame: int, count: int) -> Iterator[tuple[float, np.ndarray, Scan]]:
    """Yields what the LiDAR saw on the way to the next key frame, without annotations and labels.

    Args:
        scene: The scene.
        frame: The key frame before; after the last one nothing is yielded.
        count: Turns, evenly spread.

    Yields:
        Share of the time to the next key frame, world_T_ego (4, 4), and the sweep.
    """
    if frame + 1 >= len(scene):
        return
    for turn in range(1, count + 1):
        share = turn / (count + 1)
        single = scene.between(frame, share)
        rng = np.random.default_rng((*scene.seed, frame, turn))
        now = moment(single, 0)
        yield share, now.world_T_ego, scan(now, scene.rig.ego_T_lidar, len(scene.actors), rng)


def _categories(scene: Scene, now: Moment, sweep: Scan) -> np.ndarray:
    points = _in_world(sweep, now.world_T_ego @ scene.rig.ego_T_lidar)
    on_parts = np.append(part_categories(scene, now.parts), np.uint8(0))[sweep.parts]
    return np.where(sweep.parts == NOTHING, ground_categories(scene.network, points[:, :2]), on_parts)


def _in_world(sweep: Scan, world_T_lidar: np.ndarray) -> np.ndarray:
    return transform_points(sweep.points[:, :3].astype(np.float64), world_T_lidar)


def points_in_boxes(scene: Scene, frame: int, sweep: Scan, world_T_lidar: np.ndarray) -> np.ndarray:
    """Number of points (K,) inside each annotated box."""
    points = _in_world(sweep, world_T_lidar)
    counts = np.zeros(len(scene.actors), dtype=np.int64)
    for actor in scene.actors:
        away = points - actor.centre(frame)
        reach = np.hypot(actor.size[0], actor.size[1]) / 2
        away = away[(np.abs(away[:, 0]) <= reach) & (np.abs(away[:, 1]) <= reach)]
        cosine, sine = np.cos(actor.yaws[frame]), np.sin(actor.yaws[frame])
        local = np.stack(
            [cosine * away[:, 0] + sine * away[:, 1], cosine * away[:, 1] - sine * away[:, 0], away[:, 2]], 1
        )
        counts[actor.owner] = np.count_nonzero((np.abs(local) <= np.array(actor.size) / 2).all(axis=1))
    return counts
