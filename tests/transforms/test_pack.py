from __future__ import annotations

import pickle

import numpy as np
import torch

from bev.transforms import LoadMultiCameraImages, NormalizeImages, PackClip, PadImages, ResizeCropFlipImages


def test_tensors(make_clip):
    clip = LoadMultiCameraImages()(make_clip(num_frames=2, names=("CAM_FRONT", "CAM_SIDE")))
    item = PackClip()(clip)["inputs"]
    assert item.images.shape == (2, 2, 3, 180, 320)
    assert item.images.dtype == torch.uint8
    assert item.image_sizes.tolist() == [[[180, 320], [121, 203]]] * 2
    assert item.camera_mask.all()
    assert item.current == 1
    torch.testing.assert_close(item.times, torch.tensor([-0.5, 0.0]))
    side = clip["frames"][0]["cameras"]["CAM_SIDE"]
    np.testing.assert_array_equal(item.images[0, 1, :, :121, :203].permute(1, 2, 0).numpy(), side["image"])
    assert item.images[0, 1, :, 121:].max() == 0
    assert item.images[0, 1, :, :, 203:].max() == 0
    np.testing.assert_allclose(item.pix_T_bev[0, 1].numpy(), side["pix_T_bev"], rtol=1e-6)


def test_missing_cameras_and_frames_keep_their_place(make_clip):
    clip = make_clip(num_frames=2)
    del clip["frames"][1]["cameras"]["CAM_FRONT"]
    clip["frames"][0]["valid"] = False
    packed = PackClip()(LoadMultiCameraImages()(clip))
    item = packed["inputs"]
    assert item.camera_mask.tolist() == [[False, False], [False, True]]
    assert item.frame_mask.tolist() == [False, True]
    assert item.images[~item.camera_mask].max() == 0
    assert item.image_sizes[~item.camera_mask].max() == 0
    assert torch.isfinite(item.pix_T_bev).all()
    assert packed["data_samples"].image_paths[0] is None
    assert packed["data_samples"].image_paths[1].endswith("CAM_BACK_1.jpg")


def test_the_data_sample(make_clip):
    clip = make_clip()
    original = clip["frames"][0]["cameras"]["CAM_BACK"]["pix_T_bev"].copy()
    clip = ResizeCropFlipImages(size=(90, 100), flip=1.0)(LoadMultiCameraImages()(clip))
    sample = PackClip()(clip)["data_samples"]
    assert sample.sample_token == "sample0"
    assert sample.camera_names == ["CAM_FRONT", "CAM_BACK"]
    assert sample.lidar_path is None
    np.testing.assert_array_equal(sample.file_pix_T_bev[1], original)
    assert sample.gt_instances_3d.bboxes_3d.tensor.shape == (2, 9)
    assert sample.gt_instances_3d.labels_3d.tolist() == [3, 6]
    assert sample.gt_instances_3d.labels_3d.dtype == torch.int64


def test_padding_and_floats_pass_through(make_clip):
    clip = LoadMultiCameraImages()(make_clip())
    clip = PadImages(divisor=64)(NormalizeImages([10, 20, 30], [2, 2, 2])(clip))
    item = PackClip()(clip)["inputs"]
    assert item.images.shape == (1, 2, 3, 192, 320)
    assert item.images.dtype == torch.float32
    assert item.image_sizes[0, 0].tolist() == [180, 320]
    assert item.images[..., 180:, :].abs().max() == 0


def test_items_travel_between_processes(make_clip):
    item = PackClip()(LoadMultiCameraImages()(make_clip()))
    again = pickle.loads(pickle.dumps(item))
    torch.testing.assert_close(again["inputs"].images, item["inputs"].images)
