"""Tools as tests take them: as modules, or run in this process as from the command line."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import runpy
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from bev.engine.cli import run_main

TOOLS = Path(__file__).parents[1] / "tools"


def load_tool(name: str) -> ModuleType:
    """A tool's module, under a name that no other module has."""
    specification = importlib.util.spec_from_file_location(f"{name}_tool", TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


def run_tool(name: str, *arguments: object) -> int | None:
    """Runs a tool's main function with these arguments on the command line; returns what it does."""
    before, sys.argv = sys.argv, [name, *map(str, arguments)]
    try:
        return runpy.run_path(str(TOOLS / f"{name}.py"))["main"]()
    finally:
        sys.argv = before


def hear_interrupts() -> None:
    """For `preexec_fn`: a process hears Ctrl-C, though a shell in whose background the tests run has turned it off."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Finished:
    """What a command leaves behind: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The message that begins with "error: ", to the end."""
        return self.err[self.err.rfind("error: ") :].strip() if "error: " in self.err else ""


def finish_tool(name: str, *arguments: object) -> Finished:
    """Runs a tool in this process as `python tools/NAME.py ARGUMENTS` would; what is not expected is raised."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run_main(functools.partial(run_tool, name, *arguments))
        except SystemExit as end:
            if isinstance(end.code, str):
                print(f"\n{end.code}", file=err)
            status = 1 if isinstance(end.code, str) else int(end.code or 0)
    return Finished(status, out.getvalue(), err.getvalue())
