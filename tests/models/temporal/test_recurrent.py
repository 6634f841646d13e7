from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_perceptor import DIMS, GRID, small_clip, small_perceptor, small_samples

from bev.geometry.poses import rotation_z
from bev.models.temporal import RecurrentBEV
from bev.structures import BEVMemory, CameraClip

SQUARE = {"bounds": (-8.0, -8.0, -2.0, 8.0, 8.0, 2.0), "shape": (16, 16)}


def recurrent_perceptor(**overrides):
    return small_perceptor(temporal={"type": "RecurrentBEV", "grid": GRID, "interpolation": "bilinear"}, **overrides)


def moving_clip(batch_size: int = 2, num_frames: int = 3) -> CameraClip:
    clip = small_clip(batch_size, num_frames)
    poses = np.stack(
        [np.stack([drive(0.8 * t, 0.1 * t * (b + 1)) for t in range(num_frames)]) for b in range(batch_size)]
    )
    return replace(clip, global_T_bev=torch.from_numpy(poses))


def drive(way: float, yaw: float) -> np.ndarray:
    pose = rotation_z(yaw)
    pose[0, 3] = 500 + way
    return pose


def frame_at(pose: np.ndarray) -> CameraClip:
    return replace(small_clip(1, 1), global_T_bev=torch.from_numpy(pose)[None, None])


def test_a_landmark_is_found_where_it_is_now() -> None:
    """A map with one bright cell, remembered, turned and read with the shift, is bright at the landmark's new place."""
    module = RecurrentBEV(SQUARE, interpolation="bilinear")
    before, now = drive(0.0, 0.0), drive(2.0, np.pi / 2)
    landmark = np.array([4.5, 3.5, 0.0, 1.0])
    bev_map = torch.zeros(1, 1, 16, 16)
    bev_map[0, 0, 11, 12] = 1.0
    memory = BEVMemory.write(None, bev_map, frame_at(before))
    previous = module(memory, frame_at(now))
    here = (np.linalg.inv(now) @ before @ landmark)[:2]
    place = module.grid.normalise(torch.tensor([*here, 0.0], dtype=torch.double))[:2] + previous.shift[0]
    column, row = (place * 16 - 0.5).tolist()
    assert previous.map[0, 0, round(row), round(column)].item() == pytest.approx(1.0, abs=1e-5)
    assert column == pytest.approx(round(column), abs=1e-5)


def test_a_map_of_16_bits_is_turned_as_precisely_as_one_of_32() -> None:
    module = RecurrentBEV({**SQUARE, "shape": (200, 200)}, interpolation="nearest")
    numbers = torch.arange(200.0).expand(1, 1, 200, 200).contiguous()
    expected = module.turn(numbers, torch.tensor([0.3]))
    assert torch.equal(module.turn(numbers.bfloat16(), torch.tensor([0.3])), expected.bfloat16())


def test_samples_without_a_previous_frame_have_no_shift() -> None:
    module = RecurrentBEV(SQUARE)
    poses = torch.from_numpy(np.stack([drive(0.0, 0.0)] * 2))[:, None]
    first, frame = replace(small_clip(2, 1), global_T_bev=poses), replace(small_clip(2, 1), global_T_bev=poses.clone())
    frame.global_T_bev[:, 0, 0, 3] += 2.0
    memory = BEVMemory.write(None, torch.zeros(2, 1, 16, 16), first)
    memory = replace(memory, valid=torch.tensor([True, False]))
    shift = module(memory, frame).shift
    assert shift[0, 0].abs() == pytest.approx(2.0 / 16.0)
    assert shift[1].tolist() == [0.0, 0.0]


@torch.no_grad()
def test_a_clip_equals_its_frames_one_by_one() -> None:
    perceptor, clip = recurrent_perceptor(), moving_clip()
    whole = perceptor.extract_features(clip)
    memory = None
    for t in range(clip.num_frames):
        single = replace(clip.frame_in_own_bev(t), bev_augmentation=torch.eye(4).repeat(2, 1, 1))
        found = perceptor.extract_features(single, memory=memory)
        memory = found.memory
    torch.testing.assert_close(found.bev.map, whole.bev.map, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_batch_of_two_equals_two_single_runs_where_one_lacks_frames() -> None:
    perceptor, clip = recurrent_perceptor(), moving_clip()
    clip.camera_mask[0, 0] = False
    clip.camera_mask[1, 1] = False
    both = perceptor.extract_features(clip).bev.map
    for b in range(2):
        single = perceptor.extract_features(clip.select_samples([b])).bev.map
        torch.testing.assert_close(single, both[b : b + 1], atol=1e-5, rtol=0)


@torch.no_grad()
def test_history_matters_and_a_still_car_needs_no_shift() -> None:
    perceptor, clip = recurrent_perceptor(), moving_clip()
    alone = perceptor.extract_features(clip.frame(2)).bev.map
    assert (perceptor.extract_features(clip).bev.map - alone).abs().max() > 1e-3
    memory = BEVMemory.write(None, torch.randn(2, DIMS, 6, 8), clip.frame(2))
    previous = perceptor.temporal(memory, clip.frame(2))
    torch.testing.assert_close(previous.map, memory.map, atol=1e-5, rtol=0)
    assert previous.shift.abs().max() < 1e-9


def test_training_reaches_every_parameter_without_gradient_through_history() -> None:
    perceptor = recurrent_perceptor().train()
    losses = perceptor(moving_clip(), small_samples(), mode="loss")
    perceptor.parse_losses(losses)[0].backward()
    assert [name for name, value in perceptor.named_parameters() if value.requires_grad and value.grad is None] == []


@torch.no_grad()
def test_video_test_mode_carries_the_map_within_a_scene() -> None:
    perceptor, clip = recurrent_perceptor(video_test_mode=True), moving_clip(1)
    expected = perceptor.heads["detection"](perceptor.extract_features(clip).bev).logits
    found = []
    perceptor.heads["detection"].register_forward_hook(lambda _, __, output: found.append(output.logits))
    for scene, last in (("a", 3), ("b", 3)):
        for t in range(last):
            samples = small_samples(1)
            samples[0].set_metainfo({"scene_token": scene})
            perceptor(clip.frame_in_own_bev(t), samples, mode="predict")
        torch.testing.assert_close(found[-1], expected, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="one sample at a time, not 2: set batch_size to 1"):
        perceptor(moving_clip(2, 1), small_samples(2), mode="predict")
    with pytest.raises(ValueError, match="needs the scene_token of every sample"):
        perceptor(clip.frame(0), small_samples(1), mode="predict")


def test_refuses_what_it_cannot_do() -> None:
    perceptor, clip = recurrent_perceptor(), moving_clip()
    with pytest.raises(ValueError, match="cannot see future frames"):
        perceptor(replace(clip, current=1))
    with pytest.raises(ValueError, match="has no global_T_bev"):
        perceptor(replace(clip, global_T_bev=None))
    with pytest.raises(ValueError, match="motion is 'pose' or 'can_bus', not 'imu'"):
        RecurrentBEV(GRID, motion="imu")
    with pytest.raises(ValueError, match="interpolation is 'nearest' or 'bilinear', not 'cubic'"):
        RecurrentBEV(GRID, interpolation="cubic")
    with pytest.raises(ValueError, match="needs clips that know where they were"):
        nowhere = replace(clip.frame(0), global_T_bev=None)
        RecurrentBEV(GRID)(BEVMemory.write(None, torch.zeros(2, 1, 6, 8), nowhere), clip.frame(1))
    with pytest.raises(ValueError, match="needs clips with CAN bus values"):
        RecurrentBEV(GRID, motion="can_bus")(
            BEVMemory.write(None, torch.zeros(2, 1, 6, 8), clip.frame(0)), clip.frame(1)
        )
    with pytest.raises(ValueError, match="video_test_mode needs a recurrent model"):
        small_perceptor(video_test_mode=True)
