from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_openlane import CAMERAS, RELATIONS, lanes, write_openlane

import bev  # noqa: F401  (lets mmdet3d import)

# isort: split
from bev.datasets.collate import collate_clips
from bev.datasets.index_io import IndexFormatError, read_index, write_index
from bev.datasets.openlane_v2.dataset import OpenLaneClipDataset
from bev.datasets.openlane_v2.devkit_format import annotation_of
from bev.datasets.openlane_v2.index_build import build_indexes
from bev.geometry import project
from bev.geometry.can_bus import can_bus_state
from bev.transforms.bev import RandomBEVTransform
from bev.transforms.loading import LoadMultiCameraImages
from bev.transforms.pack import PackClip
from bev.transforms.resize import ResizeCropFlipImages

TRAIN, VAL = "openlane_v2_A_infos_train.pkl", "openlane_v2_A_infos_val.pkl"
LANDSCAPE = dict(size=(64, 96), cameras=("ring_front_center",))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_openlane(tmp_path_factory.mktemp("openlane"))
    build_indexes(root, "A")
    return root


def make(root: Path, *pipeline, index: str = TRAIN, **options) -> OpenLaneClipDataset:
    return OpenLaneClipDataset(index, str(root), pipeline=pipeline, test_mode=True, **options)


def test_samples_are_frames_with_their_topology(root: Path) -> None:
    dataset = make(root)
    assert len(dataset) == 5 and dataset.metainfo["camera_names"] == tuple(CAMERAS["A"])
    clip = dataset.get_data_info(1)
    labels = clip["gt_lanes"]
    np.testing.assert_allclose(labels.lanes[:, ::2], np.array(lanes(1))[:, ::20], atol=1e-5)
    np.testing.assert_array_equal(labels.topology_lclc, RELATIONS[0])
    np.testing.assert_array_equal(labels.topology_lcte, RELATIONS[1])
    assert labels.traffic_attributes.tolist() == [1, 5] and labels.camera == clip["camera_names"][0]
    assert clip["sample_token"].startswith("train/00000/") and "gt_boxes" not in clip


def test_labels_are_copies(root: Path) -> None:
    dataset = make(root)
    dataset.get_data_info(0)["gt_lanes"].lanes[:] = 0
    assert dataset.get_data_info(0)["gt_lanes"].lanes.any()


def test_images_of_different_sizes_become_one_clip(root: Path) -> None:
    sample = make(root, LoadMultiCameraImages(), PackClip())[0]
    clip = sample["inputs"]
    assert clip.images.shape == (1, 7, 3, 96, 96)
    assert clip.image_sizes[0].tolist() == [[96, 64]] + [[64, 96]] * 6
    assert sample["data_samples"].gt_lanes.lanes.shape == (3, 21, 3)
    assert "gt_instances_3d" not in sample["data_samples"]


def test_the_front_image_alone_is_resized(root: Path) -> None:
    """As in the official pipeline, which makes the portrait image as large as the others."""
    plain = make(root, LoadMultiCameraImages(), PackClip())[0]
    resized = make(root, LoadMultiCameraImages(), ResizeCropFlipImages(**LANDSCAPE), PackClip())[0]
    assert resized["inputs"].image_sizes[0].tolist() == [[64, 96]] * 7
    boxes, before = resized["data_samples"].gt_lanes.traffic_boxes, plain["data_samples"].gt_lanes.traffic_boxes
    torch.testing.assert_close(boxes, before * torch.tensor([1.5, 2 / 3, 1.5, 2 / 3]))
    torch.testing.assert_close(resized["inputs"].pix_T_bev[0, 1:], plain["inputs"].pix_T_bev[0, 1:])


def test_boxes_follow_images_that_were_decoded_smaller(root: Path) -> None:
    sample = make(root, LoadMultiCameraImages(min_decode_scale=0.5), PackClip())[0]
    expected = torch.tensor([[5.25, 10, 8.25, 16], [20, 12, 24, 16.5]])
    torch.testing.assert_close(sample["data_samples"].gt_lanes.traffic_boxes, expected)


def test_augmented_lanes_stay_where_they_are_in_the_images(root: Path) -> None:
    """Rotation, scale, flips of the ground, and crop, resize, flip of the image: all have to agree."""
    dataset = make(root)
    plain = LoadMultiCameraImages()(dataset.get_data_info(0))
    before = project(plain["frames"][0]["cameras"]["ring_front_center"]["pix_T_bev"], plain["gt_lanes"].lanes[0])[0]
    clip = LoadMultiCameraImages()(dataset.get_data_info(0))
    clip = ResizeCropFlipImages(crop=(0, 10, 96, 90), heights=[100], flip=1.0)(clip)
    clip = RandomBEVTransform(mode="cameras")(clip)
    camera = clip["frames"][0]["cameras"]["ring_front_center"]
    after, depth = project(camera["pix_T_bev"], clip["gt_lanes"].lanes[0])
    ahead = depth > 1
    # Cropped by 10 rows, then 80 rows become 100, then mirrored.
    expected = np.stack([80 - before[:, 0] * 1.25, (before[:, 1] - 10) * 1.25], axis=-1)
    assert ahead.any()
    np.testing.assert_allclose(after[ahead], expected[ahead], atol=2e-3)
    boxes = np.array([[10.5, 20, 16.5, 32], [40, 24, 48, 33]])
    left, right = 80 - boxes[:, 2] * 1.25, 80 - boxes[:, 0] * 1.25
    expected_boxes = np.stack([left, (boxes[:, 1] - 10) * 1.25, right, (boxes[:, 3] - 10) * 1.25], axis=-1)
    np.testing.assert_allclose(clip["gt_lanes"].traffic_boxes, expected_boxes, atol=1e-4)


def test_a_missing_front_image_has_no_traffic_elements(root: Path) -> None:
    clip = LoadMultiCameraImages()(make(root).get_data_info(0))
    del clip["frames"][0]["cameras"]["ring_front_center"]
    sample = PackClip()(clip)
    lanes_ = sample["data_samples"].gt_lanes
    assert lanes_.traffic_boxes.shape == (0, 4) and lanes_.topology_lcte.shape == (3, 0)
    assert not sample["inputs"].camera_mask[0, 0] and sample["inputs"].camera_mask[0, 1:].all()


def test_the_state_is_that_of_the_official_baseline(root: Path) -> None:
    """Position, quaternion and yaw of the pose; zeros for what is measured."""
    sample = make(root, LoadMultiCameraImages(), PackClip())[1]
    pose = sample["data_samples"].global_T_bev
    np.testing.assert_array_equal(sample["inputs"].can_bus[0], can_bus_state(pose))
    half = np.sqrt(0.5)
    expected = [100, 52, 2, half, 0, 0, half, *[0] * 9, np.pi / 2, 90]
    np.testing.assert_allclose(sample["inputs"].can_bus[0], expected, atol=1e-12)


def test_clips_of_several_frames_move_with_the_vehicle(root: Path) -> None:
    clip = make(root, frame_offsets=(-1, 0)).get_data_info(1)
    previous, current = (frame["cameras"]["ring_front_center"]["pix_T_bev"] for frame in clip["frames"])
    forward = np.eye(4)
    forward[0, 3] = 2.0  # what was 2 m closer half a second ago
    np.testing.assert_allclose(previous, current @ forward, atol=1e-9)
    assert not make(root, frame_offsets=(-1, 0)).get_data_info(3)["frames"][0]["valid"]  # another segment


def test_frames_without_annotation(tmp_path: Path) -> None:
    def strip(frame: dict, identifier: str) -> None:
        frame.pop("annotation") if identifier.startswith("val") else None

    build_indexes(write_openlane(tmp_path, edit=strip), "A")
    sample = make(tmp_path, LoadMultiCameraImages(), PackClip(), index=VAL)[0]["data_samples"]
    assert "gt_lanes" not in sample


def test_frames_without_lanes_or_elements(tmp_path: Path) -> None:
    def empty(frame: dict, identifier: str) -> None:
        names = ("lane_centerline", "traffic_element", "topology_lclc", "topology_lcte")
        frame["annotation"] = {name: [] for name in names}

    build_indexes(write_openlane(tmp_path, edit=empty), "A")
    sample = make(tmp_path, LoadMultiCameraImages(), PackClip())[0]["data_samples"].gt_lanes
    assert sample.lanes.shape[0] == 0 and sample.lanes.shape[2] == 3 and sample.traffic_boxes.shape == (0, 4)
    assert sample.topology_lclc.shape == sample.topology_lcte.shape == (0, 0)


def test_batches_of_samples_with_different_numbers_of_lanes(root: Path) -> None:
    dataset = make(root, LoadMultiCameraImages(), ResizeCropFlipImages(**LANDSCAPE), PackClip())
    batch = collate_clips([dataset[0], dataset[4]])
    assert batch["inputs"].images.shape[:3] == (2, 1, 7) and len(batch["data_samples"]) == 2


def test_another_index_or_order_of_cameras_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="traffic elements are in ring_front_center, so cameras must begin with it"):
        make(root, cameras=("ring_front_left", "ring_front_center"))
    index = read_index(root / TRAIN)
    write_index(tmp_path / "other.pkl", {**index["metainfo"], "dataset": "nuscenes"}, index["data_list"])
    with pytest.raises(IndexFormatError, match="an index of 'nuscenes'"):
        make(tmp_path, index="other.pkl")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lanes", None), ("lanes", np.zeros((2, 3))), ("lanes", []), ("traffic_boxes", np.zeros((1, 3))),
        ("traffic_attributes", np.zeros(99)), ("topology_lclc", np.zeros((99, 99))), ("topology_lcte", "x"),
    ],
)  # fmt: skip
def test_a_topology_of_another_kind_is_named(root: Path, tmp_path: Path, key: str, value: object) -> None:
    index = read_index(root / TRAIN)
    records = index["data_list"]
    records[0]["lane_topology"][key] = value
    write_index(tmp_path / "index.pkl", index["metainfo"], records)
    with pytest.raises(IndexFormatError, match=rf"index\.pkl, token {records[0]['token']}: not what belongs"):
        make(root, index=str(tmp_path / "index.pkl"))
    if key != "traffic_attributes" and not isinstance(value, np.ndarray):
        with pytest.raises(IndexFormatError, match="frame 5: not what belongs"):
            annotation_of(records[0]["lane_topology"], "frame 5")
