from __future__ import annotations

import random

import pytest
import torch
from mmengine.structures import BaseDataElement

from bev.models.preprocessor import ClipPreprocessor
from bev.structures import CameraClip, stack_clips

MEAN, STD = [103.53, 116.28, 123.675], [57.375, 57.12, 58.395]


def make_sample(frames: int = 2, cameras: int = 2, height: int = 30, width: int = 50) -> CameraClip:
    return CameraClip(
        images=torch.randint(1, 256, (frames, cameras, 3, height, width), dtype=torch.uint8),
        image_sizes=torch.tensor([height, width]).expand(frames, cameras, 2).clone(),
        pix_T_bev=torch.eye(4).expand(frames, cameras, 4, 4).clone(),
        camera_mask=torch.ones(frames, cameras, dtype=torch.bool),
        times=torch.zeros(frames),
        current=frames - 1,
        bev_augmentation=torch.eye(4),
    )


def prepare(samples: list[CameraClip], training: bool = False, **arguments) -> CameraClip:
    return ClipPreprocessor(**arguments)({"inputs": stack_clips(samples)}, training)["inputs"]


@pytest.mark.parametrize("to_rgb", [False, True])
def test_normalisation(to_rgb):
    sample = make_sample(height=32, width=64)
    images = prepare([sample], mean=MEAN, std=STD, to_rgb=to_rgb).images
    source = sample.images.flip(2) if to_rgb else sample.images
    expected = (source.double() - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    assert images.dtype == torch.float32
    torch.testing.assert_close(images[0].double(), expected, rtol=0, atol=1e-5)


def test_different_cameras_and_sizes_in_a_batch():
    """Every sample comes out as if it were alone; all the rest is zero."""
    small, large = make_sample(cameras=1, height=20, width=61), make_sample(cameras=3, height=40, width=33)
    large.image_sizes[0, 2] = torch.tensor([10, 12])
    large.camera_mask[1, 1] = False
    batch = prepare([small, large], mean=MEAN, std=STD, pad_divisor=16)
    assert batch.images.shape == (2, 2, 3, 3, 48, 64)
    alone = prepare([small], mean=MEAN, std=STD, pad_divisor=16)
    torch.testing.assert_close(batch.images[0, :, 0, :, :20, :61], alone.images[0, :, 0, :, :20, :61])
    for b, t, n in torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(3)).tolist():
        height, width = batch.image_sizes[b, t, n].tolist() if batch.camera_mask[b, t, n] else (0, 0)
        image = batch.images[b, t, n]
        assert (image[:, :height, :width] != 0).all()
        assert image[:, height:].abs().sum() == 0
        assert image[:, :, width:].abs().sum() == 0


def test_padding_divisor_and_sizes():
    batch = prepare([make_sample()], pad_divisor=32)
    assert batch.padded_size == (32, 64)
    assert batch.image_sizes[0, 0, 0].tolist() == [30, 50]
    assert prepare([make_sample(height=32, width=64)], pad_divisor=32).padded_size == (32, 64)


def test_floats_without_mean_pass_unchanged():
    sample = make_sample(height=32, width=32)
    sample.images = torch.randn(2, 2, 3, 32, 32)
    torch.testing.assert_close(prepare([sample]).images[0], sample.images)


def _blanked(batch: CameraClip) -> torch.Tensor:
    """(B, T, N, H, W)."""
    return (batch.images == 0).all(dim=3)


@pytest.mark.parametrize("mask_history", [False, True])
def test_grid_mask_in_training(mask_history):
    random.seed(0)
    samples = [make_sample(height=64, width=96) for _ in range(3)]
    arguments = {"grid_mask": {"ratio": 0.5, "probability": 1.0}, "mask_history": mask_history}
    blanked = _blanked(prepare(samples, training=True, **arguments))
    assert blanked[:, 1].flatten(1).any(1).all()
    assert blanked[:, 0].flatten(1).any(1).all() == mask_history
    torch.testing.assert_close(blanked[:, 1, 0], blanked[:, 1, 1])
    assert (blanked[0, 1] != blanked[1, 1]).any() or (blanked[0, 1] != blanked[2, 1]).any()
    assert not _blanked(prepare(samples, training=False, **arguments)).any()


def test_uncollated_samples_and_data_samples():
    samples, truths = [make_sample(), make_sample(cameras=3)], [BaseDataElement(), BaseDataElement()]
    prepared = ClipPreprocessor()({"inputs": samples, "data_samples": truths})
    assert prepared["inputs"].camera_mask.shape == (2, 2, 3)
    assert len(prepared["data_samples"]) == 2
    assert ClipPreprocessor()({"inputs": stack_clips(samples)})["data_samples"] is None


def test_everything_moves_to_the_models_device():
    preprocessor = ClipPreprocessor(mean=MEAN, std=STD).to("meta")
    prepared = preprocessor({"inputs": stack_clips([make_sample()]), "data_samples": [BaseDataElement()]})
    assert prepared["inputs"].images.device.type == "meta"
    assert prepared["inputs"].pix_T_bev.device.type == "meta"


def test_nothing_enters_checkpoints():
    assert not ClipPreprocessor(mean=MEAN, std=STD).state_dict()


@pytest.mark.parametrize("arguments", [{"mean": MEAN}, {"mean": MEAN, "std": [1, 0, 1]}, {"pad_divisor": 0}])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=list(arguments)[-1]):
        ClipPreprocessor(**arguments)


def test_mirrored_samples_are_marked_and_only_in_training():
    random.seed(0)
    samples = [make_sample() for _ in range(8)]
    plain, mirrored = prepare(samples, training=True), prepare(samples, training=True, mirror=0.5)
    assert plain.mirrored is None and prepare(samples, mirror=1.0).mirrored is None
    assert 0 < mirrored.mirrored.sum() < 8
    for b, chosen in enumerate(mirrored.mirrored):
        assert torch.equal(mirrored.images[b], plain.images[b].flip(-1) if chosen else plain.images[b])
    assert torch.equal(mirrored.pix_T_bev, plain.pix_T_bev)
    assert mirrored.select_samples([3]).mirrored.shape == (1,)


def test_a_probability_to_mirror_is_one():
    with pytest.raises(ValueError, match=r"mirror is a probability, not 1\.5"):
        ClipPreprocessor(mirror=1.5)
