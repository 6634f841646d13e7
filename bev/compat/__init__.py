"""Makes OpenMMLab packages import and run without mmcv's compiled extension.

mmdet, mmdet3d, mmseg and mmpretrain import `mmcv.ops`, whose modules all load `mmcv._ext`: C++ and CUDA code that has
to be compiled for one torch version. `install()` (which `import bev` calls) serves that one module from torchvision,
`bev_ops` and plain PyTorch when it is missing. A user's full mmcv is found first and wins.
"""

from __future__ import annotations

from bev.compat.finder import install, uninstall

__all__ = ["install", "uninstall"]
