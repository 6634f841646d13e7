"""Solids: everything that a ray can hit besides the ground is a list of simple convex parts.

A part lives in its own local frame, centred on it. Three kinds exist:

- `FRUSTUM`: a box whose front, back and side faces may lean inwards with height (bonnets, windscreens, roofs).
- `ELLIPSOID`: heads, crowns of trees, lamps.
- `CONE`: an elliptical cone, cut at the top; with equal radii it is a cylinder (wheels, poles).

Shapes: P parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

FRUSTUM, ELLIPSOID, CONE = range(3)

(
    PLAIN,
    BODYWORK,
    CABIN,
    COACH,
    CARGO,
    TYRE,
    FACADE,
    FOLIAGE,
    STRIPES,
    EMISSIVE,
    GLASS,
    CLOTH,
) = range(12)
"""Materials: how `materials.py` paints a part."""

BACKGROUND = -1
"""Owner of parts that belong to no annotated object."""

_SIGNS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)


@dataclass(frozen=True)
class Part:
    """One solid in the frame of the object that it belongs to.

    Attributes:
        centre: Centre (x, y, z) in metres.
        half: Half extents (x, y, z) in metres along the local axes.
        kind: `FRUSTUM`, `ELLIPSOID` or `CONE`.
        material: One of the materials above.
        colour: Linear RGB in [0, 1].
        accent: Second colour, for materials that use one.
        taper: Frustum: how far the front, back and side faces lean inwards, metres per metre of height.
            Cone: (radius at the top / radius at the bottom, unused, unused).
        axes: (3, 3) rotation object_R_local, or None for no rotation.
    """

    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    kind: int = FRUSTUM
    material: int = PLAIN
    colour: tuple[float, float, float] = (0.5, 0.5, 0.5)
    accent: tuple[float, float, float] = (0.1, 0.1, 0.1)
    taper: tuple[float, float, float] = (0.0, 0.0, 0.0)
    axes: np.ndarray | None = None


@dataclass(frozen=True)
class Parts:
    """Many parts as arrays, in one common frame.

    Attributes:
        kind: (P,) int32.
        centre: (P, 3) float64, metres.
        axes: (P, 3, 3) float64, frame_R_local.
        half: (P, 3) float64, metres.
        taper: (P, 3) float64.
        material: (P,) int32.
        colour: (P, 3) float32, linear RGB.
        accent: (P, 3) float32, linear RGB.
        owner: (P,) int32, number of the annotated object, or `BACKGROUND`.
        seed: (P,) int32, varies the texture from object to object.
    """

    kind: np.ndarray
    centre: np.ndarray
    axes: np.ndarray
    half: np.ndarray
    taper: np.ndarray
    material: np.ndarray
    colour: np.ndarray
    accent: np.ndarray
    owner: np.ndarray
    seed: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def build(cls, parts: Sequence[Part], owner: int = BACKGROUND, seed: int = 0) -> Parts:
        """Packs parts of one object."""
        identity = np.eye(3)
        count = len(parts)
        return cls(
            kind=np.array([part.kind for part in parts], dtype=np.int32),
            centre=np.array([part.centre for part in parts], dtype=np.float64).reshape(count, 3),
            axes=np.array([identity if part.axes is None else part.axes for part in parts]).reshape(count, 3, 3),
            half=np.array([part.half for part in parts], dtype=np.float64).reshape(count, 3),
            taper=np.array([part.taper for part in parts], dtype=np.float64).reshape(count, 3),
            material=np.array([part.material for part in parts], dtype=np.int32),
            colour=np.array([part.colour for part in parts], dtype=np.float32).reshape(count, 3),
            accent=np.array([part.accent for part in parts], dtype=np.float32).reshape(count, 3),
            owner=np.full(count, owner, dtype=np.int32),
            seed=np.full(count, seed, dtype=np.int32),
        )

    @classmethod
    def concatenate(cls, groups: Sequence[Parts]) -> Parts:
        """Joins groups that share a frame."""
        if not groups:
            return cls.build([])
        return cls(**{f.name: np.concatenate([getattr(group, f.name) for group in groups]) for f in fields(cls)})

    def select(self, index: np.ndarray) -> Parts:
        """Parts at an index or mask (P,)."""
        return Parts(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def placed(self, position: Sequence[float], yaw: float) -> Parts:
        """Parts in the world, for an object frame at `position` (x, y, z metres) with heading `yaw` (radians)."""
        rotation = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        return replace(self, centre=self.centre @ rotation.T + np.asarray(position), axes=rotation @ self.axes)

    def bounding_corners(self) -> np.ndarray:
        """Corners (P, 8, 3) of boxes that hold the parts, in the common frame."""
        spread = np.stack([self.taper[:, :2].min(axis=1), self.taper[:, 2], np.zeros(len(self))], axis=1)
        widening = np.where(self.kind[:, None] == FRUSTUM, np.maximum(-spread, 0.0), 0.0) * 2 * self.half[:, 2:]
        return self._to_frame(_SIGNS[None] * (self.half + widening)[:, None])

    def outline(self) -> np.ndarray:
        """Points (P, 26, 3) on the surfaces whose convex hulls resemble the parts; for drawing shadows and checks."""
        return self._to_frame(_outline_local(self.kind, self.half, self.taper))

    def _to_frame(self, local: np.ndarray) -> np.ndarray:
        return np.einsum("pij,pkj->pki", self.axes, local) + self.centre[:, None]


def _outline_local(kind: np.ndarray, half: np.ndarray, taper: np.ndarray) -> np.ndarray:
    corners = np.tile(_SIGNS[None] * half[:, None], (1, 4, 1))[:, :26]
    rise = corners[..., 2] + half[:, None, 2]
    lean_x = np.where(corners[..., 0] > 0, taper[:, None, 0], taper[:, None, 1])
    corners[..., 0] -= np.sign(corners[..., 0]) * lean_x * rise
    corners[..., 1] -= np.sign(corners[..., 1]) * taper[:, None, 2] * rise
    sphere = _sphere_points()[None] * half[:, None]
    rim = _rim_points()
    radius = np.where(rim[None, :, 2:] > 0, taper[:, None, :1], 1.0)
    cone = rim[None] * half[:, None] * np.concatenate([radius, radius, np.ones_like(radius)], axis=-1)
    choice = kind[:, None, None]
    return np.where(choice == FRUSTUM, corners, np.where(choice == ELLIPSOID, sphere, cone))


def _sphere_points() -> np.ndarray:
    turn = np.arange(8) * (np.pi / 4)
    belts = [
        np.stack([np.cos(turn) * np.cos(b), np.sin(turn) * np.cos(b), np.full(8, np.sin(b))], 1) for b in (-0.7, 0, 0.7)
    ]
    return np.concatenate([*belts, [[0, 0, 1], [0, 0, -1]]])


def _rim_points() -> np.ndarray:
    turn = np.arange(13) * (2 * np.pi / 13)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return np.concatenate([np.column_stack([ring, np.full(13, z)]) for z in (-1.0, 1.0)])
