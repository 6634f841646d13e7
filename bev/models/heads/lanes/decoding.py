"""From outputs of the lane topology head to lanes and traffic elements.

Shapes: Q lane queries, E traffic element queries, K attributes, n lanes, k traffic elements, P points per lane.
"""

from __future__ import annotations

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor
from torchvision.ops import box_convert

from bev.geometry.curves import CurveCode


def decode_lanes(logits: Tensor, codes: Tensor, code: CurveCode, max_num: int) -> tuple[Tensor, Tensor, Tensor]:
    """The most certain lanes of one sample, best first.

    Args:
        logits: (Q, 1).
        codes: (Q, D), metres.
        code: How the codes describe lanes.
        max_num: Most lanes.

    Returns:
        Points (n, P, 3) in metres, scores (n,) in [0, 1], and their queries (n,) int64.
    """
    scores, queries = logits[:, 0].float().sigmoid().topk(min(max_num, len(logits)))
    return code.decode(codes[queries].float()), scores, queries


def decode_traffic_elements(
    logits: Tensor, boxes: Tensor, image_size: Tensor, file_T_pix: Tensor, max_num: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The most certain traffic elements of one sample, best first; a query has its likeliest attribute.

    Args:
        logits: (E, K).
        boxes: (E, 4) centre x, y, width, height in fractions of the image.
        image_size: (2,) height and width of the image without padding, pixels.
        file_T_pix: (3, 3), homogeneous pixels of the image to those of the image file.
        max_num: Most traffic elements.

    Returns:
        Boxes (k, 4), left, top, right, bottom in pixels of the image file, within the part of it that the image shows;
        attributes (k,) int64; scores (k,) in [0, 1]; their queries (k,) int64.
    """
    best, attributes = logits.float().sigmoid().max(-1)
    scores, queries = best.topk(min(max_num, len(best)))
    corners = box_convert(boxes[queries].float(), "cxcywh", "xyxy").clamp(0, 1)
    corners = corners.view(-1, 2, 2) * image_size.flip(0)
    corners = corners @ file_T_pix[:2, :2].T + file_T_pix[:2, 2]
    # A flip exchanges left and right.
    return torch.cat([corners.amin(1), corners.amax(1)], dim=1), attributes[queries], scores, queries


def file_T_pix(pix_T_bev: Tensor, sample: BaseDataElement, camera: int) -> Tensor:
    """How cropping, resizing and flipping of an image is undone.

    Args:
        pix_T_bev: (4, 4) projection into the image that the model saw.
        sample: Its metainfo `file_pix_T_bev` (N, 4, 4) has the projections into the image files. Without it the image
            counts as the file.
        camera: Index of the camera.

    Returns:
        (3, 3) float32, homogeneous pixels of the image to those of the file.
    """
    projections = sample.metainfo.get("file_pix_T_bev")
    if projections is None:
        return torch.eye(3, device=pix_T_bev.device)
    file_pix_T_bev = torch.as_tensor(projections[camera], dtype=torch.float64, device=pix_T_bev.device)
    # Both project the same rays, so what is between them is the affine map of the pixels.
    return (file_pix_T_bev @ torch.linalg.inv(pix_T_bev.double()))[:3, :3].float()
