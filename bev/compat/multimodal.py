"""Import hook that keeps mmpretrain importable beside transformers 5.

mmpretrain 1.2 imports its language models as soon as transformers is installed, and fails with transformers 5, which
moved and dropped functions that these models use. mmdet and mmdet3d import mmpretrain where it is installed, so they
fail with it. With transformers 5, `SwitchFinder` lets mmpretrain register the placeholders that it has for environments
without transformers: only its multimodal models are lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from bev.compat.packages import installed_version, release

SWITCH = "mmpretrain.utils.dependency"
FIRST_INCOMPATIBLE = 5


class SwitchLoader(Loader):
    """Runs mmpretrain's own module and turns its multimodal models off.

    Args:
        loader: The module's own loader.
    """

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """What the module's own loader makes."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Executes the module; the switch is a constant that it computes from what is installed."""
        self.loader.exec_module(module)
        module.WITH_MULTIMODAL = False  # type: ignore[attr-defined]


class SwitchFinder(MetaPathFinder):
    """Answers for the one module that holds the switch, and only where transformers is too new."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's own spec with the loader wrapped; None for every other name."""
        if fullname != SWITCH or not transformers_is_too_new():
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = SwitchLoader(spec.loader)
        return spec


def transformers_is_too_new() -> bool:
    """Whether the installed transformers is one that mmpretrain 1.2 fails with; imports nothing."""
    version = installed_version("transformers")
    return version is not None and release(version)[0] >= FIRST_INCOMPATIBLE
