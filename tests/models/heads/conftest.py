"""Ground truth for the tests of heads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import bev  # noqa: F401  (first: it lets mmdet3d import without mmcv's compiled extension)

# isort: split
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.structures import InstanceData

MakeSample = Callable[[Tensor, Tensor], Det3DDataSample]


@pytest.fixture(scope="session")
def make_sample() -> MakeSample:
    """Makes a sample of boxes (M, 9), bottom centre, and labels (M,)."""

    def make(boxes: Tensor, labels: Tensor) -> Det3DDataSample:
        sample = Det3DDataSample(metainfo={"sample_token": "a-token"})
        boxes_3d = LiDARInstance3DBoxes(boxes, box_dim=boxes.shape[-1])
        sample.gt_instances_3d = InstanceData(bboxes_3d=boxes_3d, labels_3d=labels)
        return sample

    return make


@pytest.fixture(scope="session")
def golden_sample(golden_t1: np.lib.npyio.NpzFile, make_sample: MakeSample) -> Det3DDataSample:
    """The ground truth of the BEVFormer v2 goldens."""
    boxes, labels = (torch.from_numpy(golden_t1[f"in/gt_{name}"]) for name in ("bboxes_bottom_center", "labels"))
    return make_sample(boxes, labels)
