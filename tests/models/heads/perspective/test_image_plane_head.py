from __future__ import annotations

import math

import pytest
import torch
from two_cameras import FORWARD, make_features, projection, two_camera_clip

from bev.models.assigners import SetTarget
from bev.models.heads import ImagePlaneHead
from bev.models.heads.perspective.image_plane_targets import focal_lengths, image_plane_targets, project_centres


def target(*centres: tuple[float, float, float], labels: tuple[int, ...] | None = None) -> SetTarget:
    codes = torch.zeros(len(centres), 10)
    codes[:, [0, 1, 4]] = torch.tensor(centres).view(-1, 3)
    return SetTarget(codes, torch.tensor(labels or (0,) * len(centres), dtype=torch.long))


def test_focal_length_survives_crop_flip_resize_and_pose() -> None:
    yaw = torch.tensor(0.7)
    turn = torch.tensor([[yaw.cos(), -yaw.sin(), 0.0], [yaw.sin(), yaw.cos(), 0.0], [0.0, 0.0, 1.0]])
    matrix = projection(FORWARD @ turn, 40.0, centre=(90.0, -20.0))
    matrix[:3, 3] = torch.tensor([100.0, -7.0, 3.0])
    augmentation = torch.eye(4)
    augmentation[0, 0], augmentation[1, 1], augmentation[0, 2] = -0.5, 0.5, 64.0
    torch.testing.assert_close(focal_lengths(matrix), torch.tensor(40.0))
    torch.testing.assert_close(focal_lengths(augmentation @ matrix), torch.tensor(20.0))


def test_centres_are_projected_into_the_cameras_that_see_them() -> None:
    seen = target((1.0, 8.0, -0.4), (0.0, -10.0, 0.0), (30.0, 1.0, 0.0), (0.0, 0.2, 0.0), labels=(3, 1, 2, 2))
    centres = project_centres([seen], two_camera_clip(), reference_focal_length=80.0, min_depth=0.5)
    assert centres.images.tolist() == [0, 1]
    assert centres.labels.tolist() == [3, 1]
    torch.testing.assert_close(centres.pixels, torch.tensor([[37.0, 18.0], [32.0, 16.0]]))
    # 8 m at half the reference focal length look like 16 m; the second camera has the reference focal length.
    torch.testing.assert_close(centres.log_depths, torch.tensor([math.log(16.0), math.log(10.0)]))


def test_absent_cameras_and_padding_hold_no_centre() -> None:
    clip = two_camera_clip(batch_size=2)
    clip.camera_mask[0, 1, 0] = False
    clip.camera_mask[1, 0] = False  # a frame that is not the current one
    clip.image_sizes[1, 1, 1] = torch.tensor([32, 30])
    both = target((0.0, 8.0, 0.0), (0.0, -8.0, 0.0))
    centres = project_centres([both, both], clip, 80.0, 0.5)
    # Images in order: camera 1 of sample 0, camera 0 of sample 1, camera 1 of sample 1 (valid up to column 30).
    assert centres.images.tolist() == [0, 1]


def test_bev_augmentation_is_undone() -> None:
    clip = two_camera_clip()
    angle = torch.tensor(0.4)
    augmentation = torch.eye(4)
    augmentation[:2, :2] = 1.05 * torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    augmentation[2, 2] = 1.05
    augmentation[0] *= -1
    moved = (augmentation[:3, :3] @ torch.tensor([1.0, 8.0, -0.4])).tolist()
    clip.bev_augmentation[0] = augmentation
    centres = project_centres([target(moved)], clip, 80.0, 0.5)
    torch.testing.assert_close(centres.pixels, torch.tensor([[37.0, 18.0]]))
    torch.testing.assert_close(centres.log_depths, torch.tensor([math.log(16.0)]))


def test_the_nearest_object_of_a_cell_gives_the_depth_and_all_of_them_the_heatmap() -> None:
    objects = target((0.1, 20.0, 0.0), (0.1, 8.0, 0.0), (0.1, 12.0, 0.0), labels=(0, 1, 1))
    centres = project_centres([objects], two_camera_clip(), 40.0, 0.5)
    level = image_plane_targets(centres, num_classes=2, level_shape=(2, 8, 16), stride=(4.0, 4.0), radius=1)
    assert level.heatmap.eq(1).nonzero().tolist() == [[0, 0, 4, 8], [0, 1, 4, 8]]
    assert level.cells.tolist() == [4 * 16 + 8]
    torch.testing.assert_close(level.log_depths, torch.tensor([math.log(8.0)]))


def test_learns_centres_and_depths(make_sample) -> None:
    torch.manual_seed(0)
    clip = two_camera_clip()
    features = make_features(clip)
    boxes = torch.tensor(
        [[1.0, 8.0, -1.0, 4.0, 2.0, 1.5, 0.0, 0.0, 0.0], [-1.0, -12.0, 0.0, 1.0, 1.0, 2.0, 0.0, 0.0, 0.0]]
    )
    samples = [make_sample(boxes, torch.tensor([1, 0]))]
    head = ImagePlaneHead(embed_dims=8, num_classes=2, levels=(0, 1))
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-2)
    first = head.loss(head(features), samples)
    for _ in range(60):
        optimizer.zero_grad()
        losses = head.loss(head(features), samples)
        sum(losses.values()).backward()
        optimizer.step()
    assert losses.keys() == {"loss_centre", "loss_depth"}
    assert losses["loss_centre"] < 0.2 * first["loss_centre"]
    assert losses["loss_depth"] < 0.2 * first["loss_depth"]
    assert head.predict(head(features), samples) is None


def test_only_valid_cameras_of_the_current_frame_count(make_sample) -> None:
    clip = two_camera_clip(batch_size=2)
    clip.camera_mask[0, 1, 1] = False
    head = ImagePlaneHead(embed_dims=8, num_classes=2)
    outputs = head(make_features(clip))
    assert [heatmap.shape for heatmap in outputs.heatmaps] == [(3, 2, 8, 16)]
    nothing = make_sample(torch.zeros(0, 9), torch.zeros(0, dtype=torch.long))
    losses = head.loss(outputs, [nothing, nothing])
    sum(losses.values()).backward()
    assert losses["loss_depth"].item() == 0
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_too_few_levels_are_named() -> None:
    with pytest.raises(ValueError, match=r"supervises the feature levels \(0, 2\), but got only 2"):
        ImagePlaneHead(embed_dims=8, num_classes=2, levels=(0, 2))(make_features(two_camera_clip()))
