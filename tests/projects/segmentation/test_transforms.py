from __future__ import annotations

import numpy as np
import pytest

from projects.segmentation.transforms import MergeLabels


def test_labels_are_replaced_by_those_of_their_groups() -> None:
    labels = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)
    merged = MergeLabels(groups=[(3, 0), (4,)])({"gt_seg_map": labels})["gt_seg_map"]
    assert merged.dtype == np.uint8 and merged.tolist() == [[0, 255, 255], [0, 1, 255]]


@pytest.mark.parametrize("groups", [[(1, 2), (2,)], [(256,)], [(-1,)]])
def test_impossible_groups_are_refused(groups: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="in two groups or don't fit 8 bits"):
        MergeLabels(groups)
