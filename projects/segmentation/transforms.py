"""Label images of one data set with the classes of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from bev.errors import InputError

NUM_VALUES = 256


@TRANSFORMS.register_module()
class MergeLabels(BaseTransform):
    """Replaces classes by coarser ones in a label image of 8 bits, as mmseg loads it (`gt_seg_map`).

    Args:
        groups: For each new class, the labels that it replaces. All other labels are ignored.
        ignore_index: The label of what is ignored.

    Raises:
        InputError: If a label is in two groups, or is no value of 8 bits.

    Example:
        >>> MergeLabels(groups=[(2, 3), (0,)])(dict(gt_seg_map=np.array([[0, 1, 2, 3]], np.uint8)))["gt_seg_map"]
        array([[  1, 255,   0,   0]], dtype=uint8)
    """

    def __init__(self, groups: Sequence[Sequence[int]], ignore_index: int = 255) -> None:
        labels = [label for group in groups for label in group]
        wrong = [label for label in labels if not 0 <= label < NUM_VALUES or labels.count(label) > 1]
        if wrong:
            raise InputError(f"MergeLabels: labels {sorted(set(wrong))} are in two groups or don't fit 8 bits")
        self.table = np.full(NUM_VALUES, ignore_index, np.uint8)
        for index, group in enumerate(groups):
            self.table[list(group)] = index

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace `gt_seg_map`, (H, W) of 8 bits."""
        results["gt_seg_map"] = self.table[results["gt_seg_map"]]
        return results
