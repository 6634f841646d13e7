"""How objects look: patterns painted on the faces of parts, lit by the sun and the sky.

Shapes: H, W ray grid; P parts.
"""

from __future__ import annotations

import math

import numpy as np

from .compiled import jit
from .noise import hash_cell, value_noise
from .parts import (
    BODYWORK, CABIN, CARGO, CLOTH, COACH, CONE, ELLIPSOID, EMISSIVE, FACADE, FOLIAGE, GLASS, STRIPES, TYRE, Parts,
)
from .raycast import BACK, BOTTOM, FRONT, LEFT, RIGHT, ROUND, TOP, Hits
from .weather import Weather

_GLASS = (0.018, 0.022, 0.026)
_WHITE_LAMP = (1.3, 1.25, 1.1)
_RED_LAMP = (0.75, 0.02, 0.02)
_PLATE = (0.6, 0.6, 0.55)
_BLACK = (0.02, 0.02, 0.02)


@jit
def _bodywork(face, a, b, c, half, paint):
    """Lower half of a car or a cab. (a, b, c) in [-1, 1] are the local coordinates; returns colour and gloss."""
    if face == FRONT:
        if abs(b) > 0.58 and 0.05 < c < 0.62:
            return _WHITE_LAMP, 0.0
        if abs(b) < 0.52 and -0.25 < c < 0.5:
            return _BLACK, 0.1
        if c < -0.62:
            return (0.03, 0.03, 0.03), 0.0
    elif face == BACK:
        if abs(b) > 0.6 and 0.05 < c < 0.75:
            return _RED_LAMP, 0.0
        if abs(b) < 0.3 and -0.35 < c < 0.0:
            return _PLATE, 0.0
        if c < -0.62:
            return (0.03, 0.03, 0.03), 0.0
    elif face == LEFT or face == RIGHT:
        if c < -0.72:
            return (0.03, 0.03, 0.03), 0.0
        if a > 0.92 and 0.05 < c < 0.6:
            return _WHITE_LAMP, 0.0
        if a < -0.93 and 0.05 < c < 0.75:
            return _RED_LAMP, 0.0
        if abs(a - 0.33) < 0.008 or abs(a + 0.1) < 0.008 or abs(a + 0.5) < 0.008:
            return (0.4 * paint[0], 0.4 * paint[1], 0.4 * paint[2]), 0.1
    return paint, 0.16


@jit
def _cabin(face, a, b, c, half, paint):
    """Upper half of a car: windows between pillars below a painted roof."""
    if face == TOP or face == BOTTOM:
        return paint, 0.16
    if c > 0.82 or c < -0.95:
        return paint, 0.16
    if face == FRONT or face == BACK:
        return (_GLASS, 0.55) if abs(b) < 0.88 else (paint, 0.16)
    if abs(a) > 0.93 or abs(a - 0.06) < 0.035 or abs(a + 0.52) < 0.03:
        return paint, 0.16
    return _GLASS, 0.5


@jit
def _coach(face, a, b, c, half, paint, accent):
    """A bus: a band of windows, a large windscreen with a destination sign, doors on the right, a coloured skirt."""
    if face == FRONT:
        if 0.74 < c < 0.92 and abs(b) < 0.7:
            return (0.9, 0.45, 0.05), 0.0
        if -0.25 < c < 0.72 and abs(b) < 0.92:
            return _GLASS, 0.55
        if -0.82 < c < -0.62 and abs(b) > 0.6:
            return _WHITE_LAMP, 0.0
    elif face == BACK:
        if 0.2 < c < 0.75 and abs(b) < 0.75:
            return _GLASS, 0.5
        if -0.75 < c < -0.35 and abs(b) > 0.78:
            return _RED_LAMP, 0.0
        if -0.7 < c < -0.1 and abs(b) < 0.6:
            return (0.3 * paint[0], 0.3 * paint[1], 0.3 * paint[2]), 0.05
    elif face == LEFT or face == RIGHT:
        x = a * half[0]
        if face == RIGHT and c < 0.6 and (abs(x - 0.78 * half[0]) < 0.6 or abs(x + 0.1 * half[0]) < 0.65):
            return (_GLASS, 0.4) if abs(math.sin(x * 5.2)) > 0.15 else (_BLACK, 0.0)
        if 0.05 < c < 0.68 and abs(a) < 0.96:
            pane = x / 1.45
            return (_GLASS, 0.5) if abs(pane - math.floor(pane) - 0.5) < 0.44 else (_BLACK, 0.1)
        if c < -0.45:
            return accent, 0.14
    return paint, 0.14


@jit
def _cargo(face, a, b, c, half, paint, accent):
    """A box body: ribbed sides with a stripe; two doors with lamps behind."""
    if face == BACK:
        if abs(b) < 0.02 or abs(b) > 0.97 or abs(c) > 0.97:
            return (0.12, 0.12, 0.12), 0.0
        if c < -0.86:
            return _RED_LAMP if abs(b) > 0.7 else (0.1, 0.1, 0.1), 0.0
        if abs(abs(b) - 0.25) < 0.025:
            return (0.25, 0.25, 0.25), 0.0
        if c < -0.74:  # red and white conspicuity tape
            return (0.55, 0.03, 0.03) if math.sin(b * 18.0) > 0.0 else (0.6, 0.6, 0.6), 0.0
    elif face == LEFT or face == RIGHT:
        if c < -0.93:
            return (0.1, 0.1, 0.1), 0.0
        if -0.2 < c < 0.3 and abs(a) < 0.72:
            return accent, 0.05
        rib = a * half[0] / 0.6
        if abs(rib - math.floor(rib) - 0.5) < 0.06:
            return (0.7 * paint[0], 0.7 * paint[1], 0.7 * paint[2]), 0.03
    return paint, 0.06


@jit
def _facade(face, a, b, c, half, paint, accent, seed):
    """A house front: a grid of windows above shops."""
    if face == TOP or face == BOTTOM:
        return (0.14, 0.14, 0.14), 0.0
    across = (b * half[1] if face == FRONT or face == BACK else a * half[0]) + 100.0
    up = (c + 1.0) * half[2]
    width = 2.2 + 1.6 * hash_cell(seed, 1.0, 51.0)
    column, row = float(math.floor(across / width)), float(math.floor(up / 3.3))
    x, y = across / width - column, up / 3.3 - row
    if row == 0.0:
        if 0.1 < y < 0.72 and 0.08 < x < 0.92:
            return (_GLASS, 0.4) if hash_cell(column, seed, 57.0) < 0.75 else (accent, 0.0)
        return (0.6 * paint[0], 0.6 * paint[1], 0.6 * paint[2]), 0.0
    tall = 0.2 + 0.15 * hash_cell(seed, 2.0, 52.0)
    if tall < y < 0.85 and 0.22 < x < 0.78:
        lit = hash_cell(column, row + 31.0 * seed, 53.0)
        return (_GLASS, 0.45) if lit < 0.85 else ((0.10, 0.09, 0.07), 0.2)
    if y < 0.05:
        return accent, 0.0
    return paint, 0.0


@jit
def _tyre(face, kind, a, b):
    """A wheel: a grey hub with spokes in a black tyre."""
    if kind == CONE and face != ROUND:
        radius = math.sqrt(a * a + b * b)
        if radius < 0.62:
            spoke = abs(math.sin(2.5 * math.atan2(b, a)))
            return ((0.32, 0.32, 0.33) if spoke > 0.35 or radius < 0.2 else (0.06, 0.06, 0.06)), 0.1
    return (0.018, 0.018, 0.02), 0.0


@jit
def _surface(material, kind, face, a, b, c, half, paint, accent, seed, gap):
    """Linear RGB and gloss of a surface point; `gap` is the distance between neighbouring rays there, metres."""
    if material == BODYWORK:
        return _bodywork(face, a, b, c, half, paint)
    if material == CABIN:
        return _cabin(face, a, b, c, half, paint)
    if material == COACH:
        return _coach(face, a, b, c, half, paint, accent)
    if material == CARGO:
        return _cargo(face, a, b, c, half, paint, accent)
    if material == TYRE:
        return _tyre(face, kind, a, b)
    if material == FACADE:
        return _facade(face, a, b, c, half, paint, accent, seed)
    if material == GLASS:
        return _GLASS, 0.5
    if material == STRIPES:
        band = 0.5 * (c + 1.0) if kind == CONE else 0.5 * (b + 1.0) * half[1] / half[2] + 0.25 * c
        band = band * 2.6 + 0.3
        return (accent, 0.0) if band - math.floor(band) < 0.42 else (paint, 0.0)
    if material == FOLIAGE:
        x, y, z = a * half[0], b * half[1], c * half[2]
        leaf = value_noise(2.3 * x + 1.3 * z, 2.3 * y - 1.7 * z, seed)
        if gap < 0.25:
            leaf = 0.5 * leaf + 0.5 * value_noise(9.0 * x - 5.0 * z, 9.0 * y + 7.0 * z, seed + 1.0)
        tone = 0.45 + 1.1 * leaf
        return (tone * paint[0], tone * paint[1], tone * paint[2]), 0.0
    if material == CLOTH:
        tone = 0.8 + 0.4 * value_noise(9.0 * a, 9.0 * c, seed)
        return (tone * paint[0], tone * paint[1], tone * paint[2]), 0.0
    return paint, 0.0


@jit
def _normal(kind, face, p, half, taper):
    """Outward normal in the local frame, not normalised."""
    if face == ROUND:
        if kind == ELLIPSOID:
            return p[0] / (half[0] * half[0]), p[1] / (half[1] * half[1]), p[2] / (half[2] * half[2])
        shrink = (1.0 - taper[0]) / (2.0 * half[2])
        radius = 1.0 - shrink * (p[2] + half[2])
        return p[0] / (half[0] * half[0]), p[1] / (half[1] * half[1]), radius * shrink
    sign = 1.0 - 2.0 * (face % 2)
    if face == FRONT or face == BACK:
        return sign, 0.0, taper[face]
    if face == LEFT or face == RIGHT:
        return 0.0, sign, taper[2]
    return 0.0, 0.0, sign


@jit
def _paint(
    image, directions, depth, part, faces, to_local, origin, kind, axes, centre, half, taper, material, colour, accent,
    seed, sunlit, rotation, step, sun, sun_colour, ambient, zenith, horizon,
):
    height, width = depth.shape
    for v in range(height):
        for u in range(width):
            i = part[v, u]
            if i < 0:
                continue
            x, y, z, t = directions[v, u, 0], directions[v, u, 1], directions[v, u, 2], depth[v, u]
            m, h, w = to_local[i], half[i], axes[i]
            px = origin[i, 0] + t * (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z)
            py = origin[i, 1] + t * (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z)
            pz = origin[i, 2] + t * (m[2, 0] * x + m[2, 1] * y + m[2, 2] * z)
            face = faces[v, u]
            paint = (colour[i, 0], colour[i, 1], colour[i, 2])
            second = (accent[i, 0], accent[i, 1], accent[i, 2])
            a, b, c = px / h[0], py / h[1], pz / h[2]
            albedo, gloss = _surface(
                material[i], kind[i], face, a, b, c, (h[0], h[1], h[2]), paint, second, float(seed[i]), t * step
            )
            if material[i] == EMISSIVE:
                image[v, u, 0], image[v, u, 1], image[v, u, 2] = albedo
                continue
            nx, ny, nz = _normal(kind[i], face, (px, py, pz), (h[0], h[1], h[2]), taper[i])
            gx = w[0, 0] * nx + w[0, 1] * ny + w[0, 2] * nz
            gy = w[1, 0] * nx + w[1, 1] * ny + w[1, 2] * nz
            gz = w[2, 0] * nx + w[2, 1] * ny + w[2, 2] * nz
            norm = 1.0 / (math.sqrt(gx * gx + gy * gy + gz * gz) + 1e-9)
            gx, gy, gz = gx * norm, gy * norm, gz * norm
            above = centre[i, 2] + w[2, 0] * px + w[2, 1] * py + w[2, 2] * pz
            light = max(0.0, gx * sun[0] + gy * sun[1] + gz * sun[2]) * sunlit[i]
            if material[i] == FOLIAGE:
                light = 0.55 * light + 0.2 * sunlit[i]  # leaves scatter
            sky = (0.62 + 0.38 * gz) * min(1.0, 0.6 + 0.45 * above)
            bounce = 0.10 * max(0.0, -gz + 0.4) * (sun_colour[1] * sun[2] * 0.5 + ambient[1])
            dx = rotation[0, 0] * x + rotation[0, 1] * y + rotation[0, 2] * z
            dy = rotation[1, 0] * x + rotation[1, 1] * y + rotation[1, 2] * z
            dz = rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2] * z
            length = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
            dx, dy, dz = dx * length, dy * length, dz * length
            facing = dx * gx + dy * gy + dz * gz
            mirror_z = dz - 2.0 * facing * gz
            fresnel = gloss * (0.25 + 0.75 * (1.0 + min(0.0, facing)) ** 3)
            glint = 0.0
            if gloss > 0.0:
                glint = (dx - 2.0 * facing * gx) * sun[0] + (dy - 2.0 * facing * gy) * sun[1] + mirror_z * sun[2]
                glint = max(0.0, glint) ** 60 * 1.2 * gloss * sunlit[i]
            blend = min(1.0, max(0.0, 1.6 * mirror_z))
            for k in range(3):
                above_sky = horizon[k] * (1.0 - blend) + zenith[k] * blend if mirror_z > 0.0 else 0.12
                lit = albedo[k] * (ambient[k] * sky + sun_colour[k] * light + bounce)
                image[v, u, k] = lit * (1.0 - fresnel) + fresnel * above_sky + glint * sun_colour[k]


def paint_surfaces(
    image: np.ndarray, directions: np.ndarray, hits: Hits, parts: Parts, sunlit: np.ndarray,
    world_T_camera: np.ndarray, pixel_angle: float, weather: Weather,
) -> None:
    """Paints the rays that hit a part.

    Args:
        image: (H, W, 3) float32 to write to, linear RGB.
        directions: (H, W, 3) float32 in the camera frame, z = 1.
        hits: What the rays hit.
        parts: The parts in the world.
        sunlit: (P,) float32, share of the sunlight that reaches each part.
        world_T_camera: (4, 4) pose of the camera.
        pixel_angle: Angle between neighbouring rays, radians.
        weather: Light of the scene.
    """
    _paint(
        image, directions, hits.depth, hits.part, hits.face, hits.to_local, hits.origin, parts.kind,
        parts.axes.astype(np.float32), parts.centre.astype(np.float32), parts.half.astype(np.float32),
        parts.taper.astype(np.float32), parts.material, parts.colour, parts.accent, parts.seed, sunlit,
        world_T_camera[:3, :3].astype(np.float32), pixel_angle,
        weather.sun, weather.sun_colour, weather.ambient, weather.zenith, weather.horizon,
    )
