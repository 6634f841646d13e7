"""Keeps mmpretrain's image and text models out where their transformers is too new for them.

mmpretrain 1.2 imports them wherever transformers and pycocotools are installed. They are written for transformers 4,
whose `modeling_utils` had helpers that version 5 lacks, so with that mmpretrain fails to import at all. Without them it
offers everything else, and says what is missing when one of them is built.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

SWITCH = "mmpretrain.utils.dependency"
FIRST_UNSUPPORTED = 5  # major version of transformers


class SwitchLoader(Loader):
    """Loads mmpretrain's own module and then switches its `WITH_MULTIMODAL` off."""

    def __init__(self, own: Loader) -> None:
        self.own = own

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module as mmpretrain ships it."""
        self.own.exec_module(module)
        vars(module)["WITH_MULTIMODAL"] = False


class SwitchFinder(MetaPathFinder):
    """Answers for the module that holds the switch, if transformers is too new, and for no other."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the module's own spec with our loader around its own, or None."""
        if fullname != SWITCH or not transformers_too_new():
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = SwitchLoader(spec.loader)
        return spec


def transformers_too_new() -> bool:
    """Whether the installed transformers, if any, is one that mmpretrain's models can't be imported with."""
    try:
        version = importlib.metadata.version("transformers")
    except importlib.metadata.PackageNotFoundError:
        return False
    return int(version.partition(".")[0]) >= FIRST_UNSUPPORTED


def install() -> None:
    """Puts the finder at the start of `sys.meta_path`, once: the usual ones would find the module, too."""
    if not any(isinstance(finder, SwitchFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, SwitchFinder())


def uninstall() -> None:
    """Takes the finder out again."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, SwitchFinder)]
