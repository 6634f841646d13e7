"""Time whole models: `python tools/benchmark.py backbone --variant t --size 128 352 --cameras 6 --threads 2`."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

# The profiler, which measures memory and parts, otherwise writes a line per measurement.
os.environ.setdefault("KINETO_LOG_LEVEL", "6")

import torch
from bev_ops.benchmarks.measure import machine

from bev.datasets.atomic import atomic_write
from bev.engine.backbone_benchmark import measure_backbone, report, threads
from bev.engine.cli import run_main
from bev.models.backbones.internimage import VARIANTS, build_internimage


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    backbone = commands.add_parser("backbone", help="inference of InternImage, beside stock layers and its floor")
    backbone.add_argument("--variant", choices=list(VARIANTS), default="t")
    backbone.add_argument("--size", type=int, nargs=2, default=(128, 352), metavar=("HEIGHT", "WIDTH"))
    backbone.add_argument("--cameras", type=int, default=6)
    backbone.add_argument("--threads", type=int, default=torch.get_num_threads())
    backbone.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    backbone.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32")
    backbone.add_argument("--rounds", type=int, default=5)
    backbone.add_argument("--json", type=Path, help="write the record here, in a list")
    return parser.parse_args()


def main() -> None:
    """Measure a backbone and show the record."""
    args = parse_args()
    torch.manual_seed(0)
    with threads(args.threads):
        plain = machine(args.device)
        model = build_internimage(args.variant).to(args.device)
        images = torch.randn(args.cameras, 3, *args.size, device=args.device)
        name = f"InternImage-{args.variant.upper()}"
        record = measure_backbone(name, model, images, plain, getattr(torch, args.dtype), args.rounds)
    print("\n".join(report(record)))
    if args.json:
        with atomic_write(args.json, "w") as file:
            json.dump([record.as_json()], file, indent=2)


if __name__ == "__main__":
    run_main(main)
