"""Transforms of the segmentation data sets, which differ in sizes alone.

Scales are (width, height) in pixels that an image is fitted into, crops (height, width), as in mmseg.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Pipeline = list[dict[str, Any]]

MULTI_SCALE_RATIOS = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
STRIDE = 32  # the largest of the backbone


def train_pipeline(
    scale: tuple[int, int],
    crop_size: tuple[int, int],
    ratio_range: tuple[float, float] = (0.5, 2.0),
    relabel: Sequence[dict[str, Any]] = (),
) -> Pipeline:
    """Resize by a random factor, crop, mirror and distort colours.

    Args:
        scale: What the image is fitted into, before the factor.
        crop_size: No class fills more than three quarters of a crop, if ten tries find such a place.
        ratio_range: The least and the greatest factor.
        relabel: Transforms of the labels as they are loaded.
    """
    return [
        dict(type="LoadImageFromFile"),
        dict(type="LoadAnnotations"),
        *relabel,
        dict(type="RandomResize", scale=scale, ratio_range=ratio_range, keep_ratio=True),
        dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
        dict(type="RandomFlip", prob=0.5),
        dict(type="PhotoMetricDistortion"),
        dict(type="PackSegInputs"),
    ]


def test_pipeline(scale: tuple[int, int], whole_strides: bool = True) -> Pipeline:
    """Fit the image into a scale; labels keep their size, at which predictions are compared.

    Args:
        scale: What the image is fitted into.
        whole_strides: Whether sides become multiples of the largest stride, which changes the proportions a little,
            instead of padding.
    """
    return [
        dict(type="LoadImageFromFile"),
        dict(type="Resize", scale=scale, keep_ratio=True),
        *_to_whole_strides(whole_strides),
        dict(type="LoadAnnotations"),
        dict(type="PackSegInputs"),
    ]


def tta_pipeline(
    scale: tuple[int, int], ratios: Sequence[float] = MULTI_SCALE_RATIOS, whole_strides: bool = True
) -> Pipeline:
    """`test_pipeline` at several scales, each also mirrored.

    Args:
        scale: What the image is fitted into at ratio 1.
        ratios: Factors on the scale.
        whole_strides: As in `test_pipeline`.
    """
    width, height = scale
    sizes = [(round(width * ratio), round(height * ratio)) for ratio in ratios]
    views = [
        [dict(type="Resize", scale=size, keep_ratio=True) for size in sizes],
        _to_whole_strides(whole_strides),
        [dict(type="RandomFlip", prob=float(mirrored), direction="horizontal") for mirrored in (False, True)],
        [dict(type="LoadAnnotations")],
        [dict(type="PackSegInputs")],
    ]
    return [
        dict(type="LoadImageFromFile"),
        dict(type="TestTimeAug", transforms=[choices for choices in views if choices]),
    ]


def _to_whole_strides(wanted: bool) -> Pipeline:
    return [dict(type="ResizeToMultiple", size_divisor=STRIDE)] if wanted else []
