"""Makes OpenMMLab packages import and run without mmcv's compiled extension, and beside transformers 5.

mmdet, mmdet3d, mmseg and mmpretrain import `mmcv.ops`, whose modules all load `mmcv._ext`: C++ and CUDA code that has
to be compiled for one torch version. `install()` (which `import bev` calls) serves that one module from torchvision,
`bev_ops` and plain PyTorch when it is missing. A user's full mmcv is found first and wins. `bev.compat.multimodal`
says what goes wrong with transformers 5.
"""

from __future__ import annotations

from bev.compat import finder, multimodal

__all__ = ["install", "uninstall"]


def install() -> None:
    """Puts the import hooks in place, once. Imports neither torch nor any OpenMMLab package."""
    finder.install()
    multimodal.install()


def uninstall() -> None:
    """Takes the hooks out again; what was already imported stays."""
    finder.uninstall()
    multimodal.uninstall()
