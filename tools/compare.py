#!/usr/bin/env python3
"""Trains and evaluates several configs with several seeds and prints a table of what came out. Resumable.

Each run's folder, WORK_DIR/CONFIG_NAME/seedN, notes how it is made, in options.json: numbers of another config, data
root or set of options are refused, not printed.

tools/compare.py configs/a.py configs/b.py --seeds 0 1 2 --work-dir work_dirs/comparison \
    --cfg-options train_cfg.max_epochs=1 param_scheduler.1.T_max=1
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bev.engine.cli import read_metrics, run_main, seed_number
from bev.engine.run_options import note_options, options_are_noted
from bev.errors import InputError

TOOLS = Path(__file__).resolve().parent
METRICS = ("mAP", "NDS", "mATE")


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+", type=Path)
    parser.add_argument("--seeds", nargs="+", type=seed_number, default=[0, 1, 2])
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/comparison"))
    parser.add_argument("--data-root", help="where the data lies; the configs' data_root without it")
    parser.add_argument("--cfg-options", nargs="+", default=[], help="overrides for all, as key.sub=value")
    return parser.parse_args(arguments)


def run(config: Path, seed: int, options: argparse.Namespace) -> dict[str, float]:
    """Train and evaluate once, unless that is done.

    A folder of results without a note of their options gets one once the results have proved to be whole.

    Raises:
        InputError: If the folder's results come from other options, or from another evaluation than nuScenes'.
        SystemExit: If a tool fails; its own message stands above.
    """
    folder = options.work_dir / config.stem / f"seed{seed}"
    result = folder / "test" / "test_metrics.json"
    data = ["--data-root", options.data_root] if options.data_root else []
    overrides = ["--cfg-options", f"randomness.seed={seed}", *options.cfg_options]
    made_with = {
        "config": str(config.resolve()),
        "data_root": options.data_root,
        "cfg_options": dict(word.partition("=")[::2] for word in options.cfg_options),
    }
    unknown = not options_are_noted(folder, made_with)
    adopted = unknown and folder.exists() and any(folder.iterdir())
    if adopted:
        print(f"{folder}: nothing says what its results were made with; they are taken to be of these options")
    elif unknown:
        note_options(folder, made_with)
    checkpoint = folder / "train" / "final.pth"
    commands = (
        (checkpoint, ["train.py", config, "--work-dir", checkpoint.parent, "--resume", *data, *overrides]),
        (result, ["test.py", config, checkpoint, "--work-dir", result.parent, *data, *overrides]),
    )
    for output, command in commands:
        if not output.exists():
            print(f"{config.stem}, seed {seed}: tools/{' '.join(map(str, command))}", flush=True)
            words = [str(word) for word in command]
            status = subprocess.run([sys.executable, str(TOOLS / words[0]), *words[1:]], check=False).returncode
            if status or not output.exists():
                sys.exit(f"{config.stem}, seed {seed} failed; run again: what is finished is kept")
    metrics = {key.removeprefix("nuscenes/"): value for key, value in read_metrics(result).items()}
    missing = [metric for metric in METRICS if metric not in metrics]
    if missing:
        raise InputError(f"{result}: no {', '.join(missing)}: only evaluations by nuScenes' metrics are compared")
    if adopted:
        note_options(folder, made_with)
    return metrics


def table(results: dict[str, list[dict[str, float]]]) -> list[str]:
    """Markdown rows: mean and standard deviation over the seeds, then the single values of the first metric."""
    lines = [f"| config | {' | '.join(METRICS)} | {METRICS[0]} of each seed |", "|" + "---|" * (len(METRICS) + 2)]
    for name, runs in results.items():
        cells = []
        for metric in METRICS:
            values = [run[metric] for run in runs]
            spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
            cells.append(f"{np.mean(values):.3f} ± {spread:.3f}")
        singles = " ".join(f"{run[METRICS[0]]:.3f}" for run in runs)
        lines.append(f"| {name} | {' | '.join(cells)} | {singles} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the tool with these arguments, or the command line's."""
    options = parse_args(arguments)
    stems = [config.stem for config in options.configs]
    if len(set(stems)) < len(stems):
        name = next(stem for stem in stems if stems.count(stem) > 1)
        raise InputError(f"{stems.count(name)} configs are called {name}; results are kept by name: rename all but one")
    results: dict[str, list[dict[str, float]]] = {config.stem: [] for config in options.configs}
    for seed in options.seeds:
        for config in options.configs:
            results[config.stem].append(run(config, seed, options))
    print("\n".join(table(results)))


if __name__ == "__main__":
    run_main(main)
