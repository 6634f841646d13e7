"""A light perspective head for lanes: which cells of each camera image they pass, and in which direction.

An auxiliary loss only, like `ImagePlaneHead` for boxes: what the BEV map knows of roads it has to read from the image
features, and this head teaches them from the first step what lanes look like.

Shapes: B batch, N cameras, P images (valid cameras of the current frame), C channels, K headings, h, w size of a
feature level, E points of lanes in images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.geometry.curves import CurveCode, headings_of
from bev.models.decoders.dense_proposals import dense_branch
from bev.models.heads.lanes.targets import annotated_lanes
from bev.models.heads.perspective.image_points import project_points, supervised_levels, without_augmentation
from bev.models.losses import PRIOR_LOGIT, FocalLoss, mark_cells, mean_over_ranks
from bev.structures import CameraClip, ImageFeatures

POINTS_PER_LANE = 256  # a lane that passes right under a camera is a few hundred pixels long


@dataclass
class ImageLaneOutputs:
    """What the head says about the images of the current frame.

    Attributes:
        passed: One (P, K, h, w) per level, logits that a lane of this heading passes the cell.
        clip: The clip that the features come from.
    """

    passed: tuple[Tensor, ...]
    clip: CameraClip


@dataclass(frozen=True)
class LanesInImages:
    """Points of lanes that fall inside an image.

    Attributes:
        images: (E,) int64, index among the P images.
        pixels: (E, 2), u and v.
        headings: (E,) int64 in [0, K), from 0 for away from the camera, counterclockwise as seen from above.
    """

    images: Tensor
    pixels: Tensor
    headings: Tensor


@MODELS.register_module()
class ImageLaneHead(nn.Module):
    """Cells that lanes pass, by heading relative to the ray from the camera, by convolutions that all levels share.

    A lane that looks the same in the image has the same heading wherever the camera points. Lanes lie on the road: one
    that something hides is learned, too.

    Args:
        embed_dims: C.
        levels: Feature levels to supervise, 0 the finest; each learns all lanes.
        num_headings: K.
        min_depth: Metres; nearer points are left out.
        weight: Factor of the loss.
    """

    source = "image"
    predicts = None

    def __init__(
        self,
        embed_dims: int,
        levels: Sequence[int] = (0,),
        num_headings: int = 8,
        min_depth: float = 0.5,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.levels, self.num_headings, self.min_depth = tuple(levels), num_headings, min_depth
        self.passed_loss = FocalLoss(weight=weight)
        self.branch = dense_branch(embed_dims, num_headings, bias=PRIOR_LOGIT)

    def forward(self, features: ImageFeatures) -> ImageLaneOutputs:
        """Looks at the valid cameras of the current frame; levels are (B, T, N, C, h, w).

        Raises:
            InputError: There are fewer levels than the head supervises.
        """
        levels = supervised_levels(features, self.levels, type(self).__name__)
        return ImageLaneOutputs(tuple(self.branch(level) for level in levels), features.clip)

    def loss(self, outputs: ImageLaneOutputs, samples: Sequence[Det3DDataSample]) -> dict[str, Tensor]:
        """Focal loss of the cells, per cell that a lane passes, meaned over levels.

        Args:
            outputs: As `forward` gives them.
            samples: B samples with `gt_lanes` in the augmented bev frame (see `bev.models.heads.lanes.targets`).

        Returns:
            `loss_passed`.

        Raises:
            InputError: A sample has no lanes' annotation.
        """
        clip = outputs.clip
        lanes = [truth.lanes.to(clip.device, torch.float32) for _, truth in annotated_lanes(samples)]
        found = lanes_in_images(lanes, clip, self.num_headings, self.min_depth)
        losses = []
        for logits in outputs.passed:
            passed = cells_passed(found, logits.shape, clip.padded_size)
            losses.append(self.passed_loss(logits.float(), passed).sum() / mean_over_ranks(passed.sum()))
        return {"loss_passed": torch.stack(losses).mean()}

    def predict(self, outputs: ImageLaneOutputs, samples: Sequence[Det3DDataSample]) -> None:
        """Nothing: this head only supervises."""


def lanes_in_images(lanes: Sequence[Tensor], clip: CameraClip, num_headings: int, min_depth: float) -> LanesInImages:
    """Projects the lanes of a batch into the valid cameras of the current frame.

    Args:
        lanes: B of (n, points, 3), metres in the augmented bev frame.
        clip: Projections and image sizes.
        num_headings: K.
        min_depth: Metres; nearer points are left out.
    """
    curves = [CurveCode("points", part.shape[1], POINTS_PER_LANE).decode(part.flatten(1)) for part in lanes]
    flat = without_augmentation([curve.flatten(0, 1) for curve in curves], clip)
    curves = [points.view_as(curve) for points, curve in zip(flat, curves, strict=True)]
    middles = [(curve[:, 1:] + curve[:, :-1]).flatten(0, 1) / 2 for curve in curves]
    seen = project_points(middles, clip, min_depth)
    steps = torch.cat([curve.diff(dim=1).flatten(0, 1) for curve in curves])[seen.points]
    cameras = torch.linalg.inv(clip.pix_T_bev[:, clip.current].flatten(0, 1))[:, :3, 3]
    rays = torch.cat(middles)[seen.points] - cameras[seen.cameras]
    along = (rays * steps)[:, :2].sum(-1)
    across = rays[:, 0] * steps[:, 1] - rays[:, 1] * steps[:, 0]
    return LanesInImages(seen.images, seen.pixels, headings_of(torch.stack([along, across], dim=-1), num_headings))


def cells_passed(lanes: LanesInImages, shape: Sequence[int], padded_size: tuple[int, int]) -> Tensor:
    """Which cells of a level (P, K, h, w) lanes pass, bool; `padded_size` is the level's height and width in pixels."""
    images, num_headings, height, width = shape
    stride = lanes.pixels.new_tensor([padded_size[1] / width, padded_size[0] / height])
    maps = lanes.images * num_headings + lanes.headings
    return mark_cells(lanes.pixels / stride, maps, (images * num_headings, height, width)).view(*shape)
