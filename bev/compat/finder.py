"""Import hook that serves `mmcv._ext` where mmcv's own compiled extension is not installed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

EXTENSION = "mmcv._ext"
STAND_IN = "bev.compat.mmcv_ext"


class StandInLoader(Loader):
    """Fills `mmcv._ext` with the functions of `bev.compat.mmcv_ext`, which imports torch only now."""

    def exec_module(self, module: ModuleType) -> None:
        """Copies the served ops into the module and lets it answer for the others."""
        stand_in = importlib.import_module(STAND_IN)
        vars(module).update(stand_in.SERVED_OPS)
        module.__doc__ = stand_in.__doc__
        module.__getattr__ = stand_in.unserved_op  # type: ignore[method-assign]


class StandInFinder(MetaPathFinder):
    """Answers for `mmcv._ext` only; standing last in `sys.meta_path`, it is asked when no real one was found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the stand-in's spec for `mmcv._ext` and None for every other name."""
        if fullname != EXTENSION:
            return None
        return ModuleSpec(fullname, StandInLoader(), origin=STAND_IN)
