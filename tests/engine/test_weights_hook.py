from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy_training import build

from bev.engine.checkpoint import CheckpointError, safe_load
from bev.engine.weights_hook import InitialWeightsHook


@pytest.mark.parametrize("lacking", ["message_hub", "optimizer", "meta"])
def test_weights_alone_are_no_training_to_resume(tmp_path: Path, lacking: str) -> None:
    build(tmp_path / "first", epochs=1)[0].train()
    content = safe_load(tmp_path / "first" / "epoch_1.pth")
    del content[lacking]
    torch.save(content, tmp_path / "final.pth")
    runner, _ = build(tmp_path / "second", resume=True, load_from=str(tmp_path / "final.pth"))
    with pytest.raises(CheckpointError, match=r"final\.pth has no state of a training to resume.*--load-from"):
        runner.train()


def test_a_run_that_finds_nothing_to_resume_starts_from_its_weights(tmp_path: Path) -> None:
    build(tmp_path / "first", epochs=1)[0].train()
    weights = tmp_path / "first" / "epoch_1.pth"
    hooks = [InitialWeightsHook(str(weights))]
    runner, _ = build(tmp_path / "second", epochs=0, resume=True, custom_hooks=hooks, param_scheduler=None)
    runner.train()
    assert torch.equal(runner.model.layer.weight, safe_load(weights)["state_dict"]["layer.weight"])
