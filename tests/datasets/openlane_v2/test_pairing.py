from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_openlane import write_openlane

from bev.datasets.index_io import IndexFormatError, read_index
from bev.datasets.openlane_v2.index_build import build_indexes
from bev.datasets.openlane_v2.pairing import LanePairingError, lanes_of_samples
from bev.geometry import rotation_z


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_indexes(write_openlane(tmp_path_factory.mktemp("openlane"), "B"), "B")[0].path


def sample(record: dict, ego_T_sample: np.ndarray) -> dict:
    """What a nuScenes index has of a sample whose vehicle frame is another than that of the front image."""
    image = {"timestamp": record["timestamp"]}
    return {"token": "sample", "images": {"CAM_FRONT": image}, "ego2global": record["ego2global"] @ ego_T_sample}


def test_lanes_come_into_the_frame_of_the_sample(index: Path) -> None:
    records = read_index(index)["data_list"]
    moved = rotation_z(0.1)
    moved[:3, 3] = 3, -1, 0.2
    table = lanes_of_samples(index, [sample(records[3], np.eye(4)), sample(records[1], moved)])
    same, other = table.labels(0), table.labels(1)
    np.testing.assert_allclose(same.lanes, records[3]["lane_topology"]["lanes"], atol=1e-5)
    np.testing.assert_allclose(other.transformed(moved).lanes, records[1]["lane_topology"]["lanes"], atol=1e-5)
    np.testing.assert_array_equal(other.topology_lcte, records[1]["lane_topology"]["topology_lcte"])
    assert other.camera == "CAM_FRONT"


def test_samples_without_lanes_are_named(index: Path) -> None:
    record = read_index(index)["data_list"][0]
    late = sample({**record, "timestamp": record["timestamp"] + 0.001}, np.eye(4))
    with pytest.raises(LanePairingError, match="no lanes for 1 of 2 samples, such as sample; frames are found by"):
        lanes_of_samples(index, [sample(record, np.eye(4)), late])


def test_subset_a_has_other_samples(tmp_path: Path) -> None:
    index = build_indexes(write_openlane(tmp_path), "A")[0].path
    with pytest.raises(IndexFormatError, match="not an index of OpenLane-V2's subset B"):
        lanes_of_samples(index, [])
