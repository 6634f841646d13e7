"""What the command-line tools share: arguments of an experiment, and one clear line for bad input.

Tools import what they work with once the command line is read: `--help` and a wrong option answer at once.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.config import DictAction as UncheckedDictAction

from bev.datasets.text_files import TextFileError, one_line, read_json, shorten
from bev.engine.tool_main import run_main

__all__ = [
    "INTERNIMAGE",
    "NARROWEST",
    "DictAction",
    "add_experiment_arguments",
    "add_results",
    "at_least",
    "device",
    "finite",
    "load_experiment",
    "positive",
    "read_metrics",
    "run_main",
    "seed_number",
]

INTERNIMAGE = ("t", "s", "b", "l", "xl", "h", "g")
"""Names of the published backbones; `bev.models.backbones.internimage.VARIANTS` tells what they are."""

NARROWEST = 64
"""Least width of a picture or camera image, pixels."""


class DictAction(UncheckedDictAction):
    """mmengine's `key.sub=value`, which refuses words without a value in argparse's way."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store the values."""
        for word in values or ():
            if not str(word).partition("=")[1]:
                parser.error(f"argument {option_string}: expected key.sub=value, not {word!r}")
        super().__call__(parser, namespace, values, option_string)


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


def add_results(parser: argparse._ActionsContainer, metavar: str, contents: str, **options: Any) -> None:
    """Add the predictions that a tool reads, `results`, which are called so on every command line.

    Args:
        parser: A parser, or a group of one.
        metavar: FILE or DIR.
        contents: What is in there, for the help.
        **options: Of `add_argument`.
    """
    parser.add_argument("--results", "--predictions", metavar=metavar, help=contents, **options)


def load_experiment(args: argparse.Namespace) -> Config:
    """Read the config that the arguments name, with overrides, data root and work dir.

    Raises:
        ConfigError: If the config or an override cannot be used, or it describes no model.
    """
    from bev.engine.config import ConfigError, load_config
    from bev.engine.data_config import set_data_root

    config = load_config(args.config, args.cfg_options)
    if "model" not in config:
        raise ConfigError(f"{args.config}: not a config of an experiment: it has no model")
    if args.data_root:
        set_data_root(config, args.data_root)
    config.work_dir = args.work_dir or config.get("work_dir") or str(Path("work_dirs") / Path(args.config).stem)
    return config


def read_metrics(path: str | Path) -> dict[str, float]:
    """Numbers by name that an earlier run of a tool wrote as JSON.

    Raises:
        TextFileError: If the file holds something else.
        OSError: If it can't be read.
    """
    advice = "delete it and run again"
    metrics = read_json(path, dict, advice)
    for name, value in metrics.items():
        if not isinstance(value, (int, float)):
            raise TextFileError(f"{path}: {name!r} is {shorten(value)}, not a number; {advice}")
    return metrics


def at_least(least: int) -> Callable[[str], int]:
    """An argument's type: a whole number from `least` on."""

    def whole_number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a number of at least {least}, not {text}")
        return int(text)

    return whole_number


def positive(text: str) -> float:
    """An argument's type: a number above 0."""
    if not 0 < float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {text}")
    return float(text)


def finite(text: str) -> float:
    """An argument's type: a number that is neither NaN nor infinite."""
    if not math.isfinite(float(text)):
        raise argparse.ArgumentTypeError(f"expected a number, not {text}")
    return float(text)


def seed_number(text: str) -> int:
    """An argument's type: a seed that Python's, NumPy's and torch's generators take."""
    if not 0 <= int(text) < 2**32:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to {2**32 - 1}, not {text}")
    return int(text)


def device(text: str) -> str:
    """An argument's type: a device that torch finds on this machine, such as cpu, cuda or cuda:1."""
    if text == "cpu":  # not worth the seconds that torch takes to import
        return text
    import torch

    try:
        found = torch.empty(0, device=text).is_meta
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        raise argparse.ArgumentTypeError(f"no device {text} here: {one_line(error)[:200]}") from error
    if found:
        raise argparse.ArgumentTypeError("the device meta computes nothing")
    return text
