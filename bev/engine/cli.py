"""What the command-line tools share: arguments of an experiment, and one clear line for bad input.

Tools import what they work with once the command line is read: `--help` and a wrong option answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from mmengine.config import Config, DictAction

INTERNIMAGE = ("t", "s", "b", "l", "xl", "h", "g")
"""Names of the published backbones; `bev.models.backbones.internimage.VARIANTS` tells what they are."""


def add_experiment_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what training and evaluation take alike, from the config on."""
    parser.add_argument("config", help="config file")
    parser.add_argument("--work-dir", help="where everything is written; work_dirs/CONFIG_NAME without it")
    parser.add_argument(
        "--data-root",
        help="where the data lies, or, of several data sets, what holds all their folders; as in the config without it",
    )
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, default={}, help="overrides, as key.sub=value")
    parser.add_argument("--launcher", choices=("none", "pytorch", "slurm", "mpi"), default="none")
    parser.add_argument("--local-rank", "--local_rank", type=int, default=0, help=argparse.SUPPRESS)


def load_experiment(args: argparse.Namespace) -> Config:
    """Read the config that the arguments name, with overrides, data root and work dir.

    Raises:
        ConfigError: If the config or an override cannot be used.
    """
    from bev.engine.config import load_config
    from bev.engine.data_config import set_data_root

    config = load_config(args.config, args.cfg_options)
    if args.data_root:
        set_data_root(config, args.data_root)
    config.work_dir = args.work_dir or config.get("work_dir") or str(Path("work_dirs") / Path(args.config).stem)
    return config


def run_main(main: Callable[[], int | None]) -> None:
    """Run a tool's main function and exit with its status.

    An error that this package or a project raises on purpose, or that the file system reports, ends as one line and
    status 1; anything else keeps its traceback. `BEV_TRACEBACK=1` keeps it for all.
    """
    try:
        status = main() or 0
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        expected = isinstance(error, OSError) or type(error).__module__.partition(".")[0] in ("bev", "projects")
        if not expected or os.environ.get("BEV_TRACEBACK"):
            raise
        sys.exit(f"error: {error}")
    sys.exit(status)
