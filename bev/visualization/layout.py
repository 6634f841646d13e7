"""Parts that pictures are put together from: images of one size, captions, strips with titles and legends.

All images are RGB (H, W, 3) uint8.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from bev.visualization.palette import BACKGROUND, FAINT_TEXT, PANEL, TEXT, font

GAP = 6
STRIP = 34
"""Height of a line of text."""

NARROW = 1000
"""Width below which a title and the names of ten classes don't fit side by side."""

BORDER = 10
SWATCH = 12
ENTRY_FONT, ENTRY_GAP = 13, 16

Colour = tuple[int, int, int]


def fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image at another size, height and width in pixels, at least one."""
    size = max(size[0], 1), max(size[1], 1)
    smaller = size[1] < image.shape[1]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def caption(image: np.ndarray, text: str) -> np.ndarray:
    """An image with a line of text in its upper left corner."""
    drawn = Image.fromarray(image)
    ImageDraw.Draw(drawn).text((8, 6), text, TEXT, font(13), stroke_width=2, stroke_fill=(0, 0, 0))
    return np.asarray(drawn)


def camera_caption(name: str) -> str:
    """What a picture calls a camera: "front left" for nuScenes' CAM_FRONT_LEFT."""
    return name.removeprefix("CAM_").replace("_", " ").lower()


def missing_camera(name: str, size: tuple[int, int]) -> np.ndarray:
    """What stands in the place of a camera without an image, height and width in pixels."""
    return caption(np.full((*size, 3), PANEL, np.uint8), f"{camera_caption(name)}: no image")


def join(parts: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Images one below the other (axis 0) or side by side (axis 1), with a gap between them."""
    gap_shape = list(parts[0].shape)
    gap_shape[axis] = GAP
    gap = np.full(gap_shape, BACKGROUND, np.uint8)
    return np.concatenate([piece for part in parts for piece in (part, gap)][:-1], axis=axis)


def even(picture: np.ndarray) -> np.ndarray:
    """A picture with even sides, which video needs: with a further row and column where necessary."""
    further = ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0))
    return np.pad(picture, further, constant_values=BACKGROUND[0])


def row_sizes(aspects: Sequence[float], width: int) -> list[tuple[int, int]]:
    """Sizes, height and width, of images side by side that fill a row of pixels together.

    Args:
        aspects: Width of each image by its height.
        width: Of the row, with the gaps between them.
    """
    height = (width - GAP * (len(aspects) - 1)) / sum(aspects)
    ends = np.round(np.cumsum([0.0, *aspects]) * height).astype(int)
    return [(round(height), int(end - start)) for start, end in itertools.pairwise(ends)]


def title_strip(
    width: int, title: str, entries: Mapping[str, Colour], possible: Mapping[str, Colour] | None = None
) -> np.ndarray:
    """A line with a title at the left and the colours of names at the right.

    In narrow pictures the names have lines of their own below.

    Args:
        width: Pixels.
        title: The text.
        entries: Name to colour.
        possible: All names that further pictures of the same video may have, for which narrow ones keep room; None for
            no others.
    """
    if width < NARROW and (entries or possible):
        names = legend(width, entries)
        room = np.full(legend(width, possible or entries).shape, BACKGROUND, np.uint8)
        room[: len(names)] = names[: len(room)]
        return np.concatenate([title_strip(width, title, {}), room])
    image = Image.new("RGB", (width, STRIP), BACKGROUND)
    draw = ImageDraw.Draw(image)
    draw.text((BORDER, STRIP // 2), title, TEXT, font(15), anchor="lm")
    left = width - BORDER + ENTRY_GAP - sum(map(_entry_width, entries))
    for name, colour in entries.items():
        _draw_entry(draw, (left, 0), name, colour)
        left += _entry_width(name)
    return np.asarray(image)


def legend(width: int, entries: Mapping[str, Colour]) -> np.ndarray:
    """Lines with the colours of names, from the left, as many as they need."""
    places, left, line = {}, BORDER, 0
    for name in entries:
        if left > BORDER and left + _entry_width(name) - ENTRY_GAP > width - BORDER:
            left, line = BORDER, line + 1
        places[name] = (left, line * STRIP)
        left += _entry_width(name)
    image = Image.new("RGB", (width, (line + 1) * STRIP), BACKGROUND)
    draw = ImageDraw.Draw(image)
    for name, place in places.items():
        _draw_entry(draw, place, name, entries[name])
    return np.asarray(image)


def _label(name: str) -> str:
    return name.replace("_", " ")


def _entry_width(name: str) -> int:
    return SWATCH + 6 + round(font(ENTRY_FONT).getlength(_label(name))) + ENTRY_GAP


def _draw_entry(draw: ImageDraw.ImageDraw, place: tuple[int, int], name: str, colour: Colour) -> None:
    left, middle = place[0], place[1] + STRIP // 2
    draw.rectangle((left, middle - SWATCH // 2, left + SWATCH, middle + SWATCH // 2), colour)
    draw.text((left + SWATCH + 6, middle), _label(name), FAINT_TEXT, font(ENTRY_FONT), anchor="lm")
