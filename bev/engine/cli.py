"""What the command-line tools share: arguments of an experiment, and one clear line for bad input.

Tools import what they work with once the command line is read: `--help` and a wrong option answer at once.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.config import DictAction as UncheckedDictAction

from bev.datasets.parallel import INTERRUPTED
from bev.datasets.text_files import read_json

INTERNIMAGE = ("t", "s", "b", "l", "xl", "h", "g")
"""Names of the published backbones; `bev.models.backbones.internimage.VARIANTS` tells what they are."""

OURS = ("bev", "projects")  # packages whose errors are told in one line
WORKER_TRACEBACK = "Original Traceback (most recent call last):"  # in what torch makes of a data worker's error


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
    return read_json(path, dict, "delete it and run again")


def run_main(main: Callable[[], int | None]) -> None:
    """Run a tool's main function and exit with its status.

    An error that this package or a project raises on purpose, or that the file system reports, ends as one line and
    status 1; anything else keeps its traceback. `BEV_TRACEBACK=1` keeps it for all. Ctrl-C and SIGTERM give status 130.
    """
    status: int | str = 0
    interrupted = False
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is half-written goes
    try:
        status = main() or 0
    except KeyboardInterrupt:
        interrupted = True
    except Exception as error:
        interrupted = _hides_interrupt(error)
        if not interrupted and (not _is_expected(error) or os.environ.get("BEV_TRACEBACK")):
            raise
        status = f"error: {_message_of(error)}"
    finally:
        signal.signal(signal.SIGTERM, before)
    # By now the error's frames are gone, and with them progress bars, which would write below the message.
    if interrupted:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    sys.exit(status)


def _hides_interrupt(error: BaseException) -> bool:
    """Whether Ctrl-C made an error: mmengine turns it into a SyntaxError while it formats a config."""
    context = error.__context__
    return context is not None and (isinstance(context, KeyboardInterrupt) or _hides_interrupt(context))


def _is_expected(error: Exception) -> bool:
    """Whether an error tells what is wrong with the input, and not with the program."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in OURS


def _message_of(error: Exception) -> str:
    """What an error says, without the traceback that torch writes into that of a data worker."""
    message = str(error)
    if WORKER_TRACEBACK not in message:
        return message
    return message.rpartition(f"{type(error).__name__}: ")[2].strip()
