from __future__ import annotations

import pytest
from mmengine.config import Config

from bev.engine.runner import fit_schedule


def experiment(batch_size: int, enable: bool = True) -> Config:
    schedulers = [
        dict(type="LinearLR", by_epoch=False, begin=0, end=2000),
        dict(type="MultiStepLR", by_epoch=True, milestones=[20]),
    ]
    return Config(
        dict(
            train_dataloader=dict(batch_size=batch_size),
            auto_scale_lr=dict(enable=enable, base_batch_size=16),
            param_scheduler=schedulers,
        )
    )


@pytest.mark.parametrize(("batch_size", "ranks", "end"), [(2, 8, 2000), (2, 2, 8000), (4, 16, 500)])
def test_a_warm_up_covers_as_many_samples_at_any_batch_size(
    monkeypatch: pytest.MonkeyPatch, batch_size: int, ranks: int, end: int
) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(ranks))
    config = experiment(batch_size)
    assert fit_schedule(config) == 16 / (batch_size * ranks)
    assert config.param_scheduler[0].end == end
    assert config.param_scheduler[1] == experiment(batch_size).param_scheduler[1]


def test_schedules_stay_where_the_learning_rate_stays() -> None:
    config = experiment(1, enable=False)
    assert fit_schedule(config) == 1
    assert config.param_scheduler[0].end == 2000
