from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bev.engine.cli import INTERNIMAGE
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
