#!/usr/bin/env python3
"""Prints a table of models: their sizes, computed here, beside what their authors published.

tools/model_zoo.py                              the table of docs/model_zoo.md
tools/model_zoo.py configs/openlane_*.py
tools/model_zoo.py projects/detection/configs
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bev.engine.cli import at_least, run_main

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "configs", nargs="*", type=Path, default=[CONFIGS], help="config files or folders of them; configs without any"
    )
    parser.add_argument(
        "--size",
        type=at_least(1),
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="for image models; each config's own without it",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the models that the arguments name."""
    import bev

    args = parse_args(arguments)
    bev.register_all()
    from bev.engine.size_report import find_configs, table

    for line in table(find_configs(args.configs), args.size and tuple(args.size)):
        print(line, flush=True)


if __name__ == "__main__":
    run_main(main)
