from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bev.engine.cli import (
    INTERNIMAGE,
    DictAction,
    add_experiment_arguments,
    at_least,
    device,
    finite,
    load_experiment,
    positive,
    seed_number,
)
from bev.engine.config import ConfigError
from bev.models.backbones.internimage import VARIANTS

TOOLS = Path(__file__).parents[2] / "tools"
HEAVY = {"torch", "torchvision", "mmdet", "mmdet3d", "mmcv", "transformers", "timm", "numba", "scipy", "nuscenes"}
HELP = """
import contextlib, io, json, runpy, sys

loaded = {}
for tool in sys.argv[1:]:
    before, sys.argv = set(sys.modules), [tool, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
        runpy.run_path(tool, run_name="__main__")
    assert "usage" in text.getvalue(), tool
    loaded[tool] = sorted(set(sys.modules) - before)
print(json.dumps(loaded))
"""


def test_help_imports_nothing_heavy() -> None:
    tools = sorted(map(str, TOOLS.glob("*.py")))
    run = subprocess.run([sys.executable, "-c", HELP, *tools], capture_output=True, text=True, check=True)
    loaded = json.loads(run.stdout)
    assert set(loaded) == set(tools)
    assert not {tool: found for tool, names in loaded.items() if (found := HEAVY & set(names))}


def test_backbones_on_offer_are_those_that_are_built() -> None:
    assert tuple(VARIANTS) == INTERNIMAGE


def test_overrides_without_a_value_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    assert parser.parse_args(["--cfg-options", "a.b=2", "c=[1,x]"]).cfg_options == {"a.b": 2, "c": [1, "x"]}
    with pytest.raises(SystemExit):
        parser.parse_args(["--cfg-options", "a.b=2", "c"])
    assert "argument --cfg-options: expected key.sub=value, not 'c'" in capsys.readouterr().err


def test_a_config_without_a_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data_only.py"
    path.write_text("data_root = 'data'")
    parser = argparse.ArgumentParser()
    add_experiment_arguments(parser)
    with pytest.raises(ConfigError, match=r"data_only\.py: not a config of an experiment: it has no model"):
        load_experiment(parser.parse_args([str(path)]))


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (at_least(2), "2", "1"), (at_least(2), "3", "2.5"), (positive, "0.1", "nan"), (positive, "3", "inf"),
        (finite, "-1", "nan"), (seed_number, "4294967295", "4294967296"), (device, "cpu", "foo"),
        (device, "cpu", "cuda:99"),
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_refused(kind: Callable, good: str, bad: str) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--it", type=kind)
    assert str(parser.parse_args(["--it", good]).it) in (good, f"{good}.0")
    with pytest.raises(argparse.ArgumentError):
        parser.parse_args([f"--it={bad}"])
