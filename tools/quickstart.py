"""The whole job on a made world: data, index, training, evaluation, submission and pictures; `make demo` calls this.

Every step runs the tool that a user of real data would run, prints the command, and is skipped on a second run if it
had finished. Delete the work directory to start over, and the data root to make another world.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bev
from bev.datasets.nuscenes.classes import CLASSES
from bev.datasets.text_files import read_json, write_json
from bev.engine.cli import at_least, read_metrics, run_main
from bev.engine.run_options import note_options, options_are_noted
from bev.errors import InputError

TOOLS = Path(__file__).resolve().parent
CONFIG = TOOLS.parent / "configs" / "bevformerv2_internimage_nano_synthetic.py"
VERSION = "v1.0-trainval"
TP_ERRORS = ("mATE", "mASE", "mAOE", "mAVE", "mAAE")


@dataclass(frozen=True)
class Step:
    """One command of the demo: what it is for, the tool with its arguments, and the file that shows it is done."""

    title: str
    command: list[str]
    result: Path


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/demo"))
    parser.add_argument("--data-root", type=Path, default=Path("data/synthetic"))
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--scenes", type=at_least(1), default=86, help="scenes to train on")
    parser.add_argument("--val-scenes", type=at_least(1), default=10, help="held-out scenes")
    parser.add_argument("--frames", type=at_least(1), default=10, help="key frames per scene")
    parser.add_argument("--workers", type=at_least(1), default=2)
    parser.add_argument("--epochs", type=at_least(1), help="train for other than the config's number of epochs")
    return parser.parse_args(arguments)


def plan(args: argparse.Namespace) -> list[Step]:
    """List the steps in order."""
    work, root, config = args.work_dir, args.data_root, str(args.config)
    version, checkpoint = VERSION, work / "train" / "final.pth"
    index, results = root / "nuscenes_infos_val.pkl", work / "test" / "results_nusc.json"
    data = ["--data-root", str(root)]
    schedule = []
    if args.epochs:
        schedule = ["--cfg-options", f"train_cfg.max_epochs={args.epochs}", f"param_scheduler.1.T_max={args.epochs}"]
    drawing = ["--root", str(root), "--index", str(index), "--results", str(results)]
    return [
        Step(
            "make a driving world in nuScenes format",
            ["create_synthetic.py", "nuscenes", "--root", str(root), "--scenes", str(args.scenes), "--val-scenes",
             str(args.val_scenes), "--frames", str(args.frames), "--workers", str(args.workers)],
            root / version / "sample.json",
        ),
        Step(
            "index it",
            ["create_data.py", "nuscenes", "--root", str(root), "--version", version, "--workers", str(args.workers)],
            index,
        ),
        Step(
            "evaluate the untrained model",
            ["test.py", config, "--work-dir", str(work / "untrained"), *data],
            work / "untrained" / "test_metrics.json",
        ),
        Step(
            "train",
            ["train.py", config, "--work-dir", str(work / "train"), "--resume", *data, *schedule],
            checkpoint,
        ),
        Step(
            "evaluate on held-out scenes",
            ["test.py", config, str(checkpoint), "--work-dir", str(work / "test"), *data],
            work / "test" / "test_metrics.json",
        ),
        Step(
            "validate and pack the submission",
            ["submit.py", "nuscenes", "--results", str(results), "--root", str(root), "--version", version, "--split",
             "val", "--out", str(work / "submission")],
            work / "submission" / "results_nusc.zip",
        ),
        Step(
            "draw",
            ["visualize.py", "nuscenes", *drawing, "--out", str(work / "figures"), "--count", "6", "--video",
             str(work / "demo.mp4"), "--scalars", str(work / "train")],
            work / "demo.mp4",
        ),
    ]  # fmt: skip


def check_options(args: argparse.Namespace) -> None:
    """Note the options in the work directory.

    Raises:
        InputError: If finished steps there, or the world in the data root, are of other options.
    """
    names = ("scenes", "val_scenes", "frames", "epochs")
    options = {name: getattr(args, name) for name in names}
    options |= {name: str(getattr(args, name).resolve()) for name in ("config", "data_root")}
    if not options_are_noted(args.work_dir, options):
        note_options(args.work_dir, options)
    table = args.data_root / VERSION / "scene.json"
    if table.exists():
        scenes = read_json(table, list, "delete the data root and run again")
        wanted, found = args.scenes + args.val_scenes, sorted({int(scene["nbr_samples"]) for scene in scenes})
        if len(scenes) != wanted or found != [args.frames]:
            raise InputError(
                f"{args.data_root} has {len(scenes)} scenes of {', '.join(map(str, found))} frames, not {wanted} of "
                f"{args.frames}: delete it, or name another --data-root"
            )


def run_step(number: int, total: int, step: Step) -> float:
    """Run one step unless its result is there; returns the seconds it took.

    Raises:
        SystemExit: If the tool fails; its own message stands above.
    """
    print(f"\n[{number}/{total}] {step.title}", flush=True)
    if step.result.exists():
        print(f"    done before: {step.result}", flush=True)
        return 0.0
    print(f"    python tools/{' '.join(step.command)}", flush=True)
    start = time.monotonic()
    status = subprocess.run([sys.executable, str(TOOLS / step.command[0]), *step.command[1:]], check=False).returncode
    if status or not step.result.exists():
        sys.exit(f"step {number} ({step.title}) failed; fix the error above and run again: finished steps are kept")
    return time.monotonic() - start


def collect_metrics(work_dir: Path) -> dict:
    """Join the evaluations before and after training and the training time into the demo's metrics.

    Raises:
        InputError: If a number is missing; names its file.
    """
    trained = _numbers(work_dir / "test" / "test_metrics.json", "NDS", "mAP", *TP_ERRORS)
    untrained = _numbers(work_dir / "untrained" / "test_metrics.json", "mAP")
    time = _numbers(work_dir / "train" / "train_time.json", "train_seconds")
    per_class = {
        name: {key.removeprefix(f"{name}_"): value for key, value in trained.items() if key.startswith(f"{name}_")}
        for name in CLASSES
    }
    summary = {key: trained[key] for key in ("NDS", "mAP", *TP_ERRORS)}
    return summary | {
        "per_class": per_class,
        "train_seconds": time["train_seconds"],
        "baseline_mAP": untrained["mAP"],
    }


def _numbers(path: Path, *needed: str) -> dict[str, float]:
    """What an evaluation or training wrote, without the metric's prefix."""
    numbers = {key.removeprefix("nuscenes/"): value for key, value in read_metrics(path).items()}
    missing = [name for name in needed if name not in numbers]
    if missing:
        raise InputError(f"{path}: no number {missing[0]!r}; delete it and run again")
    return numbers


def _newest_log(folder: Path) -> Path:
    logs = sorted(folder.glob("*/*.log"))
    if not logs:
        raise InputError(f"{folder}: the training left no log; delete this folder and run again")
    return logs[-1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all steps and print what came out."""
    args = parse_args(arguments)
    bev.register_all()
    args.work_dir.mkdir(parents=True, exist_ok=True)
    check_options(args)
    steps = plan(args)
    start = time.monotonic()
    for number, step in enumerate(steps, start=1):
        run_step(number, len(steps), step)
    shutil.copyfile(_newest_log(args.work_dir / "train"), args.work_dir / "train.log")
    metrics = collect_metrics(args.work_dir)
    write_json(args.work_dir / "metrics.json", metrics, indent=2)
    print(f"\nheld-out mAP {metrics['mAP']:.3f} (untrained {metrics['baseline_mAP']:.3f}), NDS {metrics['NDS']:.3f}")
    for name, values in metrics["per_class"].items():
        print(f"    {name:22s} AP {values['AP']:.3f}")
    print(
        f"trained in {metrics['train_seconds'] / 60:.1f} min; all steps took {(time.monotonic() - start) / 60:.1f} min"
    )
    print(f"look at {args.work_dir}/figures, {args.work_dir}/demo.mp4 and {args.work_dir}/metrics.json")


if __name__ == "__main__":
    run_main(main)
