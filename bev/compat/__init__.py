"""Makes OpenMMLab packages import and run without mmcv's compiled extension.

mmdet, mmdet3d, mmseg and mmpretrain import `mmcv.ops`, whose modules all load `mmcv._ext`: C++ and CUDA code that has
to be compiled for one torch version. `install()` (which `import bev` calls) serves that one module from torchvision,
`bev_ops` and plain PyTorch when it is missing. A user's full mmcv is found first and wins. It also keeps mmpretrain
importable beside a transformers that is newer than its multimodal models (`bev.compat.multimodal`).
"""

from __future__ import annotations

from bev.compat import finder, multimodal

__all__ = ["install", "uninstall"]


def install() -> None:
    """Puts both hooks in place, once. Imports neither torch nor an OpenMMLab package."""
    finder.install()
    multimodal.install()


def uninstall() -> None:
    """Takes both hooks out again; what was imported meanwhile stays imported."""
    finder.uninstall()
    multimodal.uninstall()
