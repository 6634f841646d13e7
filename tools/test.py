"""Evaluate a checkpoint: `python tools/test.py CONFIG CHECKPOINT`; keeps metrics and predictions in the work dir.

`--tta` looks at each sample as it is and mirrored, or as the config's `tta_pipeline` says, and merges what is found.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import bev
from bev.datasets.text_files import write_json
from bev.engine.cli import add_experiment_arguments, load_experiment, run_main


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_experiment_arguments(parser)
    parser.add_argument("checkpoint", nargs="?", help="checkpoint; without it the untrained model is evaluated")
    parser.add_argument("--out", help="metrics as a JSON file; WORK_DIR/test_metrics.json without it")
    parser.add_argument("--tta", action="store_true", help="merge what several views of a sample show (config's tta_*)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the test loop and keep its metrics."""
    args = parse_args(arguments)
    bev.register_all()
    from mmengine.dist import is_main_process
    from mmengine.model import is_model_wrapper

    from bev.engine.augmented_test import augment_test
    from bev.engine.checkpoint import load_weights
    from bev.engine.config import accepted_arguments, scope_of
    from bev.engine.runner import build_runner

    config = load_experiment(args)
    if args.tta:
        augment_test(config)
    evaluators = config.test_evaluator if isinstance(config.test_evaluator, list) else [config.test_evaluator]
    for evaluator in evaluators:
        if "output_dir" in (accepted_arguments(evaluator, scope_of(config)) or ()):
            evaluator.setdefault("output_dir", config.work_dir)
    out = Path(args.out or Path(config.work_dir) / "test_metrics.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    runner = build_runner(config, args.launcher)
    if args.checkpoint:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        runner.logger.info(str(load_weights(model, args.checkpoint, strict=True)))
    else:
        runner.logger.warning("no checkpoint given: the model is evaluated as initialised")
    metrics = runner.test()
    if is_main_process():
        write_json(out, metrics, indent=2)


if __name__ == "__main__":
    run_main(main)
