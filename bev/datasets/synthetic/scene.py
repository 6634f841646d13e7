"""What a generated scene consists of. Exporters and renderers read it; `world.build_scene` makes it.

Shapes: T key frames, K annotated objects.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bev.datasets.synthetic.actors import LIFT
from bev.datasets.synthetic.ground import GroundMap
from bev.datasets.synthetic.network import RoadNetwork
from bev.datasets.synthetic.parts import Parts
from bev.datasets.synthetic.rig import Rig
from bev.datasets.synthetic.shadows import ShadowMap
from bev.datasets.synthetic.signals import Signal
from bev.datasets.synthetic.weather import Weather
from bev.geometry import wrap_angle

FRAME_INTERVAL = 0.5
"""Time between key frames, seconds."""


@dataclass(frozen=True)
class Actor:
    """An annotated object.

    Attributes:
        owner: Its number; `scene.actors[owner]` is this actor.
        category: nuScenes category.
        size: Length, width, height in metres.
        bodies: Parts in its own frame, one entry per animation phase.
        positions: (T, 2) float64, centre on the ground, world metres.
        yaws: (T,) float64, heading, radians.
        attributes: Name of the nuScenes attribute at each key frame, or "" for things that have none.
    """

    owner: int
    category: str
    size: tuple[float, float, float]
    bodies: tuple[Parts, ...]
    positions: np.ndarray
    yaws: np.ndarray
    attributes: tuple[str, ...]

    def parts(self, frame: int) -> Parts:
        """Its parts in the world at a key frame."""
        body = self.bodies[frame % len(self.bodies)]
        return body.placed((*self.positions[frame], LIFT), float(self.yaws[frame]))

    def centre(self, frame: int) -> np.ndarray:
        """Centre (3,) of its box in the world, metres."""
        return np.array([*self.positions[frame], LIFT + self.size[2] / 2])


@dataclass(frozen=True)
class Scene:
    """A stretch of driving.

    Attributes:
        name: Unique name.
        description: A line about it.
        network: Roads.
        ground: Surface.
        weather: Light.
        rig: Sensors of ego.
        actors: Annotated objects.
        scenery: Static parts that nobody annotates.
        signals: Traffic lights and signs among them.
        shadows: Shadows of the scenery.
        ego_positions: (T, 2) float64, origin of the ego frame, world metres.
        ego_yaws: (T,) float64, radians.
        seed: Of everything that is drawn at random while rendering.
    """

    name: str
    description: str
    network: RoadNetwork
    ground: GroundMap
    weather: Weather
    rig: Rig
    actors: tuple[Actor, ...]
    scenery: Parts
    signals: tuple[Signal, ...]
    shadows: ShadowMap
    ego_positions: np.ndarray
    ego_yaws: np.ndarray
    seed: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ego_positions)

    def world_T_ego(self, frame: int) -> np.ndarray:
        """Pose (4, 4) of the ego vehicle at a key frame."""
        pose = np.eye(4)
        cosine, sine = np.cos(self.ego_yaws[frame]), np.sin(self.ego_yaws[frame])
        pose[:2, :2] = [[cosine, -sine], [sine, cosine]]
        pose[:2, 3] = self.ego_positions[frame]
        return pose

    def between(self, frame: int, share: float) -> Scene:
        """The scene of one single frame between a key frame and the next: everybody moves straight and turns evenly.

        Args:
            frame: The key frame before; not the last one.
            share: Of the time between the two, in [0, 1).
        """

        def places(values: np.ndarray) -> np.ndarray:
            return (values[frame] + share * (values[frame + 1] - values[frame]))[None]

        def angles(values: np.ndarray) -> np.ndarray:
            return (values[frame] + share * wrap_angle(values[frame + 1] - values[frame]))[None]

        actors = tuple(
            replace(
                actor,
                bodies=(actor.bodies[frame % len(actor.bodies)],),
                positions=places(actor.positions),
                yaws=angles(actor.yaws),
                attributes=(actor.attributes[frame],),
            )
            for actor in self.actors
        )
        return replace(
            self, actors=actors, ego_positions=places(self.ego_positions), ego_yaws=angles(self.ego_yaws)
        )
