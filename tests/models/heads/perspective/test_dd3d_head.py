"""The perspective head on clips: which objects images show, in which pose, and how its losses behave."""

from __future__ import annotations

from dataclasses import replace

import golden_bevformer as reference
import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.structures import InstanceData

from bev.geometry import image_affine, rotation_z, transform_boxes
from bev.models.heads.perspective import DD3DHead
from bev.models.heads.perspective.dd3d_losses import DD3DLoss
from bev.models.heads.perspective.objects import Sight, image_intrinsics, objects_in_images
from bev.structures import CameraClip, ImageFeatures

# bev: x right, y forward, z up; camera: x right, y down, z forward.
CAM_T_BEV = np.array([[1.0, 0, 0, 0.1], [0, 0, -1, 0.2], [0, 1, 0, 0.3], [0, 0, 0, 1]])
K = np.array([[300.0, 0, 220], [0, 310, 120], [0, 0, 1]])
BOXES = torch.tensor([
    [0.5, 12.0, -1.0, 4.0, 2.0, 1.5, 0.3, 1.0, 0.0],
    [-6.0, 20.0, -1.0, 10.0, 3.0, 3.2, 1.5, 0.0, 2.0],
    [3.0, -12.0, -1.0, 4.0, 2.0, 1.5, 0.3, 1.0, 0.0],
])  # fmt: skip


def projection(affine: np.ndarray | None = None) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = K
    return (np.eye(4) if affine is None else affine) @ matrix @ CAM_T_BEV


def clip_of(pix_T_bev: np.ndarray, augmentation: np.ndarray | None = None) -> CameraClip:
    clip = reference.clip_of(torch.zeros(1, 1, 1, 3, 256, 448), torch.from_numpy(pix_T_bev).float()[None, None, None])
    return replace(
        clip, bev_augmentation=torch.from_numpy(np.eye(4) if augmentation is None else augmentation).float()[None]
    )


def sample_of(boxes: torch.Tensor = BOXES, **fields: torch.Tensor) -> Det3DDataSample:
    labels = torch.arange(len(boxes)) % 3
    instances = InstanceData(bboxes_3d=LiDARInstance3DBoxes(boxes, box_dim=9), labels_3d=labels, **fields)
    return Det3DDataSample(gt_instances_3d=instances)


def test_boxes_in_front_are_found_where_they_project() -> None:
    found = objects_in_images([sample_of()], clip_of(projection()), Sight())
    assert found.labels.tolist() == [0, 1]
    assert found.attributes.tolist() == [3, 3]
    assert found.speeds.isnan().all()
    corners = LiDARInstance3DBoxes(BOXES[:2], box_dim=9).corners.numpy()
    image = np.concatenate([corners, np.ones((2, 8, 1))], -1) @ projection().T
    pixels = image[..., :2] / image[..., 2:3]
    expected = np.concatenate([pixels.min(1), pixels.max(1)], -1).clip(0, [448, 256, 448, 256])
    np.testing.assert_allclose(found.outlines.numpy(), expected, atol=1e-3)
    in_camera = np.concatenate([corners, np.ones((2, 8, 1))], -1) @ CAM_T_BEV.T
    ours = found.boxes.corners().numpy()
    for own, true in zip(ours, in_camera[..., :3], strict=True):
        distances = np.linalg.norm(own[:, None] - true[None], axis=-1).min(1)
        assert distances.max() < 1e-4


def test_an_augmented_bev_and_a_flipped_image_show_the_same_boxes() -> None:
    plain = objects_in_images([sample_of()], clip_of(projection()), Sight())
    augmentation = np.diag([-1.03, 1.03, 1.03, 1.0]) @ rotation_z(0.3)
    gravity = BOXES.numpy().astype(np.float64)
    gravity[:, 2] += gravity[:, 5] / 2
    moved = transform_boxes(gravity, augmentation)
    moved[:, 3:6] *= 1.03
    moved[:, 2] -= moved[:, 5] / 2
    augmented = objects_in_images(
        [sample_of(torch.from_numpy(moved).float())], clip_of(projection(), augmentation), Sight()
    )
    torch.testing.assert_close(augmented.boxes.corners().mean(1), plain.boxes.corners().mean(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(augmented.boxes.sizes, plain.boxes.sizes)
    torch.testing.assert_close(augmented.outlines, plain.outlines, atol=1e-2, rtol=0)
    flipped = objects_in_images([sample_of()], clip_of(projection(image_affine(flip_width=448.0))), Sight())
    assert torch.linalg.det(flipped.boxes.rotations).min() > 0.99
    mirrored = plain.outlines[:, [2, 1, 0, 3]] * torch.tensor([-1, 1, -1, 1]) + torch.tensor([448, 0, 448, 0])
    torch.testing.assert_close(flipped.outlines, mirrored, atol=1e-2, rtol=0)
    torch.testing.assert_close(
        flipped.boxes.positions() * torch.tensor([-1, 1, 1]), plain.boxes.positions(), atol=1e-4, rtol=0
    )


def test_boxes_with_few_points_or_mostly_outside_are_left_out() -> None:
    sample = sample_of(num_points=torch.tensor([2, 3, 9]))
    assert objects_in_images([sample], clip_of(projection()), Sight()).labels.tolist() == [1]
    aside = BOXES[:1].clone()
    aside[0, 0] = -9.0
    counts = [
        len(objects_in_images([sample_of(aside)], clip_of(projection()), Sight(share)).labels) for share in (0.0, 0.999)
    ]
    assert counts == [1, 0]


def small_head(**options) -> DD3DHead:
    sizes = ((2.0, 4.0, 1.5),) * 3
    levels = {"strides": (8, 16), "mean_depths": (20.0, 10.0), "std_depths": (10.0, 5.0)}
    ranges = {"size_ranges": ((-1, 80), (80, 1e8))}
    torch.manual_seed(0)
    return DD3DHead(3, sizes, channels=8, num_convs=1, norm_cfg={"type": "BN"}, **{**levels, **ranges, **options})


def features_of(clip: CameraClip, seed: int = 0) -> ImageFeatures:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((32, 56), (16, 28))
    return ImageFeatures(tuple(torch.randn(1, 1, 1, 8, *shape, generator=generator) for shape in shapes), clip)


def test_the_head_learns_an_image_by_heart() -> None:
    clip, head = clip_of(projection()), small_head()
    features = features_of(clip)
    sample = sample_of(attributes=torch.tensor([0, 1, 3]), speeds=torch.tensor([1.0, 2.0, 0.0]))
    optimizer = torch.optim.AdamW(head.parameters(), lr=5e-3)
    totals = []
    for _ in range(60):
        losses = head.loss(head(features), [sample])
        total = sum(losses.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.4 * totals[0]


def test_the_limit_and_the_continuity_of_the_published_loss_are_repaired() -> None:
    far = torch.tensor([0.0499, 0.0501, 30.0])
    assert torch.allclose(DD3DLoss()._smooth_l1(far), torch.tensor([0.0249, 0.0251, 20.0]), atol=1e-4)
    published = DD3DLoss(as_published=True)._smooth_l1(far)
    assert torch.allclose(published, torch.tensor([0.00124, 0.0251, 29.975]), atol=1e-4)


def test_intrinsics_of_resized_and_cropped_images() -> None:
    intrinsics, cam_T_bev = image_intrinsics(clip_of(projection(image_affine((0.5, 0.4), (10, 20)))))
    expected = np.array([[150.0, 0, 100], [0, 124, 28], [0, 0, 1]])
    np.testing.assert_allclose(intrinsics[0].numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(cam_T_bev[0].numpy(), CAM_T_BEV, atol=1e-5)


def test_refuses_options_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="one entry per feature level each"):
        small_head(strides=(8,))
    with pytest.raises(ValueError, match="canonical_sizes has 3 rows for 4 classes"):
        DD3DHead(4, ((1.0, 1.0, 1.0),) * 3)
    clip = clip_of(projection())
    with pytest.raises(ValueError, match="looks at 2 feature levels, but got 1"):
        small_head()(replace(features_of(clip), levels=features_of(clip).levels[:1]))
