"""A light perspective head: object centres and their depth in each camera image.

An auxiliary loss only. BEV queries reach the image features through attention that has yet to learn where to look; this
head tells the features directly what they show and how far away it is, which ends the plateau at the start of training.

Shapes: B batch, T frames, N cameras, P images (valid cameras of the current frame), C channels, K classes, h, w size of
a feature level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.models.heads.detection_targets import detection_targets
from bev.models.heads.perspective.image_plane_targets import ProjectedCentres, image_plane_targets, project_centres
from bev.models.heads.perspective.image_points import supervised_levels
from bev.models.losses import PRIOR_LOGIT, gaussian_focal_loss, mean_over_ranks
from bev.structures import CameraClip, ImageFeatures

TYPICAL_DEPTH = 20.0  # metres, at the reference focal length


@dataclass
class ImagePlaneOutputs:
    """What the head says about the images of the current frame.

    Attributes:
        heatmaps: One (P, K, h, w) per level, class logits.
        log_depths: One (P, h, w) per level: log of the depth in metres, scaled to the reference focal length.
        clip: The clip that the features come from.
    """

    heatmaps: tuple[Tensor, ...]
    log_depths: tuple[Tensor, ...]
    clip: CameraClip


@MODELS.register_module()
class ImagePlaneHead(nn.Module):
    """Class centres and log depth, by convolutions that all levels share.

    Args:
        embed_dims: C.
        num_classes: K.
        levels: Feature levels to supervise, 0 the finest; each learns all objects.
        gaussian_radius: Of the heatmap's targets, in cells.
        reference_focal_length: Pixels; depth is learned for this focal length (as in DD3D, arXiv 2108.06417).
        min_depth: Metres; nearer objects are left out.
        heatmap_weight: Factor of the heatmap's loss.
        depth_weight: Factor of the depth loss.
    """

    source = "image"
    predicts = None

    def __init__(
        self,
        embed_dims: int,
        num_classes: int,
        levels: Sequence[int] = (0,),
        gaussian_radius: int = 1,
        reference_focal_length: float = 500.0,
        min_depth: float = 0.5,
        heatmap_weight: float = 1.0,
        depth_weight: float = 0.5,
    ) -> None:
        super().__init__()
        self.num_classes, self.levels, self.gaussian_radius = num_classes, tuple(levels), gaussian_radius
        self.reference_focal_length, self.min_depth = reference_focal_length, min_depth
        self.heatmap_weight, self.depth_weight = heatmap_weight, depth_weight
        self.tower = nn.Sequential(
            nn.Conv2d(embed_dims, embed_dims, kernel_size=3, padding=1),
            nn.GroupNorm(math.gcd(embed_dims, 8), embed_dims),
            nn.ReLU(inplace=True),
        )
        self.output = nn.Conv2d(embed_dims, num_classes + 1, kernel_size=1)
        nn.init.normal_(self.output.weight, std=0.01)
        self.output.bias = nn.Parameter(torch.tensor([PRIOR_LOGIT] * num_classes + [math.log(TYPICAL_DEPTH)]))

    def forward(self, features: ImageFeatures) -> ImagePlaneOutputs:
        """Looks at the valid cameras of the current frame; levels are (B, T, N, C, h, w).

        Raises:
            InputError: There are fewer levels than the head supervises.
        """
        levels = supervised_levels(features, self.levels, type(self).__name__)
        outputs = [self.output(self.tower(level)) for level in levels]
        heatmaps = tuple(output[:, :-1] for output in outputs)
        return ImagePlaneOutputs(heatmaps, tuple(output[:, -1] for output in outputs), features.clip)

    def loss(self, outputs: ImagePlaneOutputs, samples: Sequence[Det3DDataSample]) -> dict[str, Tensor]:
        """Gaussian focal loss of the centres and L1 loss of the log depth, per centre, meaned over levels.

        Args:
            outputs: As `forward` gives them.
            samples: B samples with `gt_instances_3d` in the augmented bev frame.

        Returns:
            `loss_centre` and `loss_depth`.
        """
        clip = outputs.clip
        targets = detection_targets(samples, self.num_classes, clip.device)
        centres = project_centres(targets, clip, self.reference_focal_length, self.min_depth)
        levels = [
            self._level_losses(heatmap.float(), log_depth.float(), centres, clip.padded_size)
            for heatmap, log_depth in zip(outputs.heatmaps, outputs.log_depths, strict=True)
        ]
        centre, depth = (torch.stack(values).mean() for values in zip(*levels, strict=True))
        return {"loss_centre": self.heatmap_weight * centre, "loss_depth": self.depth_weight * depth}

    def predict(self, outputs: ImagePlaneOutputs, samples: Sequence[Det3DDataSample]) -> None:
        """Nothing: this head only supervises."""

    def _level_losses(
        self, heatmap: Tensor, log_depth: Tensor, centres: ProjectedCentres, padded_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        images, height, width = log_depth.shape
        stride = (padded_size[1] / width, padded_size[0] / height)
        target = image_plane_targets(centres, self.num_classes, (images, height, width), stride, self.gaussian_radius)
        centre_loss = gaussian_focal_loss(heatmap, target.heatmap).sum()
        depth_loss = (log_depth.flatten()[target.cells] - target.log_depths).abs().sum()
        num_centres = mean_over_ranks(len(centres.labels), heatmap.device)
        return centre_loss / num_centres, depth_loss / mean_over_ranks(len(target.cells), heatmap.device)
