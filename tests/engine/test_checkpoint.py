from __future__ import annotations

import argparse
import functools
import sys
import threading
import types
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from attack import Attack
from mmengine.hooks import EMAHook
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.model import BaseModule, ExponentialMovingAverage, MMDistributedDataParallel
from mmengine.optim import CosineAnnealingLR, OptimWrapper
from mmengine.registry import MODELS
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import _load_checkpoint, save_checkpoint
from torch import nn

from bev.engine.checkpoint import (
    CheckpointError,
    load_weights,
    read_weights,
    register_safe_checkpoint_loader,
    safe_load,
)


@MODELS.register_module()
class TwoLayers(BaseModule):
    def __init__(self, classes: int = 3, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.body = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4))
        self.head = nn.Linear(4, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return TwoLayers().state_dict()


# Read at collection, when no test has made a runner yet: each runner registers our loaders.
MMENGINE_LOADERS = CheckpointLoader._schemes.copy(), mmengine_checkpoint.load_url


@pytest.fixture
def mmengine_loaders() -> Iterator[None]:
    """mmengine's own loaders; what was registered before comes back afterwards."""
    before = CheckpointLoader._schemes.copy(), mmengine_checkpoint.load_url
    CheckpointLoader._schemes, mmengine_checkpoint.load_url = MMENGINE_LOADERS[0].copy(), MMENGINE_LOADERS[1]
    yield
    CheckpointLoader._schemes, mmengine_checkpoint.load_url = before


def with_prefix(weights: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + key: value for key, value in weights.items()}


def assert_loaded(model: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, weights[key])


LAYOUTS = {
    "bare": lambda weights: weights,
    "official classification": lambda weights: {"model": weights, "epoch": 300},
    "mmengine": lambda weights: {"state_dict": weights, "meta": {}},
    "data parallel": lambda weights: {"state_dict": with_prefix(weights, "module.")},
    "inside a detector": lambda weights: {"state_dict": with_prefix(weights, "backbone.")},
    "data parallel detector": lambda weights: {"model": with_prefix(weights, "module.img_backbone.")},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_usual_layouts_load(layout: str, weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save(LAYOUTS[layout](weights), file)
    model = TwoLayers()
    report = load_weights(model, file, strict=True)
    assert_loaded(model, weights)
    assert set(report.loaded) == set(weights)
    assert (report.missing, report.unexpected, report.mismatched, report.skipped) == ((), (), (), ())


@pytest.mark.parametrize("entry", ["model_ema", "state_dict_ema"])
def test_moving_average_is_preferred(entry: str, weights: dict[str, torch.Tensor]) -> None:
    averaged = {key: value + 1 for key, value in weights.items()}
    checkpoint = {"model": weights, entry: with_prefix(averaged, "module.")}
    model = TwoLayers()
    assert f"[{entry}]" in load_weights(model, checkpoint).source
    assert_loaded(model, averaged)
    load_weights(model, checkpoint, prefer_ema=False)
    assert_loaded(model, weights)


def test_mmengine_swaps_the_moving_average_with_the_weights() -> None:
    model = TwoLayers()
    raw = {key: value.clone() for key, value in model.state_dict().items()}
    hook = EMAHook()
    hook.ema_model = ExponentialMovingAverage(model)
    with torch.no_grad():
        for parameter in hook.ema_model.parameters():
            parameter.add_(1)
    averaged = {key: value.clone() for key, value in hook.ema_model.module.state_dict().items()}
    checkpoint = {"state_dict": model.state_dict(), "message_hub": {}}
    hook.before_save_checkpoint(None, checkpoint)
    target = TwoLayers()
    load_weights(target, checkpoint, strict=True)
    assert_loaded(target, averaged)
    load_weights(target, checkpoint, strict=True, prefer_ema=False)
    assert_loaded(target, raw)


def test_report_names_every_key(weights: dict[str, torch.Tensor]) -> None:
    file = {**with_prefix(weights, "backbone."), "backbone.extra": torch.zeros(1), "neck.weight": torch.zeros(1)}
    del file["backbone.body.0.bias"]
    report = load_weights(TwoLayers(), {"state_dict": file}, ignore=["head."])
    assert report.prefix == "backbone."
    assert report.missing == ("body.0.bias",)
    assert report.unexpected == ("backbone.extra",)
    assert report.skipped == ("backbone.head.weight", "backbone.head.bias", "neck.weight")
    assert "1 missing in the file: body.0.bias" in str(report)
    assert "1 unused: backbone.extra" in str(report)


def test_strict_refuses_missing_and_unused_keys(weights: dict[str, torch.Tensor]) -> None:
    model = TwoLayers()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    del weights["head.bias"]
    with pytest.raises(CheckpointError, match=r"doesn't fit.*\n.*1 missing in the file: head\.bias"):
        load_weights(model, weights, strict=True)
    with pytest.raises(CheckpointError, match=r"1 unused: tail"):
        load_weights(model, {**model.state_dict(), "tail": torch.ones(1)}, strict=True)
    assert_loaded(model, before)


def test_other_shapes_are_refused_unless_ignored(weights: dict[str, torch.Tensor]) -> None:
    model = TwoLayers(classes=5)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"2 of another shape: head.weight \[3, 4\] instead of \[5, 4\]") as error:
        load_weights(model, weights)
    assert error.value.report.mismatched[1] == ("head.bias", (3,), (5,))
    assert_loaded(model, before)
    load_weights(model, weights, ignore="head.")
    assert_loaded(model, {**weights, "head.weight": before["head.weight"], "head.bias": before["head.bias"]})


def test_foreign_checkpoints_are_refused(weights: dict[str, torch.Tensor]) -> None:
    with pytest.raises(
        CheckpointError, match=r"none of the model's keys: it has conv\.w; the model has body\.0\.weight"
    ):
        load_weights(TwoLayers(), {"state_dict": {"conv.w": torch.ones(1)}})
    with pytest.raises(CheckpointError, match=r"no weights under state_dict, .*; it has epoch, config"):
        load_weights(TwoLayers(), {"epoch": 3, "config": "x"})
    twice = {**with_prefix(weights, "student."), **with_prefix(weights, "teacher.")}
    with pytest.raises(CheckpointError, match=r"more than once, under student\., teacher\."):
        load_weights(TwoLayers(), twice)
    assert load_weights(TwoLayers(), twice, prefix="teacher.").prefix == "teacher."


def test_data_parallel_target(weights: dict[str, torch.Tensor]) -> None:
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        model = MMDistributedDataParallel(TwoLayers())
        load_weights(model, weights, strict=True)
    finally:
        torch.distributed.destroy_process_group()
    assert_loaded(model.module, weights)


def test_pretrained_weights_by_config(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save({"model": weights}, tmp_path / "official.pth")
    model = MODELS.build(
        {"type": "TwoLayers", "init_cfg": {"type": "SafePretrained", "checkpoint": str(tmp_path / "official.pth")}}
    )
    model.init_weights()
    assert_loaded(model, weights)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Leave the terminal alone."""


class Experiment:
    """What mmengine's Runner keeps: model, optimizer, scheduler and message hub, trained for two steps."""

    def __init__(self, name: str) -> None:
        self.model = TwoLayers()
        self.optimizer = OptimWrapper(torch.optim.AdamW(self.model.parameters(), lr=0.1))
        self.scheduler = CosineAnnealingLR(self.optimizer, T_max=10)
        self.hub = MessageHub.get_instance(name)

    def train(self) -> None:
        for step in range(2):
            self.optimizer.update_params(self.model(torch.ones(3, 2) * step).square().mean())
            self.scheduler.step()
            self.hub.update_scalar("train/loss", torch.tensor(0.5 + step))
        self.hub.update_info("best", np.float64(0.25))
        self.hub.update_info("per_class", np.array([0.5, 0.125]))
        self.hub.update_info("names", np.array(["car", "bus"]))

    def checkpoint(self) -> dict:
        return {
            "meta": {"epoch": 1, "iter": 2, "seed": 3, "dataset_meta": {"classes": ("car", "bus")}},
            "state_dict": self.model.state_dict(),
            "message_hub": self.hub.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "param_schedulers": [self.scheduler.state_dict()],
        }


@pytest.mark.usefixtures("mmengine_loaders")
def test_mmengine_resumes_its_own_checkpoints(tmp_path: Path) -> None:
    first, second = Experiment("checkpoint_first"), Experiment("checkpoint_second")
    first.train()
    file = str(tmp_path / "iter_2.pth")
    save_checkpoint(first.checkpoint(), file)
    with pytest.raises(Exception, match="Weights only load failed"):
        _load_checkpoint(file, map_location="cpu")

    register_safe_checkpoint_loader()
    checkpoint = _load_checkpoint(file, map_location="cpu")
    second.model.load_state_dict(checkpoint["state_dict"])
    second.optimizer.load_state_dict(checkpoint["optimizer"])
    second.scheduler.load_state_dict(checkpoint["param_schedulers"][0])
    second.hub.load_state_dict(checkpoint["message_hub"])

    assert_loaded(second.model, first.model.state_dict())
    assert second.optimizer.get_lr() == first.optimizer.get_lr()
    assert second.hub.get_scalar("train/loss").mean() == 1.0
    assert second.hub.get_scalar("train/loss").statistics("max") == 1.5
    assert second.hub.get_info("best") == 0.25
    assert second.hub.get_info("per_class").tolist() == [0.5, 0.125]
    assert second.hub.get_info("names").tolist() == ["car", "bus"]
    assert checkpoint["meta"] == first.checkpoint()["meta"]


@pytest.mark.usefixtures("mmengine_loaders")
def test_downloads_are_read_safely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("server", "hub"):
        (tmp_path / folder).mkdir()
    torch.save({"w": torch.ones(2)}, tmp_path / "server" / "good.pth")
    torch.save({"w": Attack(eval, "1 + 1")}, tmp_path / "server" / "bad.pth")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    register_safe_checkpoint_loader()
    handler = functools.partial(QuietHandler, directory=str(tmp_path / "server"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        first = _load_checkpoint(f"{address}/good.pth")
        with pytest.raises(CheckpointError, match="an object of eval"):
            _load_checkpoint(f"{address}/bad.pth")
        server.shutdown()
    again = _load_checkpoint(f"{address}/good.pth")  # kept: the server is gone
    assert first["w"].tolist() == again["w"].tolist() == [1.0, 1.0]


def test_allow_list_is_left_as_it_was(tmp_path: Path) -> None:
    torch.save({"args": argparse.Namespace(lr=0.1)}, tmp_path / "a.pth")
    with torch.serialization.safe_globals([(argparse.Namespace, "argparse.Namespace")]):
        before = set(torch.serialization.get_safe_globals())
        assert safe_load(tmp_path / "a.pth")["args"].lr == 0.1
        assert set(torch.serialization.get_safe_globals()) == before


def test_configs_of_absent_packages_are_read_as_dictionaries(
    weights: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, module = types.ModuleType("yacs"), types.ModuleType("yacs.config")
    module.CfgNode = type("CfgNode", (dict,), {"__module__": "yacs.config"})
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "yacs", package)
        patch.setitem(sys.modules, "yacs.config", module)
        config = module.CfgNode(MODEL=module.CfgNode(DEPTHS=[4, 4, 18, 4]))
        config.frozen = True
        torch.save({"model": weights, "config": config, "args": argparse.Namespace(lr=0.1)}, tmp_path / "official.pth")
    checkpoint = safe_load(tmp_path / "official.pth")
    assert checkpoint["config"]["MODEL"]["DEPTHS"] == [4, 4, 18, 4]
    assert checkpoint["args"].lr == 0.1


class Unknown:
    pass


def test_unknown_classes_are_named(tmp_path: Path) -> None:
    file = tmp_path / "unknown.pth"
    torch.save({"state_dict": {}, "extra": Unknown()}, file)
    with pytest.raises(CheckpointError, match=rf"unknown\.pth holds an object of \S*{Unknown.__name__}, .*`allow`"):
        safe_load(file)
    assert isinstance(safe_load(file, allow=[Unknown])["extra"], Unknown)


@pytest.mark.parametrize("attack", [Attack(eval, "1 + 1"), Attack(getattr, MessageHub, "load_state_dict")])
def test_calls_are_refused(attack: Attack, tmp_path: Path) -> None:
    torch.save({"state_dict": attack}, tmp_path / "attack.pth")
    with pytest.raises(CheckpointError, match="not on the list of safe types"):
        safe_load(tmp_path / "attack.pth")


def test_getattr_gives_nothing_but_statistics(tmp_path: Path) -> None:
    torch.save({"state_dict": Attack(getattr, HistoryBuffer, "__init__")}, tmp_path / "attack.pth")
    with pytest.raises(CheckpointError, match=r"an object of builtins\.getattr"):
        safe_load(tmp_path / "attack.pth")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("fraction", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_truncated_files_are_explained(zipped: bool, fraction: float, tmp_path: Path) -> None:
    file = tmp_path / "cut.pth"
    torch.save({"state_dict": {"w": torch.randn(1000)}}, file, _use_new_zipfile_serialization=zipped)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * fraction)])
    with pytest.raises(CheckpointError, match=r"cut\.pth \(\d+ bytes\) is damaged or cut short"):
        safe_load(file)


@pytest.mark.parametrize("content", [b"hello, I am no checkpoint\n", b"", b"<html>404</html>"])
def test_other_files_are_explained(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "page.pth"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"page\.pth \(\d+ bytes\) is no file written by torch\.save"):
        safe_load(file)


def test_absent_files_and_wrong_contents(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.pth doesn't exist"):
        load_weights(TwoLayers(), tmp_path / "nothing.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match=r"list\.pth holds a list"):
        load_weights(TwoLayers(), tmp_path / "list.pth")


@pytest.mark.filterwarnings("ignore::UserWarning")  # of torch, that such tensors are new or old
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda weight: weight.to_sparse(), r"weight head\.weight is sparse, nested, quantised"),
        (lambda weight: torch.nested.nested_tensor([weight]), r"weight head\.weight is sparse, nested"),
        (lambda weight: torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8), r"weight head\.weight is sparse"),
        (lambda weight: weight.to("meta"), r"weight head\.weight is .* without values"),
        (lambda weight: weight.to(torch.int32), r"head\.weight is torch\.int32, but the model's is torch\.float32"),
        (lambda weight: weight.to(torch.complex64), r"head\.weight is torch\.complex64"),
        (lambda weight: weight * torch.nan, r"head\.weight holds NaN"),
    ],
)
def test_strange_weights_are_refused_and_change_nothing(weights, spoil, message: str) -> None:
    model = TwoLayers()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=message):
        load_weights(model, {"state_dict": {**weights, "head.weight": spoil(weights["head.weight"])}})
    assert_loaded(model, before)


def test_shapes_alone_fit_a_model_of_shapes(weights) -> None:
    with torch.device("meta"):
        model = TwoLayers()
    report = load_weights(model, {key: value.to("meta") for key, value in weights.items()}, strict=True)
    assert len(report.loaded) == len(weights)


def test_weights_without_a_name_are_refused(weights, tmp_path: Path) -> None:
    torch.save({**weights, 5: torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"a\.pth: a weight is named 5, which is no text"):
        load_weights(TwoLayers(), tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"a\.pth: a weight is named 5, which is no text"):
        read_weights(tmp_path / "a.pth")
