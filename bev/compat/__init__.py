"""Makes OpenMMLab packages import and run without mmcv's compiled extension, and beside transformers 5.

mmdet, mmdet3d, mmseg and mmpretrain import `mmcv.ops`, whose modules all load `mmcv._ext`: C++ and CUDA code that has
to be compiled for one torch version. `install()` (which `import bev` calls) serves that one module from torchvision,
`bev_ops` and plain PyTorch when it is missing. A user's full mmcv is found first and wins. `bev.compat.multimodal`
says what goes wrong with transformers 5.
"""

from __future__ import annotations

import sys

from bev.compat.finder import StandInFinder
from bev.compat.multimodal import SwitchFinder

__all__ = ["install", "uninstall"]


def install() -> None:
    """Puts the import hooks in place, once. Imports neither torch nor any OpenMMLab package."""
    present = {type(finder) for finder in sys.meta_path}
    if SwitchFinder not in present:
        sys.meta_path.insert(0, SwitchFinder())  # before the finder of the module that it changes
    if StandInFinder not in present:
        sys.meta_path.append(StandInFinder())  # a user's own extension comes first


def uninstall() -> None:
    """Takes the hooks out again; what was already imported stays."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, (StandInFinder, SwitchFinder))]
