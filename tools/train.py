"""Train a model: `python tools/train.py configs/bevformerv2_internimage_t.py`; on several GPUs use dist_train.sh."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import bev
from bev.engine.cli import add_experiment_arguments, load_experiment, run_main, seed_number


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_experiment_arguments(parser)
    parser.add_argument(
        "--resume", nargs="?", const="auto", help="continue from this checkpoint, or from the work dir's last, if any"
    )
    parser.add_argument("--load-from", help="start from the weights of a checkpoint, where nothing is resumed")
    parser.add_argument(
        "--amp", nargs="?", const="bfloat16", choices=("bfloat16", "float16"), help="mixed precision; bfloat16 alone"
    )
    parser.add_argument(
        "--strategy",
        choices=("ddp", "fsdp"),
        help="several processes: a whole model in each, or a part of every tensor (docs/training_at_scale.md)",
    )
    parser.add_argument("--no-scale-lr", action="store_true", help="keep the learning rate for any total batch size")
    parser.add_argument("--seed", type=seed_number, help="random seed")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the runner that the arguments describe and train."""
    args = parse_args(arguments)
    bev.register_all()
    from bev.engine.runner import build_runner
    from bev.engine.start import choose_start

    config = load_experiment(args)
    if args.amp:
        config.optim_wrapper.update(type="AutocastOptimWrapper", dtype=args.amp)
    if args.strategy:
        config.model_wrapper_cfg = {"type": "FullyShardedModel"} if args.strategy == "fsdp" else None
    if args.no_scale_lr and config.get("auto_scale_lr"):
        config.auto_scale_lr.enable = False
    if args.seed is not None:
        config.setdefault("randomness", {})["seed"] = args.seed
    choose_start(config, args.resume, args.load_from)
    build_runner(config, args.launcher).train()


if __name__ == "__main__":
    run_main(main)
