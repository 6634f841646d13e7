"""Keeps `with torch.device(...)` whole beside transformers 5.

torch makes a list of the functions that such a context redirects when a tensor is first created inside of one.
transformers 5 replaces `torch.linspace` while it builds a model, inside of such a context: where it is the first to
enter one, the list holds the replacement, and `torch.linspace` ignores contexts for as long as the process runs.
"""

from __future__ import annotations

import torch


def settle_device_contexts() -> None:
    """Lets torch make its list now. Modules that load models of transformers call it when they are imported."""
    with torch.device("cpu"):
        torch.empty(0)
