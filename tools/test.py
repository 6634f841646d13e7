"""Evaluate a checkpoint: `python tools/test.py CONFIG CHECKPOINT`; keeps metrics and predictions in the work dir."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mmengine.config import DictAction
from mmengine.dist import is_main_process

import bev
from bev.engine.checkpoint import load_weights
from bev.engine.cli import run_main
from bev.engine.config import accepted_arguments, load_config, set_data_root
from bev.engine.runner import build_runner


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument("checkpoint", nargs="?", help="checkpoint; without it the untrained model is evaluated")
    parser.add_argument("--work-dir", help="where logs and results go; work_dirs/CONFIG_NAME without it")
    parser.add_argument("--out", help="metrics as a JSON file; WORK_DIR/test_metrics.json without it")
    parser.add_argument("--data-root", help="where the data lies; the config's data_root without it")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, default={}, help="overrides, as key.sub=value")
    parser.add_argument("--launcher", choices=("none", "pytorch", "slurm", "mpi"), default="none")
    parser.add_argument("--local-rank", "--local_rank", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run the test loop and keep its metrics."""
    args = parse_args()
    bev.register_all()
    config = load_config(args.config, args.cfg_options)
    if args.data_root:
        set_data_root(config, args.data_root)
    config.work_dir = args.work_dir or config.get("work_dir") or str(Path("work_dirs") / Path(args.config).stem)
    evaluators = config.test_evaluator if isinstance(config.test_evaluator, list) else [config.test_evaluator]
    for evaluator in evaluators:
        if "output_dir" in (accepted_arguments(evaluator) or ()):
            evaluator.setdefault("output_dir", config.work_dir)
    runner = build_runner(config, args.launcher)
    if args.checkpoint:
        report = load_weights(runner.model, args.checkpoint, strict=True)
        runner.logger.info(str(report))
    else:
        runner.logger.warning("no checkpoint given: the model is evaluated as initialised")
    metrics = runner.test()
    if is_main_process():
        out = Path(args.out or Path(config.work_dir) / "test_metrics.json")
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = out.with_name(f".{out.name}.part")
        temporary.write_text(json.dumps(metrics, indent=2))
        temporary.replace(out)


if __name__ == "__main__":
    run_main(main)
