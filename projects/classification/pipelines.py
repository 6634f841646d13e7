"""Transforms of the published classifiers, which differ in the images' size and in erasing."""

from __future__ import annotations

from typing import Any

Pipeline = list[dict[str, Any]]

# ImageNet's mean and standard deviation, RGB in 0 to 255.
MEAN = [123.675, 116.28, 103.53]
STD = [58.395, 57.12, 57.375]


def train_pipeline(size: int, erase: bool = True) -> Pipeline:
    """A random part of the image, RandAugment (https://arxiv.org/abs/1909.13719), and erased areas.

    Args:
        size: Height and width in pixels.
        erase: Whether one image of four has an area filled with noise about the mean colour.
    """
    mean, std = MEAN[::-1], STD[::-1]  # images are BGR until they are normalised
    erasing = dict(
        type="RandomErasing", erase_prob=0.25, max_area_ratio=1 / 3, mode="rand", fill_color=mean, fill_std=std
    )
    return [
        dict(type="LoadImageFromFile"),
        dict(type="RandomResizedCrop", scale=size, backend="pillow", interpolation="bicubic"),
        dict(type="RandomFlip", prob=0.5, direction="horizontal"),
        dict(
            type="RandAugment",
            policies="timm_increasing",
            num_policies=2,
            total_level=10,
            magnitude_level=9,
            magnitude_std=0.5,
            hparams=dict(pad_val=[round(value) for value in mean], interpolation="bicubic"),
        ),
        *([erasing] if erase else []),
        dict(type="PackInputs"),
    ]


def test_pipeline(size: int) -> Pipeline:
    """The middle of an image whose shorter side becomes `size` pixels."""
    return [
        dict(type="LoadImageFromFile"),
        dict(type="ResizeEdge", scale=size, edge="short", backend="pillow", interpolation="bicubic"),
        dict(type="CenterCrop", crop_size=size),
        dict(type="PackInputs"),
    ]
