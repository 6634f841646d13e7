from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from toy_training import SAMPLES, build

from bev.engine.epoch_loop import ContinuableEpochLoop, RemainingBatches
from bev.errors import InputError

WITHIN = {"by_epoch": False, "interval": 1}


LOADERS = {"main": {}, "workers": {"num_workers": 1}, "persistent": {"num_workers": 1, "persistent_workers": True}}


@pytest.fixture(scope="module", params=LOADERS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """Loader, work dir, rows and weight of a run that nothing interrupted, with a checkpoint of every iteration."""
    work_dir = tmp_path_factory.mktemp("whole")
    loader = LOADERS[request.param]
    runner, recorder = build(work_dir, checkpoints=WITHIN, loader=loader)
    runner.train()
    assert len(recorder.rows) == 3 * SAMPLES // 2
    assert all(first[4] != second[4] for first, second in pairwise(recorder.rows[:8]))
    return loader, work_dir, recorder.rows, runner.model.layer.weight


@pytest.mark.parametrize("iteration", [1, 6, 8, 12, 17])
def test_a_run_goes_on_within_an_epoch(whole, tmp_path: Path, iteration: int) -> None:
    loader, work_dir, rows, weight = whole
    checkpoint = str(work_dir / f"iter_{iteration}.pth")
    resumed, recorder = build(tmp_path, checkpoints=WITHIN, loader=loader, resume=True, load_from=checkpoint)
    resumed.train()
    assert recorder.rows == rows[iteration:]
    assert torch.equal(resumed.model.layer.weight, weight)


def test_what_is_skipped_comes_again_in_the_next_epoch() -> None:
    batches = RemainingBatches([[0, 1], [2, 3], [4]], 2)
    assert len(batches) == 3
    assert list(batches) == [[4]]
    assert list(batches) == [[0, 1], [2, 3], [4]]


def test_data_that_is_skipped_is_not_read() -> None:
    class Broken(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> int:
            assert index >= 2
            return index

    loop = ContinuableEpochLoop(SimpleNamespace(visualizer=None), torch.utils.data.DataLoader(Broken()), 1)
    loop.skip_batches(2)
    assert [int(batch) for batch in loop.dataloader] == [2, 3]


def test_a_loader_without_batches_is_refused() -> None:
    loader = torch.utils.data.DataLoader([1, 2], batch_size=None)
    loop = ContinuableEpochLoop(SimpleNamespace(visualizer=None), loader, 1)
    with pytest.raises(InputError, match="resume from a checkpoint made at the end of one"):
        loop.skip_batches(1)
