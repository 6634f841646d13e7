"""Packing and checking of occupancy submissions."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from bev.datasets.occ3d import GRID
from bev.datasets.occ3d.submission import pack_submission, read_prediction, validate_archive, write_prediction
from bev.datasets.submission_errors import SubmissionError
from bev.errors import InputError

TOKENS = ("a", "b")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, token in enumerate(TOKENS):
        array = np.random.default_rng(seed).integers(0, 18, GRID.shape, dtype=np.uint8)
        write_prediction(tmp_path / "predictions", token, array)
    return tmp_path / "predictions"


def test_a_packed_submission_is_valid_and_holds_the_predictions(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "submission.zip"
    pack_submission(folder, TOKENS, archive)
    assert validate_archive(archive, TOKENS) == 2
    with zipfile.ZipFile(archive) as packed, packed.open("b.npz") as member:
        array = np.load(member)["arr_0"]
    assert array.dtype == np.uint8
    assert np.array_equal(array, np.random.default_rng(1).integers(0, 18, GRID.shape, dtype=np.uint8))


def test_missing_and_foreign_samples_are_named(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "submission.zip"
    with pytest.raises(SubmissionError, match="sample c: missing"):
        pack_submission(folder, (*TOKENS, "c"), archive)
    assert not archive.exists()
    pack_submission(folder, TOKENS, archive)
    with pytest.raises(SubmissionError, match=r"b\.npz is not of the split"):
        validate_archive(archive, ("a",))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2, 2), dtype=np.uint8), "shape"),
        (np.zeros(GRID.shape, dtype=np.int64), "type int64"),
        (np.full(GRID.shape, 18, dtype=np.uint8), "labels from 18 to 18"),
    ],
)
def test_wrong_arrays_are_refused(folder: Path, tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.savez_compressed(folder / "a.npz", array)
    with pytest.raises(SubmissionError, match=f"sample a: {message}"):
        pack_submission(folder, TOKENS, tmp_path / "submission.zip")


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "submission.zip").write_bytes(b"PK")
    with pytest.raises(SubmissionError, match="not a readable zip"):
        validate_archive(tmp_path / "submission.zip", TOKENS)


def test_a_prediction_is_read_as_it_was_written(folder: Path) -> None:
    expected = np.random.default_rng(0).integers(0, 18, GRID.shape, dtype=np.uint8)
    np.testing.assert_array_equal(read_prediction(folder, "a"), expected)


def test_a_prediction_that_cannot_be_read_is_named(folder: Path) -> None:
    with pytest.raises(SubmissionError, match=r"c\.npz: no such file"):
        read_prediction(folder, "c")
    (folder / "a.npz").write_bytes((folder / "a.npz").read_bytes()[:1000])
    with pytest.raises(SubmissionError, match=r"a\.npz: not a readable npz file"):
        read_prediction(folder, "a")
    np.savez(folder / "b.npz", other=np.zeros(GRID.shape, np.uint8))
    with pytest.raises(SubmissionError, match=r"b\.npz: holds other instead of one array arr_0"):
        read_prediction(folder, "b")


def test_what_the_server_would_refuse_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="sample a: "):
        write_prediction(tmp_path, "a", np.zeros((2, 2, 2), np.uint8))
    assert not list(tmp_path.iterdir())


def test_predictions_lie_in_their_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be part of a file's name"):
        write_prediction(tmp_path / "predictions", "../escaped", np.zeros(GRID.shape, np.uint8))
    assert not list(tmp_path.iterdir())


def test_predictions_that_are_no_labels_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="sample a: type float64 instead of uint8"):
        write_prediction(tmp_path, "a", np.full(GRID.shape, np.nan))
