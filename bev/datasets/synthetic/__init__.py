"""A seeded procedural driving world (roads, traffic, people, sensors) with exporters to the formats of real data sets.

`generate` makes a data set in the nuScenes format; `build_scene` and `observe` are for other exporters.
"""

from __future__ import annotations

from bev.datasets.synthetic.generation import generate
from bev.datasets.synthetic.observe import Observation, observe
from bev.datasets.synthetic.scene import Actor, Scene
from bev.datasets.synthetic.world import build_scene

__all__ = ["Actor", "Observation", "Scene", "build_scene", "generate", "observe"]
