from __future__ import annotations

import pytest
from mmengine.config import Config

from bev.engine.runner import fit_schedule, fit_to_cpu
from bev.errors import InputError


def experiment(batch_size: int, enable: bool = True, launcher: str = "pytorch") -> Config:
    schedulers = [
        dict(type="LinearLR", by_epoch=False, begin=0, end=2000),
        dict(type="MultiStepLR", by_epoch=True, milestones=[20]),
    ]
    return Config(
        dict(
            launcher=launcher,
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


@pytest.mark.parametrize(
    ("launcher", "variable"), [("slurm", "SLURM_NTASKS"), ("mpi", "OMPI_COMM_WORLD_SIZE"), ("none", "UNUSED")]
)
def test_every_launcher_tells_how_many_processes_there_are(
    monkeypatch: pytest.MonkeyPatch, launcher: str, variable: str
) -> None:
    monkeypatch.setenv(variable, "4")
    assert fit_schedule(experiment(4, launcher=launcher)) == (4 if launcher == "none" else 1)


def test_schedules_stay_where_the_learning_rate_stays() -> None:
    config = experiment(1, enable=False)
    assert fit_schedule(config) == 1
    assert config.param_scheduler[0].end == 2000


def test_a_wrapper_of_gpus_is_refused_on_a_cpu() -> None:
    with pytest.raises(InputError, match="AmpOptimWrapper needs a GPU; AutocastOptimWrapper"):
        fit_to_cpu(Config(dict(optim_wrapper=dict(type="AmpOptimWrapper"))))
