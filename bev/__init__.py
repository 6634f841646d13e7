"""Camera bird's-eye-view perception: 3D detection, occupancy and lane topology on multi-camera InternImage backbones.

`import bev` is cheap: it imports neither torch nor an OpenMMLab package, but puts the hook in place through which those
packages import without mmcv's compiled extension (see `bev.compat`).
"""

from __future__ import annotations

import importlib
import pkgutil

from bev import compat
from bev.version import __version__

compat.install()

__all__ = ["__version__", "register_all"]

NEEDS_EXTRA = ("bev.models.backbones.huggingface",)  # of optional packages, imported by who wants it


def register_all() -> None:
    """Imports every module of `bev`, so that mmengine's registries know all our models, datasets, hooks and metrics.

    Only what serves an optional package is left out.

    Raises:
        ImportError: whatever a module raises on import; nothing is skipped.
    """
    for module in pkgutil.walk_packages(__path__, prefix=f"{__name__}."):
        if module.name not in NEEDS_EXTRA:
            importlib.import_module(module.name)
