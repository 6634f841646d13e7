from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import torch
from bev.compat.device_contexts import settle_device_contexts

settle_device_contexts()
original = torch.linspace
torch.linspace = lambda *args, **options: original(*args, **{"device": "cpu", **options})
with torch.device("meta"):
    torch.empty(0)
torch.linspace = original
with torch.device("meta"):
    print(torch.linspace(0, 1, 3).device)
"""


def test_contexts_reach_linspace_after_its_replacement() -> None:
    """In a process in which another package has replaced `torch.linspace` for a while, as transformers does."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "meta"
