"""BEVFormer v2's perspective head: DD3D's dense 3D detection in each image (arXiv 2211.10439, section 3.2; 2108.06417).

Shapes: B batch, T frames, N cameras, P images (valid cameras of the current frame), C channels, K classes, h, w size of
a feature level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmdet3d.structures import Det3DDataSample
from mmengine.registry import MODELS
from torch import Tensor, nn

from bev.errors import InputError
from bev.models.heads.perspective.assignment import assign_objects
from bev.models.heads.perspective.camera_boxes import BoxDecoder
from bev.models.heads.perspective.dd3d_losses import DD3DLoss, PositivePredictions
from bev.models.heads.perspective.dd3d_outputs import DD3DOutputs
from bev.models.heads.perspective.objects import ImageObjects, Sight, image_intrinsics, objects_in_images
from bev.models.heads.perspective.proposals import ProposalOptions, propose
from bev.models.heads.perspective.towers import LevelTower, level_scalars, predictor
from bev.structures import ImageFeatures, Proposals
from bev.structures.attributes import NUM_ATTRIBUTES


@MODELS.register_module()
class DD3DHead(nn.Module):
    """2D boxes, and for each class a 3D box, at every place of the image features.

    Args:
        num_classes: K.
        canonical_sizes: Width, length, height of each class, metres.
        channels: C.
        strides: Pixels per cell of each level.
        first_level: Feature level that the first stride belongs to.
        mean_depths: Initial predicted depth of each level, metres at the reference focal length.
        std_depths: Initial scale of the depths, which times 0.3 multiplies what a level regresses.
        num_convs: Convolutions of each of the three towers.
        norm_cfg: Norm of the towers, one per level.
        size_ranges: Which distances to an outline's farthest side each level learns, pixels.
        centre_radius: Of the square around an outline's centre that learns the object, in strides.
        loss: Arguments of `DD3DLoss`.
        decoder: Further arguments of `BoxDecoder`.
        sight: Arguments of `Sight`: which objects an image is said to show.
        proposals: Arguments of `ProposalOptions`: what is suggested to a second stage.
    """

    source = "image"
    predicts = None

    def __init__(
        self,
        num_classes: int,
        canonical_sizes: Sequence[Sequence[float]],
        channels: int = 256,
        strides: Sequence[int] = (8, 16, 32, 64, 128),
        first_level: int = 0,
        mean_depths: Sequence[float] = (44.921, 20.252, 11.712, 7.166, 8.548),
        std_depths: Sequence[float] = (24.331, 9.833, 6.223, 4.611, 8.275),
        num_convs: int = 4,
        norm_cfg: Mapping[str, Any] | None = None,
        size_ranges: Sequence[tuple[float, float]] = ((-1, 64), (64, 128), (128, 256), (256, 512), (512, 1e8)),
        centre_radius: float = 1.5,
        loss: Mapping[str, Any] | None = None,
        decoder: Mapping[str, Any] | None = None,
        sight: Mapping[str, Any] | None = None,
        proposals: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        lengths = {len(values) for values in (strides, mean_depths, std_depths, size_ranges)}
        if len(lengths) != 1:
            raise InputError("strides, mean_depths, std_depths and size_ranges need one entry per feature level each")
        if len(canonical_sizes) != num_classes:
            raise InputError(f"canonical_sizes has {len(canonical_sizes)} rows for {num_classes} classes")
        self.num_classes, self.strides, self.first_level = num_classes, tuple(strides), first_level
        self.size_ranges, self.centre_radius = tuple(size_ranges), centre_radius
        self.loss_options, self.sight = DD3DLoss(**(loss or {})), Sight(**(sight or {}))
        self.proposal_options = ProposalOptions(**(proposals or {}))
        self.decoder = BoxDecoder(tuple(map(tuple, canonical_sizes)), **(decoder or {}))
        levels = len(self.strides)
        norm = norm_cfg or {"type": "SyncBN"}
        self.class_tower, self.box2d_tower, self.box3d_tower = (
            LevelTower(channels, levels, num_convs, norm) for _ in range(3)
        )
        self.class_logits = predictor(channels, num_classes)
        self.distances, self.centredness = predictor(channels, 4), predictor(channels, 1)
        self.rotation, self.centre = predictor(channels, 4 * num_classes), predictor(channels, 2 * num_classes)
        self.depth, self.size = predictor(channels, num_classes, bias=False), predictor(channels, 3 * num_classes)
        self.confidence = predictor(channels, num_classes)
        self.attribute_logits, self.speed = predictor(channels, NUM_ATTRIBUTES), predictor(channels, 1)
        self.distance_scales, self.centre_scales = level_scalars(self.strides), level_scalars(self.strides)
        self.size_scales, self.confidence_scales = level_scalars([1.0] * levels), level_scalars([1.0] * levels)
        self.depth_scales = level_scalars([0.3 * value for value in std_depths])
        self.depth_offsets = level_scalars(mean_depths)

    def forward(self, features: ImageFeatures) -> DD3DOutputs:
        """Looks at the valid cameras of the current frame; levels are (B, T, N, C, h, w).

        Raises:
            InputError: There are fewer levels than the head has strides.
        """
        used = features.levels[self.first_level :][: len(self.strides)]
        if len(used) < len(self.strides):
            raise InputError(
                f"DD3DHead looks at {len(self.strides)} feature levels, but got {len(used)}: "
                "set num_outs of the neck, or strides of the head"
            )
        clip = features.clip
        mask = clip.current_mask
        levels = [level[:, clip.current][mask] for level in used]
        outputs = [self.forward_level(level, index) for index, level in enumerate(levels)]
        return DD3DOutputs(**{name: [output[name] for output in outputs] for name in outputs[0]}, clip=clip)

    def forward_level(self, features: Tensor, level: int) -> dict[str, Tensor]:
        """The outputs for one level (P, C, h, w), by name."""
        classes, box2d, box3d = (
            tower(features, level) for tower in (self.class_tower, self.box2d_tower, self.box3d_tower)
        )
        return {
            "logits": self.class_logits(classes),
            "attributes": self.attribute_logits(classes),
            "speeds": F.relu(self.speed(classes)),
            "distances": F.relu(self.distances(box2d) * self.distance_scales[level]),
            "centredness": self.centredness(box2d),
            "quaternions": self.rotation(box3d),
            "centres": self.centre(box3d) * self.centre_scales[level],
            "depths": self.depth(box3d) * self.depth_scales[level] + self.depth_offsets[level],
            "sizes": self.size(box3d) * self.size_scales[level],
            "confidences": self.confidence(box3d) * self.confidence_scales[level],
        }

    def loss(self, outputs: DD3DOutputs, samples: Sequence[Det3DDataSample]) -> dict[str, Tensor]:
        """Losses of 2D boxes, 3D boxes, attributes and speeds.

        Args:
            outputs: As `forward` gives them.
            samples: B samples with `gt_instances_3d` in the augmented bev frame; see `objects_in_images`.

        Returns:
            `loss_cls`, `loss_box2d_reg`, `loss_centerness`, `loss_box3d_quat`, `loss_box3d_proj_ctr`,
            `loss_box3d_depth`, `loss_box3d_size`, `loss_conf3d`, `loss_attr` and `loss_speed`.
        """
        with torch.autocast(outputs.logits[0].device.type, enabled=False):
            objects = objects_in_images(samples, outputs.clip, self.sight)
            return self.losses_of_objects(outputs, objects, image_intrinsics(outputs.clip)[0])

    def losses_of_objects(self, outputs: DD3DOutputs, objects: ImageObjects, intrinsics: Tensor) -> dict[str, Tensor]:
        """As `loss`, for objects found already and images with these intrinsics (P, 3, 3)."""
        places = outputs.places(self.strides)
        assignment = assign_objects(objects, places, outputs.num_images, self.size_ranges, self.centre_radius)
        chosen, labels = assignment.places, objects.labels[assignment.objects]
        images = objects.images[assignment.objects]
        predicted = PositivePredictions(
            distances=outputs.flat("distances")[chosen],
            centredness=outputs.flat("centredness")[chosen, 0],
            boxes=outputs.boxes_at(self.decoder, chosen, labels, assignment.locations, intrinsics[images]),
            confidences=outputs.class_values("confidences", chosen, labels)[:, 0],
            attributes=outputs.flat("attributes")[chosen],
            speeds=outputs.flat("speeds")[chosen, 0],
        )
        return self.loss_options(outputs.flat("logits"), predicted, assignment, objects)

    def propose(self, outputs: DD3DOutputs) -> Proposals:
        """The best objects of each sample in the augmented bev frame, for `HybridQueries`."""
        return propose(outputs, self.decoder, self.strides, self.proposal_options)

    def predict(self, outputs: DD3DOutputs, samples: Sequence[Det3DDataSample]) -> None:
        """Nothing: this head supervises and proposes; the boxes of a sample come from the BEV."""
