"""Tools as tests take them: as modules, or run in this process as from the command line."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path
from types import ModuleType

TOOLS = Path(__file__).parents[1] / "tools"


def load_tool(name: str) -> ModuleType:
    """A tool's module, under a name that no other module has."""
    specification = importlib.util.spec_from_file_location(f"{name}_tool", TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


def run_tool(name: str, *arguments: object) -> None:
    """Runs a tool's main function with these arguments on the command line."""
    before, sys.argv = sys.argv, [name, *map(str, arguments)]
    try:
        runpy.run_path(str(TOOLS / f"{name}.py"))["main"]()
    finally:
        sys.argv = before
