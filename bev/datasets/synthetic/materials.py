"""How objects look: patterns painted on the faces of parts, lit by the sun and the sky.

Shapes: H, W ray grid; P parts.
"""

from __future__ import annotations

import math

import numpy as np

from bev.datasets.synthetic.noise import hash_cell, value_noise
from bev.datasets.synthetic.parts import (
    BODYWORK,
    CABIN,
    CARGO,
    CLOTH,
    COACH,
    CONE,
    ELLIPSOID,
    EMISSIVE,
    FACADE,
    FOLIAGE,
    GLASS,
    STRIPES,
    TYRE,
)
from bev.datasets.synthetic.raycast import BACK, BOTTOM, FRONT, LEFT, RIGHT, ROUND, TOP, Hits, Solids
from bev.datasets.synthetic.rays import Rays, world_direction
from bev.datasets.synthetic.weather import Light
from bev.geometry.compiled import jit

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
        leaf = 0.5 * (value_noise(2.6 * x, 2.6 * z, seed) + value_noise(2.6 * y, 2.6 * z, seed + 1.0))
        if gap < 0.12:
            fine = value_noise(11.0 * x, 11.0 * z, seed + 2.0) + value_noise(11.0 * y, 11.0 * z, seed + 3.0)
            leaf += (1.0 - gap / 0.12) * (0.45 * fine - 0.45)
        tone = 0.2 + 1.6 * max(0.0, leaf)
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
def _shine(gloss, view, normal, light, sunlit):
    """Share of mirrored surroundings, their brightness up the sky in [0, 1] (-1: the ground), and the sun's glint."""
    facing = view[0] * normal[0] + view[1] * normal[1] + view[2] * normal[2]
    mirror_z = view[2] - 2.0 * facing * normal[2]
    share = gloss * (0.25 + 0.75 * (1.0 + min(0.0, facing)) ** 3)
    glint = 0.0
    if gloss > 0.0:
        towards = (view[0] - 2.0 * facing * normal[0]) * light.sun[0] + mirror_z * light.sun[2]
        towards += (view[1] - 2.0 * facing * normal[1]) * light.sun[1]
        glint = max(0.0, towards) ** 60 * 1.2 * gloss * sunlit
    return share, (min(1.0, 1.6 * mirror_z) if mirror_z > 0.0 else -1.0), glint


@jit
def _lit(albedo, gloss, normal, view, above, sunlit, is_leafy, light):
    """Linear RGB of a surface point `above` metres over the ground, lit by the sun, the sky and the ground."""
    sun = max(0.0, normal[0] * light.sun[0] + normal[1] * light.sun[1] + normal[2] * light.sun[2]) * sunlit
    if is_leafy:
        sun = 0.55 * sun + 0.2 * sunlit  # leaves scatter
    sky = (0.62 + 0.38 * normal[2]) * min(1.0, 0.6 + 0.45 * above)
    bounce = 0.10 * max(0.0, 0.4 - normal[2]) * (light.sun_colour[1] * light.sun[2] * 0.5 + light.ambient[1])
    share, rise, glint = _shine(gloss, view, normal, light, sunlit)
    return (
        _mixed(albedo[0] * (light.ambient[0] * sky + light.sun_colour[0] * sun + bounce), share, rise, glint, light, 0),
        _mixed(albedo[1] * (light.ambient[1] * sky + light.sun_colour[1] * sun + bounce), share, rise, glint, light, 1),
        _mixed(albedo[2] * (light.ambient[2] * sky + light.sun_colour[2] * sun + bounce), share, rise, glint, light, 2),
    )


@jit
def _mixed(diffuse, share, rise, glint, light, c):
    mirrored = light.horizon[c] * (1.0 - rise) + light.zenith[c] * rise if rise >= 0.0 else 0.12
    return diffuse * (1.0 - share) + mirrored * share + glint * light.sun_colour[c]


@jit
def _turned(matrices, i, x, y, z):
    return (
        matrices[i, 0, 0] * x + matrices[i, 0, 1] * y + matrices[i, 0, 2] * z,
        matrices[i, 1, 0] * x + matrices[i, 1, 1] * y + matrices[i, 1, 2] * z,
        matrices[i, 2, 0] * x + matrices[i, 2, 1] * y + matrices[i, 2, 2] * z,
    )


@jit
def _triple(array, i):
    return array[i, 0], array[i, 1], array[i, 2]


@jit
def _seen_colour(rays, hits, solids, sunlit, light, v, u):
    """Linear RGB of the part that a ray hits."""
    i = hits.part[v, u]
    face, material = hits.face[v, u], solids.material[i]
    paint, half = _triple(solids.colour, i), _triple(solids.half, i)
    if material == EMISSIVE:
        return paint
    x, y, z, length = world_direction(rays, v, u)
    t, d = hits.depth[v, u], rays.directions
    px, py, pz = _turned(solids.to_local, i, t * d[v, u, 0], t * d[v, u, 1], t * d[v, u, 2])
    px, py, pz = px + solids.origin[i, 0], py + solids.origin[i, 1], pz + solids.origin[i, 2]
    albedo, gloss = _surface(
        material,
        solids.kind[i],
        face,
        px / half[0],
        py / half[1],
        pz / half[2],
        half,
        paint,
        _triple(solids.accent, i),
        float(solids.seed[i]),
        t * length * rays.step,
    )
    nx, ny, nz = _normal(solids.kind[i], face, (px, py, pz), half, _triple(solids.taper, i))
    nx, ny, nz = _turned(solids.axes, i, nx, ny, nz)
    scale = 1.0 / (math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9)
    above = solids.height[i] + _turned(solids.axes, i, px, py, pz)[2]
    normal = (nx * scale, ny * scale, nz * scale)
    return _lit(albedo, gloss, normal, (x, y, z), above, sunlit[i], material == FOLIAGE, light)


@jit
def paint_surfaces(image: np.ndarray, rays: Rays, hits: Hits, solids: Solids, sunlit: np.ndarray, light: Light) -> None:
    """Paints the rays that hit a part.

    Args:
        image: (H, W, 3) float32 to write to, linear RGB.
        rays: Rays of a camera.
        hits: What they hit.
        solids: The parts.
        sunlit: (P,) float32, share of the sunlight that reaches each part.
        light: Light of the scene.
    """
    height, width = hits.depth.shape
    for v in range(height):
        for u in range(width):
            if hits.part[v, u] >= 0:
                red, green, blue = _seen_colour(rays, hits, solids, sunlit, light, v, u)
                image[v, u, 0], image[v, u, 1], image[v, u, 2] = red, green, blue
