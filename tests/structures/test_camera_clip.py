from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from bev.errors import InputError
from bev.structures import CameraClip, stack_clips


def make_sample(frames: int = 2, cameras: int = 3, height: int = 4, width: int = 6, seed: int = 0) -> CameraClip:
    generator = torch.Generator().manual_seed(seed)
    return CameraClip(
        images=torch.randint(1, 256, (frames, cameras, 3, height, width), generator=generator, dtype=torch.uint8),
        image_sizes=torch.tensor([height, width]).expand(frames, cameras, 2).clone(),
        pix_T_bev=torch.randn(frames, cameras, 4, 4, generator=generator),
        camera_mask=torch.ones(frames, cameras, dtype=torch.bool),
        times=torch.linspace(1 - frames, 0, frames) * 0.5,
        current=frames - 1,
        bev_augmentation=torch.eye(4),
    )


def test_stacking_equal_samples():
    samples = [make_sample(seed=seed) for seed in range(3)]
    batch = stack_clips(samples)
    assert (batch.batch_size, batch.num_frames, batch.num_cameras, batch.padded_size) == (3, 2, 3, (4, 6))
    for b, sample in enumerate(samples):
        torch.testing.assert_close(batch.images[b], sample.images)
        torch.testing.assert_close(batch.pix_T_bev[b], sample.pix_T_bev)
    assert batch.camera_mask.all()


def test_stacking_pads_cameras_and_images():
    small, large = make_sample(cameras=2, height=3, width=8, seed=1), make_sample(cameras=4, height=5, width=6, seed=2)
    batch = stack_clips([small, large])
    assert batch.images.shape == (2, 2, 4, 3, 5, 8)
    torch.testing.assert_close(batch.images[0, :, :2, :, :3, :8], small.images)
    torch.testing.assert_close(batch.images[1, :, :4, :, :5, :6], large.images)
    assert batch.images[0, :, 2:].max() == 0
    assert batch.images[0, :, :, :, 3:].max() == 0
    assert batch.images[1, ..., 6:].max() == 0
    assert batch.camera_mask[0].tolist() == [[True, True, False, False]] * 2
    assert batch.image_sizes[0, 0].tolist() == [[3, 8], [3, 8], [0, 0], [0, 0]]
    torch.testing.assert_close(batch.pix_T_bev[0, :, 2:], torch.eye(4).expand(2, 2, 4, 4))
    torch.testing.assert_close(batch.pix_T_bev[0, :, :2], small.pix_T_bev)


def test_frame_mask_follows_the_cameras():
    sample = make_sample()
    sample.camera_mask[0] = False
    sample.camera_mask[1, 1:] = False
    batch = stack_clips([sample])
    assert batch.frame_mask.tolist() == [[False, True]]
    assert batch.current_mask.tolist() == [[True, False, False]]


@pytest.mark.parametrize("indices", [[2, 0], torch.tensor([2, 0]), slice(1, None)])
def test_selecting_samples(indices):
    samples = [make_sample(seed=seed) for seed in range(3)]
    picked = stack_clips(samples).select_samples(indices)
    expected = stack_clips([samples[2], samples[0]] if not isinstance(indices, slice) else samples[1:])
    torch.testing.assert_close(picked.images, expected.images)
    torch.testing.assert_close(picked.times, expected.times)
    assert picked.current == expected.current


def test_the_way_back_from_the_augmented_frame():
    batch = stack_clips([make_sample(seed=0), make_sample(seed=1)])
    augmentation = torch.diag(torch.tensor([-1.1, 1.1, 1.1, 1.0])).expand(2, 4, 4).clone()
    augmentation[1] = torch.eye(4)
    batch = replace(batch, bev_augmentation=augmentation)
    torch.testing.assert_close(batch.bev_T_aug @ augmentation, torch.eye(4).expand(2, 4, 4))
    assert batch.bev_T_aug[0, 0, 0].item() == pytest.approx(-1 / 1.1)


def test_moving_makes_a_new_clip():
    batch = stack_clips([make_sample()])
    moved = batch.to("meta")
    assert moved.device.type == "meta"
    assert moved.bev_augmentation.device.type == "meta"
    assert batch.device.type == "cpu"
    assert copy.deepcopy(batch).current == batch.current


def test_disagreeing_shapes_are_named():
    sample = make_sample()
    with pytest.raises(ValueError, match=r"camera_mask has shape \(2, 2\)"):
        replace(sample, camera_mask=torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="current is 2"):
        replace(sample, current=2)


def test_samples_of_different_length_are_refused():
    with pytest.raises(ValueError, match="same frames"):
        stack_clips([make_sample(frames=2), make_sample(frames=3)])
    with pytest.raises(ValueError, match="no sample"):
        stack_clips([])


def test_what_only_some_samples_have_is_refused():
    known = replace(make_sample(), global_T_bev=torch.eye(4).expand(2, 4, 4))
    with pytest.raises(InputError, match="some clips of the batch have global_T_bev and some have not"):
        stack_clips([known, replace(known, global_T_bev=None)])
