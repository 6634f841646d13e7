"""The examples of docs/extending.md, written to files as the page says, and run."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import bev_ops
import cv2
import numpy as np
import pytest
import torch
from tool_runs import run_tool
from torch.utils.cpp_extension import include_paths, library_paths

import projects
from bev.errors import InputError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
SCHEMA = re.search(r'^ +m\.def\("(.*)"\);$', PAGE, re.MULTILINE).group(1)
COMPILER = shutil.which(os.environ.get("CXX", "g++"))
CONFIG = "projects/counting/configs/count.py"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's files, which Python finds beside those of this checkout."""
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.setattr(projects, "__path__", [*projects.__path__, str(tmp_path / "projects")])
    monkeypatch.setattr(bev_ops, "__path__", [*bev_ops.__path__, str(tmp_path / "ops")])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_head_metric_data_set_and_config(checkout: Path) -> None:
    picture = checkout / "data" / "mine" / "front" / "0000.jpg"
    picture.parent.mkdir()
    make_index = importlib.import_module("projects.counting.make_index").main
    with pytest.raises(InputError, match=r"front/0000\.jpg: no image that can be read"):
        make_index(checkout / "data" / "mine")
    cv2.imwrite(str(picture), np.random.default_rng(0).integers(0, 255, (96, 256, 3), np.uint8))
    make_index(checkout / "data" / "mine")
    steps = ("train_dataloader.num_workers=0", "val_dataloader.num_workers=0", "test_dataloader.num_workers=0")
    run_tool("test", CONFIG, "--out", "before.json", "--cfg-options", *steps)
    run_tool("train", CONFIG, "--cfg-options", *steps, "train_cfg.max_epochs=30", "train_cfg.val_interval=30")
    run_tool("test", CONFIG, "work_dirs/count/final.pth", "--cfg-options", *steps)
    before = json.loads((checkout / "before.json").read_text())["count/mean_error"]
    after = json.loads((checkout / "work_dirs" / "count" / "test_metrics.json").read_text())["count/mean_error"]
    assert after < 0.9 * before


def library(checkout: Path) -> Path:
    """The page's kernel, compiled with the flags of ops/setup.py."""
    built = checkout / "squared_relu.so"
    stable_abi = ("-DTORCH_STABLE_ONLY", "-DTORCH_TARGET_VERSION=0x020a000000000000")
    flags = ["-O1", "-std=c++17", "-Wall", "-Werror", *stable_abi, "-fPIC", "-shared"]
    torch_libraries = [*(f"-L{path}" for path in library_paths()), "-lc10", "-ltorch_cpu", "-ltorch"]
    folders = [f"-I{path}" for path in (ROOT / "ops" / "csrc", *include_paths())]
    kernel = checkout / "ops" / "csrc" / "squared_relu" / "squared_relu_cpu.cpp"
    command = [COMPILER, *flags, *folders, str(kernel), *torch_libraries, "-o", str(built)]
    subprocess.run(command, check=True)
    return built


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
@pytest.mark.skipif(bev_ops.backends()["dcnv3"]["cpu"] != "compiled", reason="the operators are not compiled")
def test_op(checkout: Path) -> None:
    schemas = torch.library.Library("bev_ops", "FRAGMENT")  # ends with its owner, this function
    schemas.define(SCHEMA)
    torch.ops.load_library(library(checkout))
    op = importlib.import_module("bev_ops.squared_relu.op").squared_relu
    reference = importlib.import_module("bev_ops.squared_relu.reference").squared_relu
    x = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for given in (x, x.float(), x.t(), x[:0]):
        torch.testing.assert_close(op(given), reference(given))
    assert op(torch.tensor(float("nan"))).isnan()
    assert torch.autograd.gradcheck(op, x)
    torch.library.opcheck(torch.ops.bev_ops.squared_relu, (x,))
    with pytest.raises(RuntimeError, match="float32 or float64"):
        op(x.to(torch.bfloat16))


def test_the_page_has_all_examples() -> None:
    suffixes = sorted(Path(name).suffix for name in FILES)
    assert suffixes == [".cpp", ".json", *[".py"] * 7]
