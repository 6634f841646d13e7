"""Sharded training by two processes does what data parallelism does, with half of everything in each."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import DictAction
from mmengine.registry import DATASETS, FUNCTIONS, MODELS
from sharded_training import with_history
from tiny_training import CONFIG, ENVIRONMENT, make_data, options

import bev
from bev.engine.checkpoint import load_weights, safe_load
from bev.engine.config import load_config
from bev.engine.data_config import set_data_root
from bev.engine.runner import build_runner

EPOCHS = 2


def overrides(data: Path) -> dict[str, object]:
    """The overrides among the command line's options, read as the tools read them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-root")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    return parser.parse_args(options(data, EPOCHS)).cfg_options


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("nuscenes"))


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes leave behind that train the tiny model in several ways."""
    out = tmp_path_factory.mktemp("out")
    script = str(Path(__file__).parent / "sharded_training.py")
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29623"]
    environment = {**ENVIRONMENT, "PYTHONPATH": ":".join(sys.path)}
    arguments = [*launch, script, str(CONFIG), str(out), *options(data, EPOCHS)]
    result = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return out


def curve(work_dir: Path) -> dict[int, list[float]]:
    """Loss, and length of the gradient where there was a step, by iteration."""
    lines = [line for file in work_dir.glob("*/vis_data/scalars.json") for line in file.read_text().splitlines()]
    rows = [row for row in map(json.loads, lines) if "loss" in row]
    return {row["step"]: [row["loss"], row.get("grad_norm") or 0.0] for row in rows}


def assert_equal_curves(found: dict[int, list[float]], expected: dict[int, list[float]], rel: float = 1e-5) -> None:
    assert found.keys() == expected.keys()
    for step, values in expected.items():
        assert found[step] == pytest.approx(values, rel=rel), step


def test_the_loss_curve_is_that_of_data_parallelism(out: Path) -> None:
    expected = curve(out / "ddp")
    assert len(expected) == 3 * EPOCHS
    assert expected[3 * EPOCHS][0] < 0.95 * expected[1][0]
    assert_equal_curves(curve(out / "fsdp"), expected)


def test_every_process_holds_half_of_everything(out: Path) -> None:
    ranks = [json.loads((out / f"rank{rank}.json").read_text())["shares"] for rank in (0, 1)]
    assert ranks[0].keys() == {"parameters", "average", "optimizer"}
    for name in ranks[0]:
        (first, whole), (second, _) = (shares[name] for shares in ranks)
        assert first + second == whole > 100_000
        assert 0.45 < first / whole < 0.55, name


def test_checkpoints_are_those_of_data_parallelism(out: Path) -> None:
    # The curves are equal to 1e-5; of weights whose gradient is nearly nothing, Adam makes steps of its last bits.
    found, expected = (safe_load(out / name / "epoch_2.pth") for name in ("fsdp", "ddp"))
    assert found.keys() == expected.keys()
    for part in ("state_dict", "ema_state_dict"):
        assert list(found[part]) == list(expected[part])
        for name, value in expected[part].items():
            torch.testing.assert_close(found[part][name], value, atol=5e-4, rtol=0)
    own, other = (content["optimizer"]["state"] for content in (found, expected))
    assert own.keys() == other.keys()
    for number, state in other.items():
        assert {key: value.shape for key, value in own[number].items()} == {k: v.shape for k, v in state.items()}
    averaged, final = (safe_load(out / "fsdp" / name) for name in ("epoch_2.pth", "final.pth"))
    for name, value in final["state_dict"].items():
        torch.testing.assert_close(averaged["state_dict"][name], value)
    raw = averaged["ema_state_dict"]["module.encoder.queries.weight"]
    assert not torch.equal(averaged["state_dict"]["encoder.queries.weight"], raw)


def test_a_plain_model_loads_the_checkpoint_and_predicts_the_same(data: Path, out: Path) -> None:
    bev.register_all()
    config = with_history(load_config(CONFIG, overrides(data)))
    set_data_root(config, data)
    model = MODELS.build(config.model).eval()
    load_weights(model, out / "fsdp" / "epoch_2.pth", strict=True, prefer_ema=False)
    gathered = torch.load(out / "gathered0.pth", weights_only=True)
    for name, value in model.state_dict().items():
        assert torch.equal(value, gathered[name]), name
    dataset = DATASETS.build(config.val_dataloader.dataset)
    for rank in (0, 1):
        told = torch.load(out / f"predictions{rank}.pth", weights_only=True)
        with torch.no_grad():
            found = model.val_step(FUNCTIONS.get("collate_clips")([dataset[rank]]))[0].pred_instances_3d
        torch.testing.assert_close(found.scores_3d, told["scores"], atol=1e-5, rtol=0)
        torch.testing.assert_close(found.bboxes_3d.tensor, told["boxes"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("way", ["fsdp", "ddp"])
def test_a_run_resumes_with_the_same_curve_sharded_or_not(out: Path, way: str) -> None:
    whole = curve(out / "fsdp")
    assert_equal_curves(curve(out / f"{way}_resumed"), {step: whole[step] for step in (4, 5, 6)})


def test_gradients_accumulate(out: Path) -> None:
    expected = curve(out / "ddp_accumulated")
    assert expected[1][1] == 0 < expected[2][1]
    assert_equal_curves(curve(out / "fsdp_accumulated"), expected)


def test_mixed_precision(out: Path) -> None:
    expected = curve(out / "ddp_amp")
    assert abs(expected[3][0] / curve(out / "ddp")[3][0] - 1) > 1e-6  # it is on
    assert_equal_curves(curve(out / "fsdp_amp"), expected, rel=1e-3)


def test_batch_norms_are_synchronised_on_request(out: Path) -> None:
    assert json.loads((out / "rank0.json").read_text())["converted"] > 0


def test_one_process_is_refused(data: Path) -> None:
    config = load_config(CONFIG, overrides(data))
    config.model_wrapper_cfg = {"type": "FullyShardedModel"}
    with pytest.raises(ValueError, match="a sharded model needs several processes"):
        build_runner(config)
