"""mIoU and F-score against the official metric."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from bev.datasets.occ3d import CLASSES, FREE, read_labels
from bev.evaluation.occupancy import confusion, miou_of, occupancy_fscore, occupancy_miou


def made_samples() -> list[dict[str, np.ndarray]]:
    """The arrays that the official metric saw (see the golden's README)."""
    generator = np.random.Generator(np.random.Philox(zlib.crc32(b"input:occ/metric")))
    samples = []
    for _ in range(3):
        shape = (40, 40, 16)
        labels = generator.integers(0, 18, shape)
        prediction = np.where(generator.random(shape) < 0.6, labels, generator.integers(0, 18, shape))
        labels[generator.random(shape) < 0.5] = FREE
        lidar = generator.random(shape) < 0.3
        camera = generator.random(shape) < 0.5
        samples.append({"labels": labels, "prediction": prediction, "lidar": lidar, "camera": camera})
    return samples


@pytest.mark.parametrize("mask", [None, "camera", "lidar"])
def test_made_samples(goldens: Path, mask: str | None) -> None:
    samples = made_samples()
    expected = json.loads((goldens / "occ_baseline" / "metric.json").read_text())[mask or "nomask"]
    predictions, labels = ([sample[name] for sample in samples] for name in ("prediction", "labels"))
    masks = None if mask is None else [sample[mask] for sample in samples]
    found = occupancy_miou(iter(predictions), iter(labels), masks)
    assert found["mIoU"] * 100 == pytest.approx(expected["mIoU_17"], abs=1e-9)
    assert list(found.values())[:FREE] == pytest.approx(expected["per_class"][:FREE], abs=1e-12)
    scores = [occupancy_fscore(s["prediction"], s["labels"], None if mask is None else s[mask]) for s in samples]
    assert np.mean(scores) == pytest.approx(expected["fscore"], abs=1e-6)


@pytest.mark.parametrize("mask", [None, "camera", "lidar"])
def test_the_real_sample(goldens: Path, shared_data: Path, mask: str | None) -> None:
    (path,) = (shared_data / "occ3d").glob("*_labels.npz")
    truth = read_labels(path)
    labels, shape = truth.semantics, truth.semantics.shape
    generator = np.random.Generator(np.random.Philox(zlib.crc32(b"input:occ/real")))
    prediction = np.where(generator.random(shape) < 0.8, labels, generator.integers(0, 18, shape))
    prediction = np.where(generator.random(shape) < 0.5, np.roll(prediction, 1, 0), prediction)
    expected = json.loads((goldens / "occ_metric_real" / "metric.json").read_text())["cvpr23_repo"][mask or "nomask"]
    counted = None if mask is None else getattr(truth, f"mask_{mask}")
    assert occupancy_miou(prediction, labels, counted)["mIoU"] * 100 == pytest.approx(expected["mIoU_17"], abs=1e-9)
    assert occupancy_fscore(prediction, labels, counted) == pytest.approx(expected["fscore"], abs=1e-6)
    stored = np.load(goldens / "occ_metric_real" / "golden.npz")[f"cvpr23_repo/hist_{mask or 'nomask'}"]
    assert np.array_equal(confusion(prediction, labels, counted), stored)


def test_absent_classes_do_not_count() -> None:
    labels = np.full((2, 2, 2), FREE)
    labels[0] = CLASSES.index("car")
    found = miou_of(confusion(labels, labels))
    assert found["car"] == found["mIoU"] == 1.0
    assert np.isnan(found["bus"])
    assert occupancy_fscore(np.full_like(labels, FREE), labels) == 0.0


def test_wrong_input_is_refused() -> None:
    labels = np.zeros((2, 2, 2), dtype=np.uint8)
    with pytest.raises(ValueError, match="shapes differ"):
        occupancy_miou(labels, labels[:1])
    with pytest.raises(ValueError, match="labels from 0 to 17"):
        occupancy_miou(labels + 18, labels)
    with pytest.raises(ValueError, match="not as many predictions"):
        occupancy_miou([labels], [labels, labels])
