from __future__ import annotations

import json

from PIL import Image

from bev.visualization import draw_training_curves
from bev.visualization.curves import read_scalars


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
    path = draw_training_curves(scalars, tmp_path / "figures" / "training.png")
    assert Image.open(path).size[0] > 800
