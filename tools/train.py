"""Train a model: `python tools/train.py configs/bevformerv2_internimage_t.py`; on several GPUs use dist_train.sh."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmengine.config import DictAction

import bev
from bev.engine.cli import run_main
from bev.engine.config import load_config, set_data_root
from bev.engine.runner import build_runner


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument("--work-dir", help="where checkpoints and logs go; work_dirs/CONFIG_NAME without it")
    parser.add_argument(
        "--resume", nargs="?", const="auto", help="continue from this or the latest checkpoint"
    )
    parser.add_argument("--load-from", help="start from the weights of a checkpoint")
    parser.add_argument("--amp", action="store_true", help="mixed precision (GPU)")
    parser.add_argument(
        "--no-scale-lr", action="store_true", help="keep the learning rate whatever the total batch size"
    )
    parser.add_argument("--seed", type=int, help="random seed")
    parser.add_argument("--data-root", help="where the data lies; the config's data_root without it")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, default={}, help="overrides, as key.sub=value")
    parser.add_argument("--launcher", choices=("none", "pytorch", "slurm", "mpi"), default="none")
    parser.add_argument("--local-rank", "--local_rank", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Build the runner that the arguments describe and train."""
    args = parse_args()
    bev.register_all()
    config = load_config(args.config, args.cfg_options)
    if args.data_root:
        set_data_root(config, args.data_root)
    config.work_dir = args.work_dir or config.get("work_dir") or str(Path("work_dirs") / Path(args.config).stem)
    if args.amp:
        config.optim_wrapper.type = "AmpOptimWrapper"
        config.optim_wrapper.setdefault("loss_scale", "dynamic")
    if args.no_scale_lr and config.get("auto_scale_lr"):
        config.auto_scale_lr.enable = False
    if args.seed is not None:
        config.setdefault("randomness", {})["seed"] = args.seed
    config.resume = args.resume is not None
    if args.resume and args.resume != "auto":
        config.load_from = args.resume
    elif args.load_from:
        config.custom_hooks.append(dict(type="InitialWeightsHook", checkpoint=args.load_from))
    build_runner(config, args.launcher).train()


if __name__ == "__main__":
    run_main(main)
