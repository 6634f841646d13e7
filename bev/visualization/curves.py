"""Training curves from the scalars that mmengine's local backend records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib.figure
import numpy as np
from matplotlib.axes import Axes

from bev.datasets.atomic import atomic_write
from bev.datasets.index_io import well_formed
from bev.datasets.text_files import TextFileError, one_line, read_text
from bev.errors import InputError


def read_training(paths: Sequence[str | Path]) -> tuple[list[dict], list[dict]]:
    """Training and evaluation rows of a training's starts: where one resumes, its rows replace those from there on.

    Args:
        paths: `vis_data/scalars.json` of each start, in order.

    Raises:
        TextFileError: As for `read_scalars`.
    """
    joined: tuple[list[dict], list[dict]] = ([], [])
    for path in paths:
        for rows, further in zip(joined, read_scalars(path), strict=True):
            begin = min((row["step"] for row in further), default=np.inf)
            rows[:] = [row for row in rows if row["step"] < begin] + further
    return joined


def read_scalars(path: str | Path) -> tuple[list[dict], list[dict]]:
    """Split `vis_data/scalars.json` (a JSON object per line) into training rows and evaluation rows.

    Raises:
        TextFileError: If it holds something else, or no loss.
    """
    text = read_text(path)
    try:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise TextFileError(f"{path}: not a JSON object in each line ({one_line(error)})") from error
    if not all(isinstance(row, dict) and "step" in row for row in rows) or not any("loss" in row for row in rows):
        raise TextFileError(f"{path}: no losses of training steps")
    return [row for row in rows if "loss" in row], [row for row in rows if "loss" not in row]


def draw_training_curves(
    scalars: Sequence[str | Path], path: str | Path, metrics: tuple[str, ...] = ("mAP", "NDS")
) -> Path:
    """Draw total loss, smoothed, and evaluation metrics over iterations as a PNG, written whole or not at all.

    Args:
        scalars: mmengine's `vis_data/scalars.json` of each start of the training, in order.
        metrics: Endings of the metric names to draw, where evaluation during training recorded any.

    Raises:
        TextFileError: If the file holds something else, or no loss.
        OSError: If the picture can't be written.
    """
    with well_formed(", ".join(map(str, scalars)), TextFileError, "give what a training wrote"):
        figure = _figure(*read_training(scalars), metrics)
    with atomic_write(path) as file:
        figure.savefig(file, format="png")
    return Path(path)


def _figure(training: list[dict], evaluations: list[dict], metrics: tuple[str, ...]) -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=(7.5, 3.6), dpi=150, layout="constrained")
    axes = figure.subplots()
    steps = np.array([float(row["step"]) for row in training])
    losses = np.array([float(row["loss"]) for row in training])
    marker = "o" if len(steps) == 1 else None  # a line of one point would not be seen
    axes.plot(steps, losses, color="#9ecbff", linewidth=0.8)
    axes.plot(steps, _smooth(losses), color="#1f6feb", linewidth=1.8, marker=marker, label="training loss")
    axes.set(xlabel="iteration", ylabel="loss")
    finite = losses[np.isfinite(losses)]
    if len(finite):
        axes.set_ylim(0, float(np.percentile(finite, 98)) * 1.15)
    axes.grid(alpha=0.25)
    _draw_metrics(axes, evaluations, metrics, _iterations_per_step(training))
    figure.legend(loc="outside upper center", ncols=1 + len(metrics), frameon=False)
    return figure


def find_scalars(work_dir: str | Path) -> list[Path]:
    """The `vis_data/scalars.json` of each start of a training, in order.

    Raises:
        InputError: If there is none.
    """
    found = sorted(Path(work_dir).glob("*/vis_data/scalars.json"))
    if not found:
        raise InputError(f"{work_dir}: no */vis_data/scalars.json; give the work dir of a training")
    return found


def _iterations_per_step(training: list[dict]) -> float:
    """What a step of an evaluation row counts: an epoch where training rows have epochs, otherwise an iteration."""
    last = training[-1]
    return float(last["step"]) / max(last["epoch"], 1) if "epoch" in last else 1.0


def _draw_metrics(axes: Axes, evaluations: list[dict], metrics: tuple[str, ...], iterations: float) -> None:
    """Draw metrics on a second axis; evaluation rows have a `step` of so many iterations."""
    if not evaluations:
        return
    right = axes.twinx()
    for metric, colour in zip(metrics, ("#d1495b", "#edae49", "#66a182"), strict=False):
        values = [
            (float(row["step"]) * iterations, float(value))
            for row in evaluations
            for key, value in row.items()
            if key.rsplit("/", 1)[-1] == metric
        ]
        if values:
            right.plot(*zip(*values, strict=True), color=colour, marker="o", markersize=3, label=metric)
    right.set(ylabel="held-out", ylim=(0, None))


def _smooth(values: np.ndarray, share: float = 0.02) -> np.ndarray:
    """Centred moving average of the finite values over a share of the whole, shortened at the ends; NaN of none."""
    width = min(max(1, int(len(values) * share)), (len(values) - 1) // 2)
    kernel = np.ones(2 * width + 1)
    finite = np.isfinite(values)
    totals = np.convolve(np.where(finite, values, 0.0), kernel, "same")
    counts = np.convolve(finite.astype(float), kernel, "same").round()
    return np.divide(totals, counts, out=np.full(len(values), np.nan), where=counts > 0)
