"""From dense perspective outputs to a few objects in the bev frame (BEVFormer v2, arXiv 2211.10439, section 3.4).

Shapes: B batch, P images (valid cameras of the current frame), K classes, D candidates of a sample, M proposals that
are kept of each sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from bev.geometry.boxes import CODE_SIZE, encode_boxes
from bev.models.heads.perspective.assignment import Places
from bev.models.heads.perspective.camera_boxes import BoxDecoder, CameraBoxes
from bev.models.heads.perspective.dd3d_outputs import DD3DOutputs
from bev.models.heads.perspective.objects import image_intrinsics
from bev.structures import CameraClip, Proposals

MIN_SIZE = 0.01  # metres: a decoder may round sizes down to 0, which has no logarithm

@dataclass(frozen=True)
class ProposalOptions:
    """What is proposed.

    Attributes:
        max_num: M.
        score_threshold: Lowest class score, times centredness, of a candidate.
        max_per_image: Most candidates of an image that enter suppression.
        nms_iou: Candidates whose outline overlaps that of a better one of their class by more are dropped.
        merge_distance: Metres on the ground; of candidates of one class that are nearer to each other, which may come
            from two cameras, only the best stays.
    """

    max_num: int = 100
    score_threshold: float = 0.05
    max_per_image: int = 1000
    nms_iou: float = 0.75
    merge_distance: float = 1.0


@dataclass
class _Candidates:
    """Objects in the augmented bev frame.

    Attributes:
        boxes: (D, 9) gravity boxes, metres, metres per second.
        scores: (D,) 3D scores.
        labels: (D,) int64.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


@dataclass
class _Picks:
    """(place, class) pairs of all images that may be objects, image by image, best first.

    Attributes:
        images: (D,) int64.
        places: (D,) int64 among the places of one image.
        chosen: (D,) int64, the same among those of all images.
        labels: (D,) int64.
        scores: (D,) class scores times centredness.
    """

    images: Tensor
    places: Tensor
    chosen: Tensor
    labels: Tensor
    scores: Tensor


@torch.no_grad()
def propose(
    outputs: DD3DOutputs, decoder: BoxDecoder, strides: Sequence[int], options: ProposalOptions
) -> Proposals:
    """The best objects of each sample, without gradient; what two images show of one object is merged.

    Within autocast, too, all is in float32: 16 bits are too few for depths and pixels, and matrices are inverted.
    """
    clip = outputs.clip
    with torch.autocast(clip.device.type, enabled=False):
        owners = clip.current_mask.nonzero()[:, 0].tolist()
        per_sample: list[list[_Candidates]] = [[] for _ in range(clip.batch_size)]
        for b, candidates in zip(owners, _of_images(outputs, decoder, strides, owners, options), strict=True):
            per_sample[b].append(candidates)
        return _pad([_merge(images, options) for images in per_sample], clip, options.max_num)


def _of_images(
    outputs: DD3DOutputs, decoder: BoxDecoder, strides: Sequence[int], owners: list[int], options: ProposalOptions
) -> list[_Candidates]:
    """Candidates of each image, which belongs to the sample in `owners`, after suppression by their outlines."""
    places, (intrinsics, cam_T_bev) = outputs.places(strides), image_intrinsics(outputs.clip)
    picks = _pick(outputs, places, options)
    locations = places.locations[picks.places]
    boxes = outputs.boxes_at(decoder, picks.chosen, picks.labels, locations, intrinsics[picks.images])
    scores = picks.scores * outputs.class_values("confidences", picks.chosen, picks.labels)[:, 0].sigmoid()
    distances = outputs.flat("distances")[picks.chosen]
    outlines = torch.cat([locations - distances[:, :2], locations + distances[:, 2:]], dim=1)
    speeds = outputs.flat("speeds")[picks.chosen, 0]
    found = []
    for image, b in enumerate(owners):
        own = (picks.images == image).nonzero()[:, 0]
        kept = own[batched_nms(outlines[own], scores[own], picks.labels[own], options.nms_iou)]
        bev_T_cam = outputs.clip.bev_augmentation[b].float() @ torch.linalg.inv(cam_T_bev[image])
        found.append(_Candidates(to_bev(boxes[kept], speeds[kept], bev_T_cam), scores[kept], picks.labels[kept]))
    return found


def _pick(outputs: DD3DOutputs, places: Places, options: ProposalOptions) -> _Picks:
    """The best pairs of each image."""
    scores = outputs.flat("logits").sigmoid() * outputs.flat("centredness").sigmoid()
    num_classes, all_places = scores.shape[1], torch.arange(len(places.locations), device=scores.device)
    parts = []
    for image in range(outputs.num_images):
        own = places.batch_index(torch.tensor(image, device=scores.device), all_places, outputs.num_images)
        best, order = scores[own].flatten().topk(min(options.max_per_image, own.numel() * num_classes))
        above = best > options.score_threshold
        best, order = best[above], order[above]
        place = order // num_classes
        parts.append((torch.full_like(place, image), place, own[place], order % num_classes, best))
    return _Picks(*(torch.cat(values) for values in zip(*parts, strict=True)))


def to_bev(boxes: CameraBoxes, speeds: Tensor, bev_T_cam: Tensor) -> Tensor:
    """Gravity boxes (D, 9) in the bev frame, upright, moving the way they face.

    Args:
        boxes: In the frame of one camera.
        speeds: (D,) metres per second.
        bev_T_cam: (4, 4); may scale and mirror.
    """
    linear = bev_T_cam[:3, :3]
    scale = torch.linalg.det(linear).abs() ** (1 / 3)
    centres = boxes.positions() @ linear.T + bev_T_cam[:3, 3]
    heading = boxes.rotations[:, :, 0] @ linear.T
    yaw = torch.atan2(heading[:, 1], heading[:, 0])
    velocity = speeds[:, None] * scale * torch.stack([yaw.cos(), yaw.sin()], dim=1)
    sizes = (boxes.sizes[:, [1, 0, 2]] * scale).clamp(min=MIN_SIZE)
    return torch.cat([centres, sizes, yaw[:, None], velocity], dim=1)


def _merge(images: list[_Candidates], options: ProposalOptions) -> _Candidates:
    """Of candidates of one class that are near each other on the ground the best, best first."""
    boxes, scores, labels = (
        torch.cat([getattr(image, name) for image in images]) for name in ("boxes", "scores", "labels")
    )
    order = scores.argsort(descending=True)
    boxes, scores, labels = boxes[order], scores[order], labels[order]
    ground, kinds = boxes[:, :2].cpu(), labels.cpu()
    kept: list[int] = []
    alive = torch.ones(len(order), dtype=torch.bool)
    for index in range(len(order)):
        if len(kept) == options.max_num:
            break
        if alive[index]:
            kept.append(index)
            near = (ground - ground[index]).norm(dim=1) < options.merge_distance
            alive &= ~(near & (kinds == kinds[index]))
    return _Candidates(boxes[kept], scores[kept], labels[kept])


def _pad(samples: list[_Candidates], clip: CameraClip, max_num: int) -> Proposals:
    codes = torch.zeros(len(samples), max_num, CODE_SIZE, device=clip.device)
    scores = torch.zeros(len(samples), max_num, device=clip.device)
    labels = torch.zeros(len(samples), max_num, dtype=torch.long, device=clip.device)
    valid = torch.zeros(len(samples), max_num, dtype=torch.bool, device=clip.device)
    for b, sample in enumerate(samples):
        count = len(sample.scores)
        codes[b, :count] = encode_boxes(sample.boxes)
        scores[b, :count], labels[b, :count], valid[b, :count] = sample.scores, sample.labels, True
    return Proposals(codes, scores, labels, valid)
