from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import torch
from bev.compat.device_contexts import settle_device_contexts

if {settled}:
    settle_device_contexts()
original = torch.linspace
torch.linspace = lambda *args, **options: original(*args, **{{"device": "cpu", **options}})
with torch.device("meta"):
    torch.empty(0)
torch.linspace = original
with torch.device("meta"):
    print(torch.linspace(0, 1, 3).device)
"""


def device_of_linspace(settled: bool) -> str:
    """In a process in which another package has replaced `torch.linspace` for a while, as transformers does."""
    script = SCRIPT.format(settled=settled)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_contexts_reach_linspace_after_its_replacement() -> None:
    assert device_of_linspace(settled=False) == "cpu"  # what goes wrong without
    assert device_of_linspace(settled=True) == "meta"
