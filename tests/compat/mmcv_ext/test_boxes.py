from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms, nms, soft_nms
from torch import Tensor


def random_boxes(count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    corners = torch.rand(count, 2, generator=rng) * 40
    sizes = torch.rand(count, 2, generator=rng) * 20 + 1
    return torch.cat([corners, corners + sizes], dim=1), torch.rand(count, generator=rng)


def greedy_nms(boxes: Tensor, scores: Tensor, threshold: float, offset: int) -> list[int]:
    """The definition, one pair at a time."""
    kept: list[int] = []
    for index in scores.argsort(descending=True).tolist():
        if all(overlap(boxes[index], boxes[other], offset) <= threshold for other in kept):
            kept.append(index)
    return kept


def overlap(first: Tensor, second: Tensor, offset: int) -> float:
    def area(box: Tensor) -> float:
        return float((box[2:] - box[:2] + offset).clamp(min=0).prod())

    common = torch.cat([torch.maximum(first[:2], second[:2]), torch.minimum(first[2:], second[2:])])
    return area(common) / (area(first) + area(second) - area(common))


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_nms_keeps_what_the_definition_keeps(threshold: float, offset: int, rng: torch.Generator) -> None:
    boxes, scores = random_boxes(60, rng)
    detections, kept = nms(boxes, scores, threshold, offset=offset)
    assert kept.tolist() == greedy_nms(boxes, scores, threshold, offset)
    torch.testing.assert_close(detections, torch.cat([boxes, scores[:, None]], 1)[kept])


def test_offset_decides_about_touching_boxes() -> None:
    boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 3, 4]])
    scores = torch.tensor([0.9, 0.8])
    # Overlaps: 12 / 16 = 0.75 with offset 0, and 20 / 25 = 0.8 with offset 1.
    assert nms(boxes, scores, 0.77, offset=0)[1].tolist() == [0, 1]
    assert nms(boxes, scores, 0.77, offset=1)[1].tolist() == [0]


def test_nms_filters_by_score_and_count(rng: torch.Generator) -> None:
    boxes, scores = random_boxes(60, rng)
    expected = [index for index in greedy_nms(boxes, scores, 0.5, 0) if scores[index] > 0.3][:5]
    assert nms(boxes, scores, 0.5, score_threshold=0.3, max_num=5)[1].tolist() == expected


def test_nms_takes_numpy_and_half(rng: torch.Generator) -> None:
    boxes, scores = random_boxes(20, rng)
    expected = greedy_nms(boxes, scores, 0.5, 0)
    detections, kept = nms(boxes.numpy(), scores.numpy(), 0.5)
    assert isinstance(detections, np.ndarray)
    assert kept.tolist() == expected
    half_boxes, half_scores = boxes.round().half(), torch.arange(20).half()
    assert nms(half_boxes, half_scores, 0.5)[1].tolist() == greedy_nms(half_boxes.float(), half_scores, 0.5, 0)


def test_nms_of_nothing() -> None:
    detections, kept = nms(torch.zeros(0, 4), torch.zeros(0), 0.5)
    assert detections.shape == (0, 5)
    assert kept.shape == (0,)


@pytest.mark.parametrize("split", [10000, 10], ids=["in one go", "class by class"])
def test_batched_nms_keeps_classes_apart(split: int, rng: torch.Generator) -> None:
    boxes, scores = random_boxes(60, rng)
    labels = torch.randint(0, 3, (60,), generator=rng)
    _, kept = batched_nms(boxes, scores, labels, {"type": "nms", "iou_threshold": 0.3, "split_thr": split})
    expected = []
    for label in range(3):
        members = (labels == label).nonzero().flatten()
        expected += members[greedy_nms(boxes[members], scores[members], 0.3, 0)].tolist()
    assert kept.tolist() == sorted(expected, key=lambda index: -scores[index])


def test_class_agnostic_batched_nms_ignores_classes(rng: torch.Generator) -> None:
    boxes, scores = random_boxes(60, rng)
    config = {"type": "nms", "iou_threshold": 0.3, "class_agnostic": True}
    _, kept = batched_nms(boxes, scores, torch.arange(60), config)
    assert kept.tolist() == greedy_nms(boxes, scores, 0.3, 0)


def one_by_one_soft_nms(boxes: Tensor, scores: Tensor, method: str, offset: int) -> list[tuple[int, float]]:
    """The paper's figure 2 with IoU threshold 0.3, sigma 0.5 and least score 0.05: indices and lowered scores."""
    left, kept = dict(enumerate(scores.tolist())), []
    while left:
        best = max(left, key=lambda index: left[index])
        kept.append((best, left.pop(best)))
        for index in list(left):
            iou = overlap(boxes[best], boxes[index], offset)
            if method == "gaussian":
                left[index] *= math.exp(-(iou**2) / 0.5)
            elif iou >= 0.3:
                left[index] *= 1 - iou if method == "linear" else 0
            if left[index] < 0.05:
                del left[index]
    return kept


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("method", ["naive", "linear", "gaussian"])
def test_soft_nms_lowers_the_scores_that_the_definition_lowers(method: str, offset: int, rng: torch.Generator) -> None:
    boxes, scores = random_boxes(60, rng)
    before = boxes.clone()
    settings = {"iou_threshold": 0.3, "sigma": 0.5, "min_score": 0.05, "method": method, "offset": offset}
    detections, kept = soft_nms(boxes, scores, **settings)
    expected = one_by_one_soft_nms(boxes, scores, method, offset)
    assert kept.tolist() == [index for index, _ in expected]
    torch.testing.assert_close(detections[:, 4], torch.tensor([score for _, score in expected]))
    torch.testing.assert_close(detections[:, :4], before[kept], rtol=0, atol=0)
    torch.testing.assert_close(boxes, before, rtol=0, atol=0)


def test_soft_nms_of_nothing() -> None:
    detections, kept = soft_nms(torch.zeros(0, 4), torch.zeros(0))
    assert detections.shape == (0, 5)
    assert kept.shape == (0,)
