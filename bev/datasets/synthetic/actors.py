"""The kinds of annotated objects: nuScenes categories, sizes and bodies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bev.datasets.synthetic.bodies import people, street, vehicles
from bev.datasets.synthetic.bodies.common import Size
from bev.datasets.synthetic.parts import Part, Parts

LIFT = 0.03
"""Height of the bottom of annotated boxes above the ground, metres: no point of the ground lies in a box."""


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    Attributes:
        category: nuScenes category.
        mean: Mean length, width, height in metres.
        spread: Relative standard deviation of each.
        build: Body (one list of parts per animation phase) from randomness and size.
    """

    category: str
    mean: Size
    spread: Size
    build: Callable[[np.random.Generator, Size], list[list[Part]]]

    def draw_size(self, rng: np.random.Generator) -> Size:
        """A size within two standard deviations of the mean, in the millimetres that annotations are written in."""
        factor = 1.0 + np.clip(rng.standard_normal(3), -2.0, 2.0) * self.spread
        length, width, height = (round(float(value), 3) for value in np.array(self.mean) * factor)
        return length, width, height

    def draw_body(self, rng: np.random.Generator, size: Size, owner: int) -> tuple[Parts, ...]:
        """Packed bodies, one per animation phase."""
        seed = int(rng.integers(1 << 16))
        return tuple(Parts.build(parts, owner, seed) for parts in self.build(rng, size))


def _rigid(
    build: Callable[[np.random.Generator, Size], list[Part]],
) -> Callable[[np.random.Generator, Size], list[list[Part]]]:
    return lambda rng, size: [build(rng, size)]


KINDS: dict[str, Kind] = {
    "sedan": Kind("vehicle.car", (4.65, 1.86, 1.48), (0.05, 0.04, 0.03), _rigid(vehicles.car)),
    "suv": Kind("vehicle.car", (4.70, 1.96, 1.74), (0.06, 0.04, 0.03), _rigid(vehicles.car)),
    "van": Kind("vehicle.car", (5.10, 2.02, 2.05), (0.05, 0.03, 0.04), _rigid(vehicles.car)),
    "pickup": Kind("vehicle.truck", (5.70, 2.05, 1.92), (0.04, 0.03, 0.04), _rigid(vehicles.truck)),
    "lorry": Kind("vehicle.truck", (7.60, 2.50, 3.25), (0.14, 0.03, 0.07), _rigid(vehicles.truck)),
    "tractor": Kind("vehicle.truck", (6.40, 2.50, 3.45), (0.05, 0.03, 0.05), _rigid(vehicles.truck)),
    "bus": Kind("vehicle.bus.rigid", (11.2, 2.93, 3.45), (0.07, 0.02, 0.04), _rigid(vehicles.bus)),
    "trailer": Kind("vehicle.trailer", (10.8, 2.70, 3.75), (0.15, 0.03, 0.05), _rigid(vehicles.trailer)),
    "digger": Kind(
        "vehicle.construction", (6.40, 2.75, 3.15), (0.10, 0.05, 0.06), _rigid(vehicles.construction_vehicle)
    ),
    "motorcyclist": Kind(
        "vehicle.motorcycle", (2.10, 0.80, 1.55), (0.05, 0.08, 0.04), lambda r, s: people.motorcycle(r, s, ridden=True)
    ),
    "motorcycle": Kind(
        "vehicle.motorcycle", (2.10, 0.78, 1.10), (0.05, 0.08, 0.03), lambda r, s: people.motorcycle(r, s, ridden=False)
    ),
    "cyclist": Kind(
        "vehicle.bicycle", (1.74, 0.62, 1.68), (0.04, 0.08, 0.04), lambda r, s: people.bicycle(r, s, ridden=True)
    ),
    "bicycle": Kind(
        "vehicle.bicycle", (1.72, 0.58, 1.06), (0.04, 0.08, 0.03), lambda r, s: people.bicycle(r, s, ridden=False)
    ),
    "walker": Kind(
        "human.pedestrian.adult",
        (0.80, 0.67, 1.74),
        (0.08, 0.08, 0.06),
        lambda r, s: people.pedestrian(r, s, walking=True),
    ),
    "stander": Kind(
        "human.pedestrian.adult",
        (0.52, 0.67, 1.74),
        (0.08, 0.08, 0.06),
        lambda r, s: people.pedestrian(r, s, walking=False),
    ),
    "child": Kind(
        "human.pedestrian.child",
        (0.60, 0.48, 1.30),
        (0.08, 0.06, 0.10),
        lambda r, s: people.pedestrian(r, s, walking=True),
    ),
    "worker": Kind(
        "human.pedestrian.construction_worker",
        (0.56, 0.70, 1.76),
        (0.08, 0.08, 0.04),
        lambda r, s: people.pedestrian(r, s, walking=False, worker=True),
    ),
    "cone": Kind("movable_object.trafficcone", (0.42, 0.42, 0.95), (0.12, 0.12, 0.22), _rigid(street.traffic_cone)),
    "barrier": Kind("movable_object.barrier", (0.52, 2.40, 1.00), (0.12, 0.15, 0.06), _rigid(street.barrier)),
}
