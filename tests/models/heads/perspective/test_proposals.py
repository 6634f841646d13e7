"""Proposals of two cameras: once per batch, in float32, and the same as by comparing all candidates."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from test_dd3d_head import small_head
from two_cameras import make_features, two_camera_clip

from bev.models.heads.perspective import DD3DHead
from bev.models.heads.perspective.dd3d_outputs import DD3DOutputs
from bev.models.heads.perspective.proposals import ProposalOptions, _Candidates, _merge, propose

EVERYTHING = ProposalOptions(max_num=20, score_threshold=0.0)


def outputs_of_two_cameras(**options) -> tuple[DD3DHead, DD3DOutputs]:
    head, features = small_head(strides=(4, 8), **options), make_features(two_camera_clip(batch_size=2))
    features.clip.camera_mask[1, 1, 0] = False
    return head, head(features)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing(dtype: torch.dtype) -> None:
    head, outputs = outputs_of_two_cameras()
    expected = propose(outputs, head.decoder, head.strides, EVERYTHING)
    with torch.autocast("cpu", dtype):
        found = propose(outputs, head.decoder, head.strides, EVERYTHING)
    assert (expected.valid.sum(1) > 5).all()
    assert all(torch.equal(*values) for values in zip(vars(found).values(), vars(expected).values(), strict=True))


def test_outputs_are_rearranged_once_for_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    head, outputs = outputs_of_two_cameras()
    calls, flat = Counter(), DD3DOutputs.flat
    monkeypatch.setattr(DD3DOutputs, "flat", lambda self, name: calls.update([name]) or flat(self, name))
    propose(outputs, head.decoder, head.strides, EVERYTHING)
    assert set(calls.values()) == {1}


@pytest.mark.parametrize("max_num", [0, 7, 1000])
def test_of_candidates_near_each_other_the_best_stays(max_num: int) -> None:
    generator = torch.Generator().manual_seed(0)
    parts = []
    for count in (60, 40, 0):
        boxes = 4 * torch.randn(count, 9, generator=generator)
        scores = torch.rand(count, generator=generator)
        parts.append(_Candidates(boxes, scores, torch.randint(0, 3, (count,), generator=generator)))
    found = _merge(parts, ProposalOptions(max_num=max_num, merge_distance=2.0))
    boxes, scores, labels = (torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0]))
    kept: list[int] = []
    for i in scores.argsort(descending=True).tolist():
        if all(labels[i] != labels[k] or (boxes[i, :2] - boxes[k, :2]).norm() >= 2.0 for k in kept):
            kept.append(i)
    assert 10 < len(kept) < 100
    for value, everything in zip(vars(found).values(), (boxes, scores, labels), strict=True):
        assert torch.equal(value, everything[kept[:max_num]])
