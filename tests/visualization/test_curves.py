from __future__ import annotations

import json
import os
from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from bev.datasets.text_files import TextFileError
from bev.errors import InputError
from bev.visualization import draw_training_curves
from bev.visualization.curves import find_scalars, read_scalars, read_training


def test_draws_loss_and_metrics(tmp_path):
    rows = [{"loss": 10 / step, "epoch": 1 + step // 50, "step": step} for step in range(1, 100)]
    rows += [
        {"nuscenes/mAP": 0.1, "nuscenes/NDS": 0.2, "step": 1},
        {"nuscenes/mAP": 0.2, "nuscenes/NDS": 0.3, "step": 2},
    ]
    scalars = tmp_path / "scalars.json"
    scalars.write_text("\n".join(json.dumps(row) for row in rows))
    training, evaluations = read_scalars(scalars)
    assert len(training) == 99
    assert len(evaluations) == 2
    path = draw_training_curves([scalars], tmp_path / "figures" / "training.png")
    assert Image.open(path).size[0] > 800


def axes_of(rows: list[dict], folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Axes]:
    """What is drawn of these rows: the losses' axes, and those of metrics."""
    scalars = folder / "scalars.json"
    scalars.write_text("\n".join(json.dumps(row) for row in rows))
    figures = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure,
        "savefig",
        lambda figure, *to, **options: (figures.append(figure), save(figure, *to, **options)),
    )
    draw_training_curves([scalars], folder / "training.png")
    return figures[0].axes


@pytest.mark.parametrize("epochs", [True, False])
def test_evaluations_stand_at_their_iteration(epochs, tmp_path, monkeypatch) -> None:
    """mmengine counts epochs in evaluations of a training by epochs, and iterations in others."""
    rows = [{"loss": 1.0, "step": step, "epoch": 1 + (step > 500)} for step in range(50, 1001, 50)]
    if not epochs:
        rows = [{"loss": row["loss"], "step": row["step"]} for row in rows]
    rows += [{"nuscenes/mAP": 0.1, "step": 1 if epochs else 500}, {"nuscenes/mAP": 0.2, "step": 2 if epochs else 1000}]
    _, right = axes_of(rows, tmp_path, monkeypatch)
    assert right.lines[0].get_xdata() == pytest.approx([500, 1000])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_leaves_a_gap_and_the_rest(value, tmp_path, monkeypatch) -> None:
    rows = [{"loss": 2.0, "step": step} for step in range(1, 101)]
    rows[50]["loss"] = value
    (axes,) = axes_of(rows, tmp_path, monkeypatch)
    assert axes.get_ylim() == pytest.approx((0, 2.3))
    assert axes.lines[1].get_ydata() == pytest.approx(np.full(100, 2.0))


def test_no_finite_loss_at_all_is_drawn_as_nothing(tmp_path, monkeypatch) -> None:
    (axes,) = axes_of([{"loss": float("nan"), "step": step} for step in range(1, 9)], tmp_path, monkeypatch)
    assert np.isnan(axes.lines[1].get_ydata()).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_trainings_are_drawn(count, tmp_path, monkeypatch) -> None:
    (axes,) = axes_of([{"loss": 4.0, "step": step} for step in range(1, count + 1)], tmp_path, monkeypatch)
    assert axes.lines[1].get_ydata() == pytest.approx(np.full(count, 4.0))
    blue = (np.asarray(Image.open(tmp_path / "training.png").convert("RGB")).astype(int) - (31, 111, 235)).any(-1)
    assert (~blue[70:]).sum() > 50  # below the legend


def test_a_resumed_training_is_one_curve(tmp_path) -> None:
    """The second start resumes from iteration 20: what the first one did after that is not part of the training."""
    starts = {"a": ([10, 20, 30], [1]), "b": ([25, 30, 35, 40], [2]), "c": ([45], [])}
    for name, (steps, epochs) in starts.items():
        rows = [{"loss": float(step), "start": name, "step": step} for step in steps]
        rows += [{"nuscenes/mAP": 0.1, "step": epoch} for epoch in epochs]
        (tmp_path / name).write_text("\n".join(json.dumps(row) for row in rows))
    training, evaluations = read_training([tmp_path / name for name in starts])
    assert [(row["start"], row["step"]) for row in training] == [
        ("a", 10), ("a", 20), ("b", 25), ("b", 30), ("b", 35), ("b", 40), ("c", 45),
    ]  # fmt: skip
    assert [row["step"] for row in evaluations] == [1, 2]


@pytest.mark.parametrize(
    "row",
    [
        {"loss": "x", "step": 1}, {"loss": [1, 2], "step": 1}, {"loss": 1, "step": "x"}, {"loss": 1, "step": None},
        {"loss": 1, "step": 1, "epoch": "x"}, {"loss": 10**400, "step": 1}, {"mAP": "q", "step": 1},
    ],
)  # fmt: skip
def test_rows_without_numbers_are_refused(row, tmp_path) -> None:
    scalars = tmp_path / "scalars.json"
    scalars.write_text("\n".join(json.dumps(entry) for entry in ({"loss": 1, "step": 1}, row, {"step": 2, "mAP": 1})))
    with pytest.raises(TextFileError, match=r"scalars\.json: not what belongs there"):
        draw_training_curves([scalars], tmp_path / "training.png")
    assert not (tmp_path / "training.png").exists()


def test_a_full_disk_leaves_the_old_picture(tmp_path, monkeypatch) -> None:
    path = tmp_path / "training.png"
    path.write_bytes(b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", full)
    (tmp_path / "scalars.json").write_text('{"loss": 1, "step": 1}')
    with pytest.raises(OSError, match=r"cannot write .*training\.png: No space left"):
        draw_training_curves([tmp_path / "scalars.json"], path)
    assert path.read_bytes() == b"old"


def test_the_starts_of_a_training_are_found_in_order(tmp_path) -> None:
    with pytest.raises(InputError, match=r"no \*/vis_data/scalars\.json; give the work dir of a training"):
        find_scalars(tmp_path)
    for name in ("20240102_000000", "20240101_000000"):
        (tmp_path / name / "vis_data").mkdir(parents=True)
        (tmp_path / name / "vis_data" / "scalars.json").touch()
    assert [path.parts[-3] for path in find_scalars(tmp_path)] == ["20240101_000000", "20240102_000000"]
