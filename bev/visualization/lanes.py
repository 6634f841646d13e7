"""Lane topology of one frame: lanes from above, coloured by direction, and traffic elements joined to their lanes.

All images are RGB (H, W, 3) uint8. Shapes: n lanes of P points, k traffic elements.
"""

from __future__ import annotations

import cv2
import numpy as np

from bev.datasets.openlane_v2.classes import ATTRIBUTES
from bev.datasets.openlane_v2.labels import LaneLabels
from bev.errors import InputError
from bev.geometry.cameras import project
from bev.visualization.layout import GAP, caption, even, fit, join, title_strip
from bev.visualization.palette import EGO, GRID, PANEL

BOUNDS = (-52.0, -26.0, 52.0, 26.0)
"""Region that is drawn: x_min, y_min, x_max, y_max in the ego frame, metres."""

SUCCESSOR = (250, 250, 250)
ELEMENT_COLOURS = {"red": (255, 70, 60), "green": (70, 230, 110), "yellow": (255, 214, 64)}
SIGN_COLOUR = (80, 170, 255)
_SUPERSAMPLING = 2
_ARROW = 2.0
_NEAR = 0.5


def draw_lanes(
    front: np.ndarray,
    pix_T_ego: np.ndarray,
    views: dict[str, LaneLabels],
    *,
    title: str = "",
    width: int = 1600,
) -> np.ndarray:
    """Draw the front image above the lanes, a column for each view, such as prediction and truth.

    Args:
        front: The front image.
        pix_T_ego: (4, 4) projection from the ego frame into it.
        views: Lanes in the ego frame and elements in the front image, by what the picture calls them; at least one.
        title: Stands above; no line for it if it is empty.
        width: Of the picture, pixels.

    Returns:
        (H, W, 3) with even sides.

    Raises:
        InputError: If there is no view.
    """
    if not views:
        raise InputError("there is neither a prediction nor a ground truth to draw")
    side = (width - GAP * (len(views) - 1)) // len(views)
    columns = [
        join([_front_panel(front, pix_T_ego, view, side, name), lane_panel(view, side)], axis=0)
        for name, view in views.items()
    ]
    body = join(columns, axis=1)
    header = [title_strip(body.shape[1], title, {**ELEMENT_COLOURS, "sign": SIGN_COLOUR})] if title else []
    return even(np.concatenate([*header, body], axis=0))


def direction_colours(lanes: np.ndarray) -> list[tuple[int, int, int]]:
    """A hue for the direction from each lane's start to its end: opposite directions have opposite hues."""
    way = lanes[:, -1, :2] - lanes[:, 0, :2]
    hue = (np.degrees(np.arctan2(way[:, 1], way[:, 0])) % 360) / 2
    hsv = np.stack([hue, np.full(len(lanes), 150), np.full(len(lanes), 255)], axis=-1).astype(np.uint8)
    return [tuple(colour) for colour in cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0].tolist()] if len(lanes) else []


def lane_panel(view: LaneLabels, width: int) -> np.ndarray:
    """Lanes from above, the vehicle looking to the right; arrows lead from lanes to their successors."""
    low, high = np.array(BOUNDS[:2]), np.array(BOUNDS[2:])
    scale = _SUPERSAMPLING * width / (high - low)[0]
    height = round(width * (high - low)[1] / (high - low)[0])
    canvas = np.full((height * _SUPERSAMPLING, width * _SUPERSAMPLING, 3), PANEL, np.uint8)

    def pixels(points: np.ndarray) -> np.ndarray:
        return np.stack([points[..., 0] - low[0], high[1] - points[..., 1]], axis=-1) * scale

    for radius in (10, 20, 30, 40, 50):
        cv2.circle(canvas, _whole(pixels(np.zeros(2))), round(radius * scale), GRID, _SUPERSAMPLING, cv2.LINE_AA)
    for lane, colour in zip(view.lanes, direction_colours(view.lanes), strict=True):
        line = pixels(lane)
        cv2.polylines(canvas, [line.round().astype(np.int32)], False, colour, 2 * _SUPERSAMPLING, cv2.LINE_AA)
        cv2.circle(canvas, _whole(line[0]), 2 * _SUPERSAMPLING, colour, -1, cv2.LINE_AA)
        _arrow_head(canvas, line[len(line) // 2] - line[len(line) // 2 - 1], line[len(line) // 2], colour, 5)
    for a, b in zip(*np.nonzero(view.topology_lclc), strict=True):
        start, end = pixels(_near_end(view.lanes[a][::-1])), pixels(_near_end(view.lanes[b]))
        cv2.line(canvas, _whole(start), _whole(end), SUCCESSOR, _SUPERSAMPLING, cv2.LINE_AA)
        _arrow_head(canvas, end - start, end, SUCCESSOR, 4)
    nose = pixels(np.array([[4.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]])).round().astype(np.int32)
    cv2.fillConvexPoly(canvas, nose, EGO, cv2.LINE_AA)
    panel = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return caption(panel, f"{len(view.lanes)} lanes, {int(view.topology_lclc.sum())} successions")


def _front_panel(front: np.ndarray, pix_T_ego: np.ndarray, view: LaneLabels, width: int, name: str) -> np.ndarray:
    """The front image with lanes, traffic elements, and lines from these to the lanes that they govern."""
    factor = width / front.shape[1]
    image = np.ascontiguousarray(fit(front, (round(front.shape[0] * factor), width)))
    middles = {}
    for i, (lane, colour) in enumerate(zip(view.lanes, direction_colours(view.lanes), strict=True)):
        points, depth = project(pix_T_ego, lane.astype(np.float64))
        ahead = points[depth > _NEAR] * factor
        if len(ahead) > 1:
            shown = np.clip(ahead, -4 * width, 4 * width)
            cv2.polylines(image, [shown.round().astype(np.int32)], False, colour, 2, cv2.LINE_AA)
            middles[i] = shown[len(shown) // 2]
    for j, (box, attribute) in enumerate(zip(view.traffic_boxes * factor, view.traffic_attributes, strict=True)):
        label = ATTRIBUTES[int(attribute)]
        colour = ELEMENT_COLOURS.get(label, SIGN_COLOUR)
        for i in np.flatnonzero(view.topology_lcte[:, j]):
            if int(i) in middles:
                foot = np.array([(box[0] + box[2]) / 2, box[3]])
                cv2.line(image, _whole(foot), _whole(middles[int(i)]), colour, 1, cv2.LINE_AA)
        cv2.rectangle(image, _whole(box[:2]), _whole(box[2:]), colour, 2, cv2.LINE_AA)
        place = (int(box[0]), max(int(box[1]) - 5, 12))
        cv2.putText(image, label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
    return caption(image, f"{name}, {len(view.traffic_boxes)} traffic elements")


def _near_end(lane: np.ndarray) -> np.ndarray:
    """The point of a polyline (P, 3) that is `_ARROW` metres from its beginning, or its middle if it is short."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(lane, axis=0), axis=1))])
    place = min(_ARROW, lengths[-1] / 2)
    return np.array([np.interp(place, lengths, lane[:, axis]) for axis in range(3)])


def _arrow_head(canvas: np.ndarray, way: np.ndarray, tip: np.ndarray, colour: tuple[int, int, int], size: int) -> None:
    length = np.linalg.norm(way)
    if length < 1e-6:
        return
    ahead = way / length * size * _SUPERSAMPLING
    left = np.array([-ahead[1], ahead[0]]) * 0.6
    head = np.stack([tip + ahead, tip - ahead + left, tip - ahead - left]).round().astype(np.int32)
    cv2.fillConvexPoly(canvas, head, colour, cv2.LINE_AA)


def _whole(point: np.ndarray) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
