from __future__ import annotations

import torch
from mmengine.registry import FUNCTIONS
from mmengine.structures import BaseDataElement

from bev.datasets.collate import collate_clips
from bev.structures import CameraClip


def make_item(cameras: int, height: int, token: str) -> dict:
    clip = CameraClip(
        images=torch.full((1, cameras, 3, height, 8), 7, dtype=torch.uint8),
        image_sizes=torch.tensor([height, 8]).expand(1, cameras, 2),
        pix_T_bev=torch.eye(4).expand(1, cameras, 4, 4),
        camera_mask=torch.ones(1, cameras, dtype=torch.bool),
        times=torch.zeros(1),
        current=0,
        bev_augmentation=torch.eye(4),
    )
    return {"inputs": clip, "data_samples": BaseDataElement(metainfo={"sample_token": token})}


def test_clips_are_stacked_and_samples_listed():
    batch = collate_clips([make_item(2, 4, "a"), make_item(3, 6, "b")])
    assert batch["inputs"].images.shape == (2, 1, 3, 3, 6, 8)
    assert batch["inputs"].camera_mask.tolist() == [[[True, True, False]], [[True, True, True]]]
    assert [sample.sample_token for sample in batch["data_samples"]] == ["a", "b"]


def test_views_stay_apart():
    items = [
        {key: [one[key], two[key]] for key in one}
        for one, two in ((make_item(2, 4, f"{name}0"), make_item(2, 6, f"{name}1")) for name in "ab")
    ]
    batch = collate_clips(items)
    assert [clip.images.shape for clip in batch["inputs"]] == [(2, 1, 2, 3, 4, 8), (2, 1, 2, 3, 6, 8)]
    assert [[sample.sample_token for sample in view] for view in batch["data_samples"]] == [["a0", "b0"], ["a1", "b1"]]


def test_configs_find_it_by_name():
    assert FUNCTIONS.get("collate_clips") is collate_clips
