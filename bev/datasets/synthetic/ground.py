"""The ground and the sky behind everything: asphalt, markings, kerbs, sidewalks and terrain, painted per ray.

The ground is the plane z = 0 of the world. Its pattern is computed from the road coordinates of the network's grid, not
from a raster, so that markings stay sharp near the camera; far away they are blended over the ray's footprint.

Shapes: H, W ray grid; R roads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .compiled import jit
from .network import CELL, RoadNetwork
from .noise import hash_cell, value_noise
from .raycast import NOTHING
from .weather import Weather

KERB_WIDTH = 0.25
_HALF, _DRIVING, _LANE, _LANES, _SIDEWALK, _TONE = range(6)


@dataclass(frozen=True)
class GroundMap:
    """What `paint_background` needs to know of a network.

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
def _bilinear(field, column, row):
    """Value of a raster at fractional cells inside it."""
    i, j = int(column), int(row)
    fx, fy = column - i, row - j
    top = field[j, i] * (1.0 - fx) + field[j, i + 1] * fx
    return top * (1.0 - fy) + (field[j + 1, i] * (1.0 - fx) + field[j + 1, i + 1] * fx) * fy


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
def _ground_colour(x, y, view_x, view_y, along, across, station, offset, roads, crossing, terrain):
    """Linear RGB of the ground at a point, seen along a horizontal unit vector with a footprint in metres."""
    rows, columns = station.shape[1], station.shape[2]
    gx, gy = min(max(x / CELL, 0.0), columns - 1.001), min(max(y / CELL, 0.0), rows - 1.001)
    i, j = int(gx), int(gy)
    best, second, union = 1e6, 1e6, 1e6
    own, other = 0, 0
    for r in range(len(roads)):
        distance = abs(_bilinear(offset[r], gx, gy)) - roads[r, _HALF]
        if distance < best:
            best, second, other, own = distance, best, own, r
        elif distance < second:
            second, other = distance, r
        blend = max(0.0, 5.0 - abs(union - distance)) / 5.0  # a smooth minimum rounds the corners of junctions
        union = min(union, distance) - blend * blend * 1.25
    field, road = offset[own], roads[own]
    d, s = _bilinear(field, gx, gy), _bilinear(station[own], gx, gy)
    normal_x, normal_y = (field[j, i + 1] - field[j, i]) / CELL, (field[j + 1, i] - field[j, i]) / CELL
    d_footprint = abs(normal_x * view_x + normal_y * view_y) * along + abs(normal_y * view_x - normal_x * view_y) * across + 0.01
    s_footprint = abs(normal_y * view_x - normal_x * view_y) * along + abs(normal_x * view_x + normal_y * view_y) * across + 0.01
    if union < 0.0:
        grey = _asphalt(road, x, y, s, d, max(d_footprint, s_footprint))
        white = yellow = 0.0
        if best < 0.0:
            approach = 1.0 if s > crossing[own, other] else -1.0
            white, yellow = _markings(road, s, d, second, approach, s_footprint, d_footprint)
            worn = 0.55 + 0.45 * value_noise(0.9 * x, 0.9 * y, 29.0)
            white, yellow = white * worn, yellow * worn
        bare = grey * (1.0 - white) * (1.0 - yellow) + 0.62 * white
        return bare + 0.50 * yellow, bare + 0.33 * yellow, bare + 0.04 * yellow
    kerb = _stripe(union, 0.5 * KERB_WIDTH, 0.5 * KERB_WIDTH, d_footprint)
    if union < road[_SIDEWALK]:
        grey = _sidewalk(s, d, x, y, max(d_footprint, s_footprint)) * (1.0 - kerb) + 0.40 * kerb
        return grey * 1.02, grey, grey * 0.96
    mix = value_noise(0.045 * x, 0.045 * y, 31.0)
    mix = min(1.0, max(0.0, (mix - 0.45) * 8.0))
    rough = 0.75 + 0.25 * value_noise(0.5 * x, 0.5 * y, 37.0)
    if max(d_footprint, s_footprint) < 0.5:
        rough += 0.35 * (value_noise(3.1 * x, 3.1 * y, 41.0) - 0.5)
    return (
        rough * (terrain[0, 0] * (1 - mix) + terrain[1, 0] * mix),
        rough * (terrain[0, 1] * (1 - mix) + terrain[1, 1] * mix),
        rough * (terrain[0, 2] * (1 - mix) + terrain[1, 2] * mix),
    )


@jit
def _sky(x, y, z, sun, sun_colour, zenith, horizon, clouds, seed, image, v, u):
    rise = max(0.0, z)
    blend = 1.0 - math.exp(-4.0 * rise)
    glow = max(0.0, x * sun[0] + y * sun[1] + z * sun[2]) ** 24
    cover = 0.0
    if rise > 0.02:
        px, py = x / (rise + 0.12), y / (rise + 0.12)
        cloud = 0.55 * value_noise(1.1 * px, 1.1 * py, seed) + 0.3 * value_noise(2.7 * px, 2.7 * py, seed + 1.0)
        cloud += 0.15 * value_noise(6.1 * px, 6.1 * py, seed + 2.0)
        cover = min(1.0, max(0.0, (cloud - 0.75 + 0.5 * clouds) * 4.0)) * min(1.0, 8.0 * rise)
    for c in range(3):
        clear = horizon[c] * (1.0 - blend) + zenith[c] * blend + 0.25 * (1.0 - clouds) * glow * sun_colour[c]
        white = 0.75 * (horizon[0] + horizon[1] + horizon[2]) / 3.0 + 0.12 * sun_colour[c]
        image[v, u, c] = clear * (1.0 - cover) + white * cover


@jit
def _paint(
    image, directions, depth, part, rotation, position, step, station, offset, roads, crossing, terrain, shade,
    shade_origin, shade_cell, sun, sun_colour, ambient, zenith, horizon, clouds, seed,
):
    height, width = depth.shape
    for v in range(height):
        for u in range(width):
            if part[v, u] != NOTHING:
                continue
            a, b, c = directions[v, u, 0], directions[v, u, 1], directions[v, u, 2]
            x = rotation[0, 0] * a + rotation[0, 1] * b + rotation[0, 2] * c
            y = rotation[1, 0] * a + rotation[1, 1] * b + rotation[1, 2] * c
            z = rotation[2, 0] * a + rotation[2, 1] * b + rotation[2, 2] * c
            norm = math.sqrt(x * x + y * y + z * z)
            t = depth[v, u]
            if t == np.inf:
                _sky(x / norm, y / norm, z / norm, sun, sun_colour, zenith, horizon, clouds, seed, image, v, u)
                continue
            gx, gy = position[0] + t * x, position[1] + t * y
            flat = math.sqrt(x * x + y * y) + 1e-9
            across = t * norm * step
            along = across * norm / (abs(z) + 1e-6)
            red, green, blue = _ground_colour(
                gx, gy, x / flat, y / flat, along, across, station, offset, roads, crossing, terrain
            )
            row, column = (gy - shade_origin[1]) / shade_cell - 0.5, (gx - shade_origin[0]) / shade_cell - 0.5
            sunlit, open_sky = 1.0, 1.0
            if 0.0 <= row < shade.shape[0] - 1 and 0.0 <= column < shade.shape[1] - 1:
                sunlit, open_sky = _bilinear(shade[..., 0], column, row) / 255.0, _bilinear(shade[..., 1], column, row) / 255.0
            light = max(0.0, sun[2]) * sunlit
            image[v, u, 0] = red * (ambient[0] * open_sky + sun_colour[0] * light)
            image[v, u, 1] = green * (ambient[1] * open_sky + sun_colour[1] * light)
            image[v, u, 2] = blue * (ambient[2] * open_sky + sun_colour[2] * light)


def paint_background(
    image: np.ndarray, directions: np.ndarray, depth: np.ndarray, part: np.ndarray, world_T_camera: np.ndarray,
    pixel_angle: float, ground: GroundMap, shade: tuple[np.ndarray, np.ndarray, float], weather: Weather,
) -> None:
    """Paints the rays that see the ground or the sky.

    Args:
        image: (H, W, 3) float32 to write to, linear RGB.
        directions: (H, W, 3) float32 in the camera frame, z = 1.
        depth: (H, W) float32, metres; infinite in the sky.
        part: (H, W) int32; only rays with `NOTHING` are painted.
        world_T_camera: (4, 4) pose of the camera.
        pixel_angle: Angle between neighbouring rays, radians.
        ground: Surface of the world.
        shade: Raster (rows, columns, 2) uint8 of sunlight and open sky, its world origin (2,) and cell size in metres.
        weather: Light of the scene.
    """
    raster, origin, cell = shade
    _paint(
        image, directions, depth, part, world_T_camera[:3, :3].astype(np.float32), world_T_camera[:3, 3], pixel_angle,
        ground.station, ground.offset, ground.roads, ground.crossing, ground.terrain, raster, origin, cell,
        weather.sun, weather.sun_colour, weather.ambient, weather.zenith, weather.horizon, weather.clouds, float(weather.seed),
    )
