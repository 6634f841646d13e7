"""Predictions in the form that the CVPR 2023 occupancy challenge takes, and a check of them before the upload."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Collection
from pathlib import Path

import numpy as np

from bev.datasets.atomic import atomic_write
from bev.datasets.npz_files import read_arrays, write_arrays
from bev.datasets.occ3d.classes import FREE, GRID
from bev.datasets.submission_errors import SubmissionError, refuse
from bev.datasets.text_files import file_part
from bev.errors import InputError

ARRAY = "arr_0"


def write_prediction(folder: Path, token: str, prediction: np.ndarray) -> None:
    """Writes one sample's labels (X, Y, Z) as `TOKEN.npz`, atomically.

    Raises:
        SubmissionError: the array is none that the server takes.
        InputError: the token can't name a file.
        OSError: it could not be written.
    """
    problem = _problem(prediction)
    if problem:
        raise SubmissionError(f"sample {token}: {problem}")
    write_arrays(folder / f"{file_part(token, folder)}.npz", {ARRAY: prediction.astype(np.uint8)})


def read_prediction(folder: str | os.PathLike, token: str) -> np.ndarray:
    """Reads one sample's labels (X, Y, Z) uint8 from its `TOKEN.npz`.

    Raises:
        SubmissionError: the file is missing, damaged, or holds something else.
    """
    path = Path(folder) / f"{token}.npz"
    try:
        return _read_array(path.read_bytes())
    except FileNotFoundError:
        raise SubmissionError(f"{path}: no such file; tools/test.py writes one for every sample of its index") from None
    except ValueError as error:
        raise SubmissionError(f"{path}: {error}; write it again with tools/test.py") from error


def pack_submission(folder: str | os.PathLike, tokens: Collection[str], archive: str | os.PathLike) -> None:
    """Checks the predictions of a split and packs them into one zip file, atomically.

    Args:
        folder: holds `TOKEN.npz` for every sample of the split, and perhaps others.
        tokens: the split's samples.
        archive: the zip file.

    Raises:
        SubmissionError: predictions are missing or damaged; the message lists the first few.
        OSError: the archive could not be written.
    """
    problems, data = [], {}
    for token in sorted(tokens):
        path = Path(folder) / f"{token}.npz"
        data[token] = path
        problem = _file_problem(path.read_bytes()) if path.exists() else "missing"
        if problem:
            problems.append(f"sample {token}: {problem}")
    refuse(problems, f"{folder} is not a valid occupancy submission")
    # The members are compressed already.
    with atomic_write(archive) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
        for token, path in data.items():
            packed.write(path, arcname=f"{token}.npz")


def validate_archive(archive: str | os.PathLike, tokens: Collection[str]) -> int:
    """Checks a zip file: every sample of the split and no other, shape, type and range of each array.

    Returns:
        Number of samples.

    Raises:
        SubmissionError: at least one problem; the message lists the first few.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            names = set(packed.namelist())
            expected = {f"{token}.npz" for token in tokens}
            problems = [f"{name} is missing" for name in sorted(expected - names)]
            problems += [f"{name} is not of the split" for name in sorted(names - expected)]
            problems += [
                f"{name}: {problem}"
                for name in sorted(names & expected)
                if (problem := _file_problem(packed.read(name)))
            ]
    except (OSError, zipfile.BadZipFile) as error:
        raise SubmissionError(f"{archive}: not a readable zip file ({error})") from error
    refuse(problems, f"{archive} is not a valid occupancy submission")
    return len(tokens)


def _file_problem(data: bytes) -> str | None:
    try:
        _read_array(data)
    except ValueError as error:
        return str(error)
    return None


def _read_array(data: bytes) -> np.ndarray:
    """The labels in an npz file; a ValueError says what is wrong with it."""
    arrays = read_arrays(io.BytesIO(data))
    if list(arrays) != [ARRAY]:
        raise InputError(f"holds {', '.join(arrays)} instead of one array {ARRAY}")
    array = arrays[ARRAY]
    problem = f"type {array.dtype} instead of uint8" if array.dtype != np.uint8 else _problem(array)
    if problem:
        raise InputError(problem)
    return array


def _problem(array: np.ndarray) -> str | None:
    if array.shape != GRID.shape:
        return f"shape {array.shape} instead of {GRID.shape}"
    if array.dtype.kind not in "biu":
        return f"type {array.dtype} instead of uint8"
    if array.min() < 0 or array.max() > FREE:
        return f"labels from {array.min()} to {array.max()} instead of 0 to {FREE}"
    return None
