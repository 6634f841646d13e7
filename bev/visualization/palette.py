"""Colours and type used in every picture."""

from __future__ import annotations

from functools import lru_cache

import matplotlib.font_manager
from PIL import ImageFont

BACKGROUND = (18, 20, 26)
PANEL = (28, 31, 40)
GRID = (58, 63, 76)
TEXT = (226, 229, 236)
FAINT_TEXT = (140, 146, 160)
TRUTH = (240, 240, 240)
EGO = (250, 250, 250)
SKY = (52, 60, 76)

# RGB per class of nuScenes and Waymo: alike classes get neighbouring hues.
CLASS_COLOURS = {
    "barrier": (160, 172, 190),
    "bicycle": (255, 120, 190),
    "bus": (255, 92, 70),
    "car": (64, 170, 255),
    "construction_vehicle": (214, 152, 60),
    "cyclist": (255, 120, 190),
    "motorcycle": (214, 110, 255),
    "pedestrian": (92, 226, 120),
    "sign": (255, 214, 64),
    "traffic_cone": (255, 214, 64),
    "trailer": (60, 214, 214),
    "truck": (255, 148, 52),
    "vehicle": (64, 170, 255),
}


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The sans-serif face that ships with matplotlib, so that pictures look alike on every machine."""
    return ImageFont.truetype(matplotlib.font_manager.findfont("DejaVu Sans"), size)
