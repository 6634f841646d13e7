"""The ground and the sky behind everything: asphalt, markings, kerbs, sidewalks and terrain, painted per ray.

The ground is the plane z = 0 of the world. Its pattern is computed from the road coordinates of the network's grid, not
from a raster, so that markings stay sharp near the camera; far away they are blended over the ray's footprint.

Shapes: H, W ray grid; R roads.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bev.datasets.synthetic.network import CELL, RoadNetwork
from bev.datasets.synthetic.noise import hash_cell, value_noise
from bev.datasets.synthetic.raycast import NOTHING, Hits
from bev.datasets.synthetic.rays import Rays, world_direction
from bev.datasets.synthetic.shadows import Shade
from bev.datasets.synthetic.weather import Light
from bev.geometry.compiled import jit

KERB_WIDTH = 0.25
_HALF, _DRIVING, _LANE, _LANES, _SIDEWALK, _TONE = range(6)


class GroundMap(NamedTuple):
    """What `paint_background` needs to know of a network, as compiled code reads it.

    Attributes:
        station: (R, rows, columns) float32, metres.
        offset: (R, rows, columns) float32, metres.
        roads: (R, 6) float32: half width, half width of the lanes, lane width, number of lanes, sidewalk width, tone.
        crossing: (R, R) float32, arc length on road r where road q crosses it, or a value far away.
        terrain: (2, 3) float32, linear RGB of the two kinds of ground beyond the sidewalks.
    """

    station: np.ndarray
    offset: np.ndarray
    roads: np.ndarray
    crossing: np.ndarray
    terrain: np.ndarray


def ground_map(network: RoadNetwork, rng: np.random.Generator) -> GroundMap:
    """Draws surface tones for a network."""
    roads = [
        (r.half_width, r.driving_half_width, r.lane_width, r.lanes, r.sidewalk_width, rng.uniform(0.045, 0.11))
        for r in network.roads
    ]
    crossing = np.full((len(roads), len(roads)), 1e6, dtype=np.float32)
    for junction in network.junctions:
        crossing[0, junction.road] = junction.main_station
        crossing[junction.road, 0] = junction.station
    kinds = np.array([(0.075, 0.115, 0.035), (0.16, 0.14, 0.10), (0.22, 0.215, 0.20), (0.10, 0.10, 0.095)])
    terrain = kinds[rng.permutation(len(kinds))[:2]] * rng.uniform(0.8, 1.2)
    return GroundMap(
        network.station, network.offset, np.array(roads, dtype=np.float32), crossing, terrain.astype(np.float32)
    )


@jit
def _bilinear(fields, k, column, row):
    """Value of raster `k` at fractional cells inside it."""
    i, j = int(column), int(row)
    fx, fy = column - i, row - j
    top = fields[k, j, i] * (1.0 - fx) + fields[k, j, i + 1] * fx
    return top * (1.0 - fy) + (fields[k, j + 1, i] * (1.0 - fx) + fields[k, j + 1, i + 1] * fx) * fy


@jit
def _slope(fields, k, j, i):
    """Gradient (x, y) of raster `k` in a cell, per metre."""
    return (fields[k, j, i + 1] - fields[k, j, i]) / CELL, (fields[k, j + 1, i] - fields[k, j, i]) / CELL


@jit
def _stripe(value, centre, half_width, footprint):
    """Share of a footprint around `value` that a stripe covers."""
    inside = (half_width - abs(value - centre)) / footprint + 0.5
    return max(0.0, min(1.0, inside)) * min(1.0, 2.0 * half_width / footprint + 0.15)


@jit
def _dashes(value, period, filled, footprint):
    """Share of a footprint covered by dashes of length `filled` every `period` metres."""
    if footprint > period:
        return filled / period
    position = value - period * math.floor(value / period)
    return _stripe(position, 0.5 * filled, 0.5 * filled, max(footprint, 0.05))


@jit
def _markings(road, s, d, gap, approach, s_footprint, d_footprint):
    """White and yellow paint (white, yellow) at road coordinates; `gap` is the distance to the crossing carriageway."""
    lane_width, lanes = road[_LANE], int(road[_LANES])
    white, yellow = 0.0, 0.0
    if gap > 5.6:
        yellow = max(_stripe(d, 0.14, 0.06, d_footprint), _stripe(d, -0.14, 0.06, d_footprint))
        white = _stripe(abs(d), road[_DRIVING], 0.06, d_footprint)
        for lane in range(1, lanes):
            line = _stripe(abs(d), lane * lane_width, 0.07, d_footprint)
            white = max(white, line * _dashes(s, 9.0, 3.0, s_footprint))
    elif 1.6 < gap < 4.4 and abs(d) < road[_HALF] - 0.3:
        white = _dashes(d, 1.1, 0.55, d_footprint)
    elif 5.1 < gap < 5.5 and approach * d > 0.2 and abs(d) < road[_DRIVING]:
        white = 1.0
    return white, yellow


@jit
def _asphalt(road, x, y, s, d, footprint):
    """Grey level of the carriageway."""
    grey = road[_TONE] * (0.85 + 0.3 * value_noise(0.11 * x, 0.11 * y, 3.0))
    if footprint < 0.6:
        fade = 1.0 - footprint / 0.6
        grey *= 1.0 + fade * (0.30 * value_noise(1.7 * x, 1.7 * y, 5.0) - 0.15)
        if footprint < 0.08:
            grey *= 1.0 + (1.0 - footprint / 0.08) * (0.5 * value_noise(23.0 * x, 23.0 * y, 7.0) - 0.25)
    lane = abs(d) / road[_LANE]
    wear = 2.0 * abs(lane - math.floor(lane) - 0.5)  # 0 in the middle of a lane, where oil drips
    grey *= 0.93 + 0.07 * min(1.0, 3.0 * wear)
    column, row = float(math.floor(s / 7.0)), float(math.floor(d / road[_LANE]))
    if hash_cell(column, row, 11.0) > 0.88:  # a repaired patch
        inner = s / 7.0 - column
        if 0.1 < inner < 0.2 + 0.7 * hash_cell(column, row, 12.0):
            grey *= 0.72
    return grey


@jit
def _sidewalk(s, d, x, y, footprint):
    grey = 0.27 * (0.9 + 0.2 * value_noise(0.4 * x, 0.4 * y, 17.0))
    if footprint < 0.5:
        joint = max(_dashes(s, 1.5, 0.04, max(footprint, 0.02)), _dashes(d, 1.5, 0.04, max(footprint, 0.02)))
        grey *= 1.0 - 0.35 * joint * (1.0 - footprint / 0.5)
    return grey


@jit
def _albedo(ground, x, y, view_x, view_y, along, across):
    """Linear RGB of the ground at a point, seen along a horizontal unit vector with a footprint in metres."""
    rows, columns = ground.station.shape[1], ground.station.shape[2]
    gx, gy = min(max(x / CELL, 0.0), columns - 1.001), min(max(y / CELL, 0.0), rows - 1.001)
    i, j = int(gx), int(gy)
    best, second, union = 1e6, 1e6, 1e6
    own, other = 0, 0
    for r in range(len(ground.roads)):
        distance = abs(_bilinear(ground.offset, r, gx, gy)) - ground.roads[r, _HALF]
        if distance < best:
            best, second, other, own = distance, best, own, r
        elif distance < second:
            second, other = distance, r
        blend = max(0.0, 5.0 - abs(union - distance)) / 5.0  # a smooth minimum rounds the corners of junctions
        union = min(union, distance) - blend * blend * 1.25
    road = (
        ground.roads[own, 0],
        ground.roads[own, 1],
        ground.roads[own, 2],
        ground.roads[own, 3],
        ground.roads[own, 4],
        ground.roads[own, 5],
    )
    d, s = _bilinear(ground.offset, own, gx, gy), _bilinear(ground.station, own, gx, gy)
    normal_x, normal_y = _slope(ground.offset, own, j, i)
    straight, slanted = abs(normal_x * view_x + normal_y * view_y), abs(normal_y * view_x - normal_x * view_y)
    d_footprint = straight * along + slanted * across + 0.01
    s_footprint = slanted * along + straight * across + 0.01
    footprint = max(d_footprint, s_footprint)
    if union < 0.0:
        grey = _asphalt(road, x, y, s, d, footprint)
        white = yellow = 0.0
        if best < 0.0:
            approach = 1.0 if s > ground.crossing[own, other] else -1.0
            white, yellow = _markings(road, s, d, second, approach, s_footprint, d_footprint)
            worn = 0.55 + 0.45 * value_noise(0.9 * x, 0.9 * y, 29.0)
            white, yellow = white * worn, yellow * worn
        bare = grey * (1.0 - white) * (1.0 - yellow) + 0.62 * white
        return bare + 0.50 * yellow, bare + 0.33 * yellow, bare + 0.04 * yellow
    if union < road[_SIDEWALK]:
        kerb = _stripe(union, 0.5 * KERB_WIDTH, 0.5 * KERB_WIDTH, d_footprint)
        grey = _sidewalk(s, d, x, y, footprint) * (1.0 - kerb) + 0.40 * kerb
        return grey * 1.02, grey, grey * 0.96
    return _terrain(ground.terrain, x, y, footprint)


@jit
def _terrain(terrain, x, y, footprint):
    mix = min(1.0, max(0.0, (value_noise(0.045 * x, 0.045 * y, 31.0) - 0.45) * 8.0))
    rough = 0.75 + 0.25 * value_noise(0.5 * x, 0.5 * y, 37.0)
    if footprint < 0.5:
        rough += 0.35 * (value_noise(3.1 * x, 3.1 * y, 41.0) - 0.5)
    return (
        rough * (terrain[0, 0] * (1.0 - mix) + terrain[1, 0] * mix),
        rough * (terrain[0, 1] * (1.0 - mix) + terrain[1, 1] * mix),
        rough * (terrain[0, 2] * (1.0 - mix) + terrain[1, 2] * mix),
    )


@jit
def _sky(x, y, z, light):
    """Linear RGB of the sky along a unit vector."""
    rise = max(0.0, z)
    blend = 1.0 - math.exp(-4.0 * rise)
    glow = max(0.0, x * light.sun[0] + y * light.sun[1] + z * light.sun[2]) ** 24 * 0.25 * (1.0 - light.clouds)
    cover = 0.0
    if rise > 0.02:
        px, py = x / (rise + 0.12), y / (rise + 0.12)
        cloud = 0.55 * value_noise(1.1 * px, 1.1 * py, light.seed)
        cloud += 0.30 * value_noise(2.7 * px, 2.7 * py, light.seed + 1.0)
        cloud += 0.15 * value_noise(6.1 * px, 6.1 * py, light.seed + 2.0)
        cover = min(1.0, max(0.0, (cloud - 0.75 + 0.5 * light.clouds) * 4.0)) * min(1.0, 8.0 * rise)
    white = 0.25 * (light.horizon[0] + light.horizon[1] + light.horizon[2])
    return (
        (light.horizon[0] * (1.0 - blend) + light.zenith[0] * blend + glow * light.sun_colour[0]) * (1.0 - cover)
        + (white + 0.12 * light.sun_colour[0]) * cover,
        (light.horizon[1] * (1.0 - blend) + light.zenith[1] * blend + glow * light.sun_colour[1]) * (1.0 - cover)
        + (white + 0.12 * light.sun_colour[1]) * cover,
        (light.horizon[2] * (1.0 - blend) + light.zenith[2] * blend + glow * light.sun_colour[2]) * (1.0 - cover)
        + (white + 0.12 * light.sun_colour[2]) * cover,
    )


@jit
def _lit_ground(ground, shade, light, rays, x, y, z, distance):
    """Linear RGB of the ground `distance` metres along a ray with the world direction (x, y, z)."""
    px, py = rays.position[0] + distance * x, rays.position[1] + distance * y
    flat = math.sqrt(x * x + y * y) + 1e-9
    across = distance * rays.step
    red, green, blue = _albedo(ground, px, py, x / flat, y / flat, across / (abs(z) + 1e-6), across)
    row, column = (py - shade.origin[1]) / shade.cell - 0.5, (px - shade.origin[0]) / shade.cell - 0.5
    sunlight, sky = max(0.0, light.sun[2]), 1.0
    if 0.0 <= row < shade.raster.shape[1] - 1 and 0.0 <= column < shade.raster.shape[2] - 1:
        sunlight *= _bilinear(shade.raster, 0, column, row) / 255.0
        sky = _bilinear(shade.raster, 1, column, row) / 255.0
    return (
        red * (light.ambient[0] * sky + light.sun_colour[0] * sunlight),
        green * (light.ambient[1] * sky + light.sun_colour[1] * sunlight),
        blue * (light.ambient[2] * sky + light.sun_colour[2] * sunlight),
    )


@jit
def paint_background(image: np.ndarray, rays: Rays, hits: Hits, ground: GroundMap, shade: Shade, light: Light) -> None:
    """Paints the rays that hit no part: ground or sky.

    Args:
        image: (H, W, 3) float32 to write to, linear RGB.
        rays: Rays of a camera.
        hits: What they hit.
        ground: Surface of the world.
        shade: Shadows on it.
        light: Light of the scene.
    """
    height, width = hits.depth.shape
    for v in range(height):
        for u in range(width):
            if hits.part[v, u] != NOTHING:
                continue
            x, y, z, length = world_direction(rays, v, u)
            if hits.depth[v, u] == np.inf:
                red, green, blue = _sky(x, y, z, light)
            else:
                red, green, blue = _lit_ground(ground, shade, light, rays, x, y, z, hits.depth[v, u] * length)
            image[v, u, 0], image[v, u, 1], image[v, u, 2] = red, green, blue
