from __future__ import annotations

import os
import resource
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_nuscenes import write_tables
from tiny_openlane import write_openlane
from tiny_waymo import write_release

from bev.datasets.index_io import read_index
from bev.datasets.nuscenes.index_tables import TablesError
from bev.datasets.waymo.segment_files import WaymoFilesError

TOOL = Path(__file__).parents[2] / "tools" / "create_data.py"


@pytest.fixture(scope="module")
def main() -> Callable:
    return runpy.run_path(str(TOOL))["main"]


def test_builds_an_index_and_says_so(main: Callable, tmp_path: Path, capsys: pytest.CaptureFixture):
    root = write_tables(tmp_path)
    main(["nuscenes", "--root", str(root), "--version", "v1.0-mini", "--workers", "2"])
    output = capsys.readouterr()
    assert "2 scenes, 6 samples, 30 boxes, 6 without LiDAR file" in output.out
    assert "2/2" in output.err  # The progress bar.
    assert len(read_index(root / "nuscenes_infos_mini_val.pkl")["data_list"]) == 6


def test_a_root_without_tables(main: Callable, tmp_path: Path):
    with pytest.raises(TablesError) as caught:
        main(["nuscenes", "--root", str(tmp_path), "--version", "v1.0-trainval"])
    assert str(caught.value) == (
        f"data root {tmp_path} has no tables of v1.0-trainval "
        f"(expected {tmp_path}/v1.0-trainval/sample.json); releases found there: none"
    )


def test_a_disk_that_is_too_small_is_one_line(main: Callable, tmp_path: Path):
    root = write_tables(tmp_path)
    arguments = ["nuscenes", "--root", str(root), "--version", "v1.0-mini", "--workers", "2"]
    failed = subprocess.run(
        [sys.executable, str(TOOL), *arguments],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000)),
        # No measurement of coverage, which would run out of space itself.
        env={key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
        | {"PYTHONPATH": str(TOOL.parents[1])},
    )
    assert failed.returncode == 1
    error = failed.stderr.splitlines()[-1]
    assert error.startswith("error: ")
    assert "cannot write" in error
    assert "free space or choose another folder" in error
    assert "Traceback" not in failed.stderr
    assert not [path for path in root.rglob("*") if path.suffix in (".pkl", ".tmp")]
    # With room again, the same command succeeds.
    main(arguments)


def test_lane_indexes_and_a_line_for_each(main: Callable, tmp_path: Path, capsys: pytest.CaptureFixture):
    root = write_openlane(tmp_path)
    main(["openlane_v2", "--root", str(root), "--subset", "A", "--workers", "1"])
    output = capsys.readouterr()
    assert f"{root}/openlane_v2_A_infos_train.pkl: 2 segments, 5 frames, 15 lanes, 10 traffic elements" in output.out
    assert "3/3" in output.err  # The progress bar.


def test_waymo_from_the_files(main: Callable, tmp_path: Path, capsys: pytest.CaptureFixture):
    root = write_release(tmp_path / "waymo")
    main(["waymo", "--root", str(root), "--splits", "training", "--out", str(tmp_path), "--workers", "2"])
    output = capsys.readouterr()
    assert f"{tmp_path}/waymo_infos_training.pkl: 2 segments, 6 frames, 30 objects, 0.0" in output.out
    assert "2/2" in output.err
    assert not (tmp_path / "waymo_infos_validation.pkl").exists()


def test_waymo_from_parquet_files(main: Callable, tmp_path: Path, capsys: pytest.CaptureFixture):
    pytest.importorskip("pyarrow", reason="the Parquet layout needs pyarrow")
    from tiny_waymo_parquet import write_parquet_release

    root = write_parquet_release(write_release(tmp_path / "records"), tmp_path / "tables")
    main(["waymo", "--root", str(root), "--workers", "1"])
    main(["waymo", "--root", str(root), "--workers", "1", "--format", "parquet", "--splits", "validation"])
    output = capsys.readouterr().out
    assert f"{root}/waymo_infos_training.pkl: 2 segments, 6 frames, 30 objects, 0.0" in output
    assert output.count("waymo_infos_validation.pkl: 1 segments, 3 frames") == 2
    with pytest.raises(WaymoFilesError, match=r"no segment files \(\*\.tfrecord\)"):
        main(["waymo", "--root", str(root), "--format", "tfrecord"])


def test_a_damaged_waymo_file_is_one_line(tmp_path: Path):
    root = write_release(tmp_path)
    path = root / "training" / "segment-b_with_camera_labels.tfrecord"
    path.write_bytes(path.read_bytes()[:-1])
    command = [sys.executable, str(TOOL), "waymo", "--root", str(root)]
    environment = {**os.environ, "PYTHONPATH": str(TOOL.parents[1])}
    failed = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith(f"error: {path}, record at byte ")
    assert "skip damaged records" in failed.stderr
    assert "Traceback" not in failed.stderr
    skipped = subprocess.run([*command, "--skip-damaged"], capture_output=True, text=True, check=False, env=environment)
    assert "3 segments" not in skipped.stdout
    assert "2 segments, 5 frames" in skipped.stdout
    assert f"warning: skipped: {path}, record at byte " in skipped.stderr
    assert ".py:" not in skipped.stderr
