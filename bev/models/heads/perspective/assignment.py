"""Which places of the feature maps learn which object (FCOS, arXiv 1904.01355, with sampling around the centre).

Shapes: P images, S places of all levels of one image, M objects, R = P * S places of a batch: level by level, in each
image by image, rows first. A place is positive if it learns an object; there are D of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bev.models.heads.perspective.objects import ImageObjects


@dataclass(frozen=True)
class Assignment:
    """The positive places.

    Attributes:
        places: (D,) int64, in rising order, among the R of the batch.
        objects: (D,) int64, among the M.
        locations: (D, 2) u and v, pixels.
        distances: (D, 4) from there to left, top, right and bottom of the object's outline, pixels.
    """

    places: Tensor
    objects: Tensor
    locations: Tensor
    distances: Tensor

    @property
    def centredness(self) -> Tensor:
        """(D,) 1 in the middle of the outline, 0 at its border (FCOS, equation 3)."""
        horizontal, vertical = self.distances[:, [0, 2]], self.distances[:, [1, 3]]
        ratio = (horizontal.amin(1) / horizontal.amax(1)) * (vertical.amin(1) / vertical.amax(1))
        return ratio.sqrt()


@dataclass(frozen=True)
class Places:
    """The places of one image's feature maps.

    Attributes:
        locations: (S, 2) u and v, pixels: the left top corner of each cell, as published.
        strides: (S,) pixels.
        level_sizes: Cells of each level; they add up to S.
    """

    locations: Tensor
    strides: Tensor
    level_sizes: tuple[int, ...]

    @classmethod
    def of(cls, shapes: Sequence[tuple[int, int]], strides: Sequence[int], device: torch.device) -> Places:
        """Places of maps of these (h, w)."""
        parts = []
        for (height, width), stride in zip(shapes, strides, strict=True):
            rows, columns = (torch.arange(n, device=device) * float(stride) for n in (height, width))
            v, u = torch.meshgrid(rows, columns, indexing="ij")
            parts.append(torch.stack([u.flatten(), v.flatten()], -1))
        per_place = [
            torch.full((len(part),), float(stride), device=device) for part, stride in zip(parts, strides, strict=True)
        ]
        return cls(torch.cat(parts), torch.cat(per_place), tuple(len(part) for part in parts))

    def batch_index(self, image: Tensor, place: Tensor, num_images: int) -> Tensor:
        """Index among the R places of a batch of a place (among S) of an image."""
        sizes = torch.tensor(self.level_sizes, device=place.device)
        ends = sizes.cumsum(0)
        level = torch.bucketize(place, ends, right=True)
        begin = ends[level] - sizes[level]
        return begin * num_images + image * sizes[level] + place - begin


def assign_objects(
    objects: ImageObjects, places: Places, num_images: int, size_ranges: Sequence[tuple[float, float]], radius: float
) -> Assignment:
    """Deals the objects out to the places.

    A place learns an object if it lies in the middle of its outline, and the farthest side of the outline is as far as
    its level is meant for; of several such objects the one with the smallest outline.

    Args:
        objects: Of the batch.
        places: Of one image.
        num_images: P.
        size_ranges: Smallest and largest distance to the farthest side, pixels, for each level.
        radius: Of the square around an outline's centre that learns the object, in strides.
    """
    device = places.locations.device
    ranges = torch.repeat_interleave(
        torch.tensor(size_ranges, dtype=torch.float32, device=device),
        torch.tensor(places.level_sizes, device=device),
        dim=0,
    )
    found = []
    for image in range(num_images):
        own = (objects.images == image).nonzero().squeeze(1)
        if len(own):
            place, index, distances = _assign_image(objects.outlines[own], places, ranges, radius)
            batch_place = places.batch_index(torch.full_like(place, image), place, num_images)
            found.append((batch_place, own[index], places.locations[place], distances))
    if not found:
        nothing = objects.images.new_zeros(0)
        return Assignment(nothing, nothing, places.locations.new_zeros(0, 2), places.locations.new_zeros(0, 4))
    positives = [torch.cat(values) for values in zip(*found, strict=True)]
    order = positives[0].argsort()
    return Assignment(*(values[order] for values in positives))


def _assign_image(outlines: Tensor, places: Places, ranges: Tensor, radius: float) -> tuple[Tensor, Tensor, Tensor]:
    """Positive places (among S), their objects (among these outlines) and the distances to the outlines' sides."""
    locations = places.locations[:, None]
    distances = torch.cat([locations - outlines[:, :2], outlines[:, 2:] - locations], dim=-1)
    centres = (outlines[:, :2] + outlines[:, 2:]) / 2
    reach = radius * places.strides[:, None, None]
    low, high = torch.maximum(centres - reach, outlines[:, :2]), torch.minimum(centres + reach, outlines[:, 2:])
    in_middle = ((locations > low) & (locations < high)).all(-1)
    farthest = distances.amax(-1)
    in_range = (farthest >= ranges[:, :1]) & (farthest <= ranges[:, 1:])
    areas = (outlines[:, 2:] - outlines[:, :2]).prod(-1)
    areas = torch.where(in_middle & in_range, areas, torch.inf)
    smallest, index = areas.min(dim=1)
    place = smallest.isfinite().nonzero().squeeze(1)
    index = index[place]
    return place, index, distances[place, index]
