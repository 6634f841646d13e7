"""Which files belong to a data set, in either layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_waymo import write_release

from bev.datasets.waymo.index_build import build_indexes
from bev.datasets.waymo.segment_files import WaymoFilesError, find_splits

pytest.importorskip("pyarrow", reason="the Parquet layout needs pyarrow")

from tiny_waymo_parquet import write_parquet_release


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return write_release(tmp_path / "records", {"training": ("a", "b")}, frames=1)


@pytest.fixture
def tables(records: Path, tmp_path: Path) -> Path:
    return write_parquet_release(records, tmp_path / "tables")


def the_file(root: Path, component: str = "camera_image") -> Path:
    return root / "training" / component / "a.parquet"


def test_files_in_folders_and_in_the_root_itself(records: Path, tables: Path) -> None:
    for root, names in (
        (records, ["segment-a_with_camera_labels.tfrecord", "segment-b_with_camera_labels.tfrecord"]),
        (tables, ["camera_image/a.parquet", "camera_image/b.parquet"]),
    ):
        (split,) = find_splits(root).items()
        assert (split[0], [file.name for file in split[1]]) == ("training", [f"training/{name}" for name in names])
        (split,) = find_splits(root / "training").items()
        assert (split[0], [file.name for file in split[1]]) == ("all", names)


def test_a_change_of_any_component_is_seen(tables: Path) -> None:
    def stamps() -> list[str]:
        return [file.stamp for file in find_splits(tables)["training"]]

    before = stamps()
    the_file(tables, "lidar_box").write_bytes(b"another")
    after = stamps()
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_missing_components(tables: Path) -> None:
    the_file(tables, "lidar_box").unlink()
    with pytest.raises(WaymoFilesError, match=r"lidar_box/a\.parquet: missing, though training/camera_image"):
        build_indexes(tables)
    shutil.rmtree(tables / "training" / "vehicle_pose")
    with pytest.raises(WaymoFilesError, match=r"vehicle_pose/a\.parquet: missing"):
        build_indexes(tables)
    with pytest.raises(WaymoFilesError, match="no folder validation with segment files"):
        build_indexes(tables, splits=["validation"])


def test_both_layouts_in_one_folder(records: Path, tables: Path, tmp_path: Path) -> None:
    shutil.copy(records / "training" / "segment-a_with_camera_labels.tfrecord", tables / "training")
    with pytest.raises(WaymoFilesError, match="two layouts, tfrecord and parquet; say with --format"):
        build_indexes(tables)
    (chosen,) = build_indexes(tables, tmp_path, layout="tfrecord")
    assert chosen.segments == 1
    (chosen,) = build_indexes(tables, tmp_path, layout="parquet")
    assert chosen.segments == 2


def test_a_url_that_nobody_understands() -> None:
    with pytest.raises(WaymoFilesError, match="nowhere://bucket: Protocol not known: nowhere"):
        find_splits("nowhere://bucket")
