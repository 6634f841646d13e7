"""Collation of packed clips into a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.registry import FUNCTIONS

from bev.structures import CameraClip, stack_clips


@FUNCTIONS.register_module()
def collate_clips(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Stack what `PackClip` made of several samples.

    Images are padded to the largest height and width, and cameras to the largest number (`camera_mask` False).

    Args:
        items: `{'inputs': CameraClip without batch axis, 'data_samples': Det3DDataSample}` each; or lists of both, one
            per view, as mmcv's `TestTimeAug` makes them.

    Returns:
        `{'inputs': CameraClip, 'data_samples': list of Det3DDataSample}`; or lists of these, one per view.
    """
    if not isinstance(items[0]["inputs"], CameraClip):
        views = zip(*(zip(item["inputs"], item["data_samples"], strict=True) for item in items), strict=True)
        stacked = [(stack_clips([clip for clip, _ in view]), [sample for _, sample in view]) for view in views]
        return {"inputs": [clip for clip, _ in stacked], "data_samples": [samples for _, samples in stacked]}
    return {
        "inputs": stack_clips([item["inputs"] for item in items]),
        "data_samples": [item["data_samples"] for item in items],
    }
