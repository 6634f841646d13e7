from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmdet3d.datasets.convert_utils import get_nuscenes_2d_boxes
from tiny_nuscenes import write_tables

from bev.datasets.nuscenes.classes import INDEX_CLASSES
from bev.datasets.nuscenes.index_samples import sample_entry
from bev.datasets.nuscenes.index_tables import open_tables
from bev.datasets.nuscenes.projections import visible_bounds


def test_cameras_see_what_is_in_front_of_them(tmp_path: Path):
    nusc = open_tables(write_tables(tmp_path), "v1.0-mini")
    entry = sample_entry(nusc, nusc.sample[0])
    seen = {
        camera: [INDEX_CLASSES[record["bbox_label"]] for record in records]
        for camera, records in entry["cam_instances"].items()
    }
    assert seen == {"CAM_FRONT": ["car", "pedestrian", "traffic_cone"], "CAM_BACK": ["bicycle"]}
    car = entry["cam_instances"]["CAM_FRONT"][0]
    assert entry["instances"][car["instance_index"]]["instance_token"] == "scene-0103-object0"
    assert car["depth"] == pytest.approx(19.96)
    # It drives away along the optical axis: 6 m/s in z, none in x; its heading is -90 degrees about the y axis.
    np.testing.assert_allclose(car["velocity"], [0, 6], atol=1e-9)
    np.testing.assert_allclose(car["bbox_3d"], [-3, 0.7, 19.96, 4.5, 1.6, 1.9, -np.pi / 2], atol=1e-9)
    left, top, right, bottom = car["bbox"]
    near, far = 19.96 - 2.25, 19.96 + 2.25
    np.testing.assert_allclose([left, right], [800 - 800 * 3.95 / near, 800 - 800 * 2.05 / far], atol=1e-9)
    np.testing.assert_allclose([top, bottom], [450 - 800 * 0.1 / near, 450 + 800 * 1.5 / near], atol=1e-9)


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        ([[10, 10], [30, 10], [30, 50], [10, 50]], [10, 10, 30, 50]),
        ([[-20, 10], [30, 10], [30, 50], [-20, 50]], [0, 10, 30, 50]),
        ([[-20, 10], [-5, 10], [-5, 50]], None),
        ([[10, 10], [30, 10]], None),
        # A triangle whose bounds overlap the image, but which passes its corner.
        ([[-30, 20], [20, -30], [-30, -30]], None),
        # Its lower corner lies outside, so the visible part is narrower than the triangle.
        ([[50, 90], [0, 190], [100, 190]], [45, 90, 55, 100]),
    ],
)
def test_visible_bounds(corners: list, expected: list | None):
    found = visible_bounds(np.array(corners, dtype=float), (100, 100))
    assert found == (None if expected is None else pytest.approx(expected))


def test_real_projections_are_those_of_mmdet3d(shared_data: Path):
    nusc = open_tables(shared_data / "nuscenes-mini-val", "v1.0-mini")
    compared = 0
    for sample in (nusc.sample[0], nusc.sample[60]):
        entry = sample_entry(nusc, sample)
        for camera, records in entry["cam_instances"].items():
            reference = get_nuscenes_2d_boxes(nusc, sample["data"][camera], ["", "1", "2", "3", "4"])
            assert len(records) == len(reference)
            for own, official in zip(records, reference, strict=True):
                assert {key: own[key] for key in ("bbox_label", "bbox_label_3d", "bbox_3d_isvalid", "attr_label")} == {
                    key: official[key] for key in ("bbox_label", "bbox_label_3d", "bbox_3d_isvalid", "attr_label")
                }
                for key, tolerance in (("bbox", 1e-6), ("velocity", 1e-9), ("center_2d", 1e-2), ("depth", 1e-4)):
                    np.testing.assert_allclose(own[key], official[key], atol=tolerance)
                np.testing.assert_allclose(own["bbox_3d"][:6], official["bbox_3d"][:6], atol=1e-9)
                # mmdet3d's yaw is an Euler angle of the tilted box, ours the direction of its heading.
                assert own["bbox_3d"][6] == pytest.approx(official["bbox_3d"][6], abs=0.01)
                compared += 1
    assert compared > 50
