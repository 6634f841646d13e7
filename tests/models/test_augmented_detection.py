"""Test-time augmentation around a detector that is equivariant by construction: it reads dots painted on the ground."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.model import BaseModel
from mmengine.registry import TRANSFORMS
from mmengine.structures import InstanceData
from torch import nn

from bev.datasets.collate import collate_clips
from bev.models.augmented_detection import AugmentedDetection

pytestmark = pytest.mark.usefixtures("registered")
HEIGHT, WIDTH = 160, 240
CAMERAS = {"FRONT_LEFT": 0.6, "FRONT_RIGHT": -0.45}  # yaw of each
CARS = ((6.0, 4.0, 0.3), (8.0, -3.0, -0.8))  # x, y, yaw


def projection(yaw: float) -> np.ndarray:
    """pix_T_bev of a camera 1.5 m above the origin that looks along `yaw`."""
    cam_T_bev = np.eye(4)
    cam_T_bev[:3, :3] = [[np.sin(yaw), -np.cos(yaw), 0.0], [0.0, 0.0, -1.0], [np.cos(yaw), np.sin(yaw), 0.0]]
    cam_T_bev[:3, 3] = -cam_T_bev[:3, :3] @ [0.0, 0.0, 1.5]
    pix_T_cam = np.eye(4)
    pix_T_cam[:3, :3] = [[150.0, 0, 110.0], [0, 150.0, 70.0], [0, 0, 1]]
    return pix_T_cam @ cam_T_bev


def painted(pix_T_bev: np.ndarray, car: tuple[float, float, float]) -> np.ndarray:
    """An image with a blue dot under the front of a car and a red one under its rear."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    columns, rows = np.arange(WIDTH) + 0.5, np.arange(HEIGHT)[:, None] + 0.5
    x, y, yaw = car
    for channel, side in ((0, 1.0), (2, -1.0)):
        u, v, depth = (pix_T_bev @ [x + side * np.cos(yaw), y + side * np.sin(yaw), 0.0, 1.0])[:3]
        blob = np.exp(-((columns - u / depth) ** 2 + (rows - v / depth) ** 2) / 32)
        image[..., channel] = np.rint(250 * blob)
    return image


def make_clip() -> dict[str, Any]:
    cameras = {
        name: {
            "image": painted(projection(yaw), car),
            "path": name,
            "height": HEIGHT,
            "width": WIDTH,
            "decode_scale": 1.0,
            "pix_T_bev": projection(yaw),
            "file_pix_T_bev": projection(yaw),
        }
        for (name, yaw), car in zip(CAMERAS.items(), CARS, strict=True)
    }
    frame = {"time": 0.0, "valid": True, "token": "t", "cameras": cameras, "global_T_bev": np.eye(4)}
    return {
        **{"sample_token": "t", "scene_token": "s", "timestamp": 0.0, "global_T_bev": np.eye(4), "lidar_path": None},
        **{"camera_names": list(CAMERAS), "current": 0, "bev_augmentation": np.eye(4), "frames": [frame]},
    }


class DotReader(BaseModel):
    """Finds the dots of each image on the ground of the bev frame. Its cars are as long as the dots are apart."""

    def forward(self, inputs, data_samples=None, mode: str = "tensor") -> list[Det3DDataSample]:
        for number, sample in enumerate(data_samples):
            clip = inputs.select_samples([number])
            rows, scores = [], []
            for image, pix_T_bev in zip(clip.images[0, 0].double(), clip.pix_T_bev[0, 0].double(), strict=True):
                front, rear = (self.on_ground(image[channel], pix_T_bev) for channel in (0, 2))
                ahead = front - rear
                length = ahead.norm()
                rows.append([*(front + rear) / 2, 0.0, length, length / 2, length / 3, torch.atan2(ahead[1], ahead[0])])
                rows[-1] += (2 * ahead).tolist()
                scores.append(1 / (1 + (front + rear).norm()))
            found = LiDARInstance3DBoxes(torch.tensor(rows, dtype=torch.float64), box_dim=9, origin=(0.5, 0.5, 0.5))
            sample.pred_instances_3d = InstanceData(
                bboxes_3d=found, scores_3d=torch.tensor(scores), labels_3d=torch.zeros(len(rows), dtype=torch.long)
            )
        return data_samples

    @staticmethod
    def on_ground(plane: torch.Tensor, pix_T_bev: torch.Tensor) -> torch.Tensor:
        weights = (plane - 10).clamp(min=0)
        u = (weights.sum(0) * (torch.arange(plane.shape[1]) + 0.5)).sum() / weights.sum()
        v = (weights.sum(1) * (torch.arange(plane.shape[0]) + 0.5)).sum() / weights.sum()
        place = torch.linalg.solve(pix_T_bev[:3, [0, 1, 3]], torch.stack([u, v, torch.ones_like(u)]))
        return place[:2] / place[2]


def detect(transforms: list[list[dict]], **options: Any) -> list[Det3DDataSample]:
    """Of a batch of two equal clips, seen in all combinations of the transforms."""
    views = TRANSFORMS.build({"type": "TestTimeAug", "transforms": [*transforms, [{"type": "PackClip"}]]})
    return AugmentedDetection(DotReader(), **options).test_step(collate_clips([views(make_clip()) for _ in range(2)]))


def mirror(*probabilities: float) -> list[dict]:
    return [{"type": "MirrorScene", "probability": probability} for probability in probabilities]


def check_equal(found: Det3DDataSample, expected: Det3DDataSample) -> None:
    found, expected = found.pred_instances_3d, expected.pred_instances_3d
    np.testing.assert_allclose(found.bboxes_3d.tensor, expected.bboxes_3d.tensor, rtol=0, atol=2e-4)
    np.testing.assert_allclose(found.scores_3d, expected.scores_3d, rtol=1e-4)
    assert found.labels_3d.tolist() == expected.labels_3d.tolist()


def test_the_detector_finds_the_cars() -> None:
    (found, _) = detect([mirror(0.0)])
    boxes = found.pred_instances_3d.bboxes_3d
    order = torch.argsort(boxes.tensor[:, 0])
    np.testing.assert_allclose(boxes.tensor[order][:, [0, 1, 6]], CARS, atol=0.05)
    np.testing.assert_allclose(boxes.tensor[:, 3], 2.0, atol=0.05)


@pytest.mark.parametrize("method", ["wbf", "nms"])
def test_mirrored_and_plain_views_say_the_same(method: str) -> None:
    (plain, _) = detect([mirror(0.0)])
    for probabilities in ((1.0,), (0.0, 1.0)):
        for merged in detect([mirror(*probabilities)], method=method):
            check_equal(merged, plain)
            np.testing.assert_array_equal(merged.metainfo["aug_T_bev"], np.eye(4))
            assert merged.metainfo["sample_token"] == "t"


def test_turned_and_scaled_worlds_come_back() -> None:
    """What is 1.2 times as large has sizes and velocities 1.2 times as large; scores here fall with the distance."""
    (plain, _) = detect([mirror(0.0)])
    turned = dict(type="RandomBEVTransform", rotation_degrees=20.0, scale=(1.2, 1.2), flip_x=0.5, mode="cameras")
    (found, _) = detect([[turned], mirror(1.0)])
    found.pred_instances_3d.scores_3d = plain.pred_instances_3d.scores_3d
    check_equal(found, plain)


def test_resized_views_agree_to_what_the_pixels_allow() -> None:
    sizes = [dict(type="ResizeCropFlipImages", scales=(scale, scale)) for scale in (0.8, 1.0, 1.25)]
    (plain, _) = detect([mirror(0.0)])
    (merged, _) = detect([sizes, mirror(0.0, 1.0)])
    assert len(merged.pred_instances_3d) == 2
    np.testing.assert_allclose(
        merged.pred_instances_3d.bboxes_3d.tensor, plain.pred_instances_3d.bboxes_3d.tensor, atol=0.05
    )


def test_the_best_detections_are_kept() -> None:
    (found, _) = detect([mirror(0.0, 1.0)], max_num=1)
    assert len(found.pred_instances_3d) == 1


def test_models_that_cannot_be_augmented_are_refused() -> None:
    model = DotReader()
    model.video = object()
    with pytest.raises(ValueError, match="video_test_mode remembers one view"):
        AugmentedDetection(model)
    model.video = None
    model.heads = nn.ModuleDict({"occupancy": nn.Identity()})
    model.heads["occupancy"].predicts = "pred_occupancy"
    with pytest.raises(ValueError, match="the model makes pred_occupancy"):
        AugmentedDetection(model)
