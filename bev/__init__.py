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


def register_all() -> None:
    """Imports every module of `bev`, so that mmengine's registries know all our models, datasets, hooks and metrics.

    Raises:
        ImportError: whatever a module raises on import; nothing is skipped.
    """
    for module in pkgutil.walk_packages(__path__, prefix=f"{__name__}."):
        importlib.import_module(module.name)
