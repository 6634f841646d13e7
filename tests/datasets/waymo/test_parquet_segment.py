"""The same segments read from records and from Parquet files: equal indexes, equal samples, and what can go wrong."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import fsspec
import google_crc32c
import numpy as np
import pytest
from tiny_waymo import START, write_release

import bev  # noqa: F401  (lets mmdet3d import)
from bev.datasets.image_files import ImageReadError
from bev.datasets.parquet_files import ParquetError
from bev.datasets.waymo.dataset import WaymoClipDataset
from bev.datasets.waymo.index_build import build_indexes, read_segments
from bev.datasets.waymo.segment import Segment, SegmentError
from bev.geometry import CalibrationError

pyarrow = pytest.importorskip("pyarrow", reason="the Parquet layout needs pyarrow")

from tiny_waymo_parquet import TRANSFORM, write_component, write_parquet_release  # noqa: E402

PIPELINE = [dict(type="LoadMultiCameraImages"), dict(type="UndistortImages"), dict(type="PackClip")]
INDEX = "waymo_infos_training.pkl"
# Where the data lies differs; the Parquet layout has no no-label zones.
PLACES = {"path", "image_offsets", "image_rows"}
ZONES = {"first_zone", "first_corner", "corners"}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_release(tmp_path_factory.mktemp("records"), {"training": ("a", "b")}, frames=3)
    build_indexes(root)
    return root


@pytest.fixture
def tables(records: Path, tmp_path: Path) -> Path:
    return write_parquet_release(records, tmp_path / "tables")


def the_file(root: Path, component: str = "camera_image") -> Path:
    return root / "training" / component / "a.parquet"


def dataset_of(root: Path, **options) -> WaymoClipDataset:
    return WaymoClipDataset(**{"ann_file": INDEX, "data_root": str(root), "pipeline": PIPELINE, **options})


def assert_equal_segments(first: Segment, second: Segment) -> None:
    for field in dataclasses.fields(Segment):
        if field.name not in PLACES | ZONES:
            values, others = getattr(first, field.name), getattr(second, field.name)
            np.testing.assert_array_equal(values, others, err_msg=field.name)
            assert getattr(values, "dtype", None) == getattr(others, "dtype", None), field.name


def assert_equal_samples(first: WaymoClipDataset, second: WaymoClipDataset) -> None:
    assert len(first) == len(second)
    for number in (0, len(first) - 1):
        a, b = first[number], second[number]
        assert (a["inputs"].images == b["inputs"].images).all()
        assert (a["inputs"].pix_T_bev == b["inputs"].pix_T_bev).all()
        labels = [sample["data_samples"].gt_instances_3d for sample in (a, b)]
        assert (labels[0].bboxes_3d.tensor == labels[1].bboxes_3d.tensor).all()
        assert (labels[0].labels_3d == labels[1].labels_3d).all()


# Plain pages, a page of distinct values, or pages that only pyarrow can unpack.
@pytest.mark.parametrize(
    ("options", "packed"),
    [({"use_dictionary": False}, False), ({}, False), ({"compression": "snappy"}, True)],
    ids=["plain", "dictionary", "snappy"],
)
def test_equal_to_records(records: Path, tmp_path: Path, options: dict, packed: bool) -> None:
    tables = write_parquet_release(records, tmp_path / "tables", **options)
    (summary,) = build_indexes(tables)
    assert (summary.segments, summary.frames, summary.objects) == (2, 6, 30)
    for read, expected in zip(read_segments(tables / INDEX), read_segments(records / INDEX), strict=True):
        assert_equal_segments(read, expected)
        assert read.path == f"training/camera_image/{read.name}.parquet"
        assert (read.image_offsets == -1).all() == packed
        assert read.image_rows[:, 1].tolist() == [[0, 3], [1, 0], [1, 1]]  # row groups of 4, by camera and time
    assert_equal_samples(dataset_of(tables), dataset_of(records))


def test_images_lie_in_the_files_as_they_are(tables: Path) -> None:
    """Not compressed, a JPEG is read like a part of any file: pyarrow isn't asked."""
    build_indexes(tables)
    (segment, _) = read_segments(tables / INDEX)
    data = the_file(tables).read_bytes()
    for offset, length in zip(segment.image_offsets.ravel(), segment.image_lengths.ravel(), strict=True):
        assert data[offset : offset + 3] == b"\xff\xd8\xff"
        assert data[offset + length - 2 : offset + length] == b"\xff\xd9"


def test_identical_images_may_be_stored_once(records: Path, tmp_path: Path) -> None:
    def repeat(frame) -> None:
        for image in frame.images[1:3]:
            image.image = frame.images[0].image

    same = write_release(tmp_path / "records", {"training": ("a",)}, frames=2, edit=repeat)
    tables = write_parquet_release(same, tmp_path / "tables", group_rows=100)
    build_indexes(tables)
    (segment,) = read_segments(tables / INDEX)
    assert (segment.image_offsets > 0).all()
    assert len(np.unique(segment.image_offsets)) == 6
    build_indexes(same)
    assert_equal_samples(dataset_of(tables), dataset_of(same))


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_object_stores(records: Path, tmp_path: Path, compression: str) -> None:
    tables = write_parquet_release(records, tmp_path / "tables", compression=compression)
    store = f"tables-{compression}"
    fsspec.filesystem("memory").put(str(tables / "training"), f"/{store}/training", recursive=True)
    build_indexes(f"memory://{store}", tmp_path)
    remote = dataset_of(tables, ann_file=str(tmp_path / INDEX), data_root=f"memory://{store}")
    assert_equal_samples(remote, dataset_of(records))


def test_names_and_narrow_types_of_early_files(records: Path, tables: Path) -> None:
    """Waymo's own sample files name cameras and have poses in float32."""
    for component in ("camera_image", "camera_calibration", "vehicle_pose"):
        path = the_file(tables, component)
        table = pyarrow.parquet.read_table(path)
        for number, field in enumerate(table.schema):
            if field.name == "key.camera_name":
                names = ["FRONT", "FRONT_LEFT", "FRONT_RIGHT", "SIDE_LEFT", "SIDE_RIGHT"]
                values = [names[value - 1] for value in table.column(number).to_pylist()]
                table = table.set_column(number, field.name, pyarrow.array(values))
            elif field.type == TRANSFORM:
                narrow = table.column(number).cast(pyarrow.list_(pyarrow.float32(), 16))
                table = table.set_column(number, field.name, narrow)
        pyarrow.parquet.write_table(table, path, compression="none")
    build_indexes(tables)
    read, expected = (read_segments(root / INDEX)[0] for root in (tables, records))
    np.testing.assert_array_equal(read.cameras, expected.cameras)
    np.testing.assert_array_equal(read.image_crcs, expected.image_crcs)
    np.testing.assert_allclose(read.global_T_vehicle, expected.global_T_vehicle, rtol=1e-6)


def test_rows_in_any_order(records: Path, tables: Path) -> None:
    for component in ("vehicle_pose", "camera_image", "stats"):
        path = the_file(tables, component)
        table = pyarrow.parquet.read_table(path)
        pyarrow.parquet.write_table(table.take(list(range(len(table)))[::-1]), path, compression="none")
    build_indexes(tables)
    assert_equal_segments(read_segments(tables / INDEX)[0], read_segments(records / INDEX)[0])


def test_a_test_set_has_no_labels(tables: Path) -> None:
    for component in ("lidar_box", "lidar_camera_synced_box", "stats"):
        shutil.rmtree(tables / "training" / component)
    with pytest.warns(UserWarning, match="no folder lidar_box, so these frames get no labels"):
        (summary,) = build_indexes(tables)
    assert summary.objects == 0
    sample = dataset_of(tables, test_mode=True)[0]
    assert sample["inputs"].images.shape[1] == 5


@pytest.mark.parametrize("component", ["camera_image", "lidar_box", "stats"])
def test_damaged_files(tables: Path, component: str) -> None:
    path = the_file(tables, component)
    for content in (path.read_bytes()[:-20], path.read_bytes()[:200] + bytes(100), b"", b"PAR1 not really PAR1"):
        path.write_bytes(content)
        with pytest.raises(ParquetError, match=rf"{path}: not a readable Parquet file \(.*\); download it again"):
            build_indexes(tables)
    assert not (tables / INDEX).exists()


def test_a_damaged_page(records: Path, tmp_path: Path) -> None:
    tables = write_parquet_release(records, tmp_path / "tables", compression="snappy", use_dictionary=False)
    build_indexes(tables)
    path = the_file(tables)
    content = bytearray(path.read_bytes())
    content[200:3000] = bytes(2800)
    path.write_bytes(content)
    with pytest.raises(ImageReadError, match=rf"{path}, image in row 0 of row group 0: "):
        dataset_of(tables, test_mode=True)[0]
    with pytest.raises(ParquetError, match=rf"{path}: not a readable Parquet file"):
        build_indexes(tables)


def test_columns_and_rows_that_do_not_fit(tables: Path) -> None:
    wrong = the_file(tables, "vehicle_pose")
    shutil.copy(the_file(tables, "stats"), wrong)
    with pytest.raises(ParquetError, match=r"vehicle_pose/a\.parquet: no column \[VehiclePoseComponent\]"):
        build_indexes(tables)
    key = {"key.segment_context_name": "a", "key.frame_timestamp_micros": START}
    rows = [key | {"world_from_vehicle.transform": np.eye(4).ravel()}]
    types = {"world_from_vehicle.transform": TRANSFORM}
    write_component(wrong, "VehiclePoseComponent", types, rows)
    with pytest.raises(ParquetError, match=rf"camera_image/a\.parquet: frame {START + 100_000} is not in vehicle_pose"):
        build_indexes(tables)
    write_component(wrong, "VehiclePoseComponent", types, [*rows, rows[0] | {"key.segment_context_name": "b"}])
    with pytest.raises(SegmentError, match=r"vehicle_pose/a\.parquet: rows of a and b"):
        build_indexes(tables)
    write_component(wrong, "VehiclePoseComponent", types, [rows[0] | {"world_from_vehicle.transform": np.ones(16)}])
    with pytest.raises(CalibrationError, match=rf"vehicle_pose/a\.parquet, frame {START}"):
        build_indexes(tables)
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(wrong).slice(0, 0), wrong)
    with pytest.raises(SegmentError, match="no frames"):
        build_indexes(tables)


def test_the_real_frame(shared_data: Path, tmp_path: Path) -> None:
    tables = write_parquet_release(shared_data / "waymo", tmp_path / "tables")
    build_indexes(shared_data / "waymo", tmp_path)
    (expected,) = read_segments(tmp_path / "waymo_infos_all.pkl")
    build_indexes(tables, tmp_path)
    (read,) = read_segments(tmp_path / "waymo_infos_all.pkl")
    assert_equal_segments(read, expected)
    data = (tables / read.path).read_bytes()
    offsets, lengths = read.image_offsets.ravel(), read.image_lengths.ravel()
    crcs = [google_crc32c.value(data[start : start + n]) for start, n in zip(offsets, lengths, strict=True)]
    assert crcs == expected.image_crcs.ravel().tolist()
