"""Size and time of whole models, metrics and pictures, each time beside a plain way to do the same.

`python tools/benchmark.py model CONFIG`: parameters and multiply-adds; a table for a folder of image models
`python tools/benchmark.py backbone --variant t --size 128 352 --cameras 6 --threads 2`: inference of InternImage
`python tools/benchmark.py streaming CONFIG --size 640 1600 --threads 2`: live steps against recomputing every clip
`python tools/benchmark.py occupancy-pictures --root ROOT --index INDEX --threads 2`: frames of occupancy per second
`python tools/benchmark.py openlane-metric`: the OpenLane-V2 score beside the same algorithm pair by pair
`python tools/benchmark.py waymo-let --frames 1000 --objects 60 --workers 2`: LET-3D-AP against shapely and SciPy
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

# The profiler, which measures memory and parts, otherwise writes a line per measurement.
os.environ.setdefault("KINETO_LOG_LEVEL", "6")

import torch
from bev_ops.benchmarks.measure import machine
from mmengine.config import DictAction

from bev.datasets.atomic import atomic_write
from bev.engine.backbone_benchmark import measure_backbone, report, threads
from bev.engine.cli import run_main
from bev.models.backbones.internimage import VARIANTS, build_internimage


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    backbone.set_defaults(run=run_backbone)
    add_model_arguments(commands.add_parser("model", help="parameters and multiply-adds of a config or a folder"))
    streaming = commands.add_parser("streaming", help="a live step with image features kept, beside computing all anew")
    streaming.add_argument("config")
    streaming.add_argument("--size", type=int, nargs=2, default=(640, 1600), metavar=("HEIGHT", "WIDTH"))
    streaming.add_argument("--cameras", type=int, default=6)
    streaming.add_argument("--threads", type=int, default=torch.get_num_threads())
    streaming.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    streaming.add_argument("--rounds", type=int, default=3)
    streaming.add_argument(
        "--cfg-options", nargs="+", action=DictAction, default={}, help="overrides, as key.sub=value"
    )
    streaming.add_argument("--json", type=Path, help="write the record here, in a list")
    streaming.set_defaults(run=run_streaming)
    pictures = commands.add_parser("occupancy-pictures", help="pictures of occupancy, beside matplotlib's voxels")
    pictures.add_argument("--root", required=True, help="data root with Occ3D's labels under gts")
    pictures.add_argument("--index", required=True, help="index file with the samples")
    pictures.add_argument("--results", metavar="DIR", help="predictions, TOKEN.npz; the truth twice without it")
    pictures.add_argument("--width", type=int, default=1920, help="width of a picture in pixels")
    pictures.add_argument("--threads", type=int, default=torch.get_num_threads())
    pictures.add_argument("--rounds", type=int, default=8, help="frames")
    pictures.add_argument("--no-reference", action="store_true", help="leave matplotlib out")
    pictures.add_argument("--json", type=Path, help="write the record here, in a list")
    pictures.set_defaults(run=run_occupancy_pictures)
    metric = commands.add_parser("openlane-metric", help="the OpenLane-V2 score, beside the same algorithm in Python")
    metric.add_argument("--version", choices=("v1.0", "v1.1"), default="v1.1")
    metric.add_argument("--frames", type=int, default=100)
    metric.add_argument("--lanes", type=int, default=60, help="true lanes per frame, and as many predicted ones")
    metric.add_argument("--rounds", type=int, default=3)
    metric.add_argument("--json", type=Path, help="write the record here, in a list")
    metric.set_defaults(run=run_openlane_metric)
    waymo = commands.add_parser("waymo-let", help="Waymo's LET-3D-AP, beside a plain formulation on fewer frames")
    waymo.add_argument("--frames", type=int, default=1000)
    waymo.add_argument("--objects", type=int, default=60, help="ground truths per frame")
    waymo.add_argument("--each", type=int, default=2, help="predictions per ground truth")
    waymo.add_argument("--workers", type=int, default=2, help="processes")
    waymo.add_argument("--reference-frames", type=int, default=5, help="frames for the plain formulation")
    waymo.add_argument("--json", type=Path, help="write the record here, in a list")
    waymo.set_defaults(run=run_waymo_let)
    return parser.parse_args()


def add_model_arguments(model: argparse.ArgumentParser) -> None:
    model.add_argument("config", type=Path, help="config file, or a folder of configs of image models for a table")
    model.add_argument(
        "--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="image size; the config's own without it"
    )
    model.set_defaults(run=run_model, json=None)


def main() -> None:
    """Measure what the arguments name and show the record."""
    args = parse_args()
    record = args.run(args)
    if args.json:
        with atomic_write(args.json, "w") as file:
            json.dump([record], file, indent=2)


def run_backbone(args: argparse.Namespace) -> dict:
    """Measure a backbone."""
    torch.manual_seed(0)
    with threads(args.threads):
        plain = machine(args.device)
        model = build_internimage(args.variant).to(args.device)
        images = torch.randn(args.cameras, 3, *args.size, device=args.device)
        name = f"InternImage-{args.variant.upper()}"
        record = measure_backbone(name, model, images, plain, getattr(torch, args.dtype), args.rounds)
    print("\n".join(report(record)))
    return record.as_json()


def run_model(args: argparse.Namespace) -> None:
    """Count what a config's model consists of."""
    import bev

    bev.register_all()
    from bev.engine.config import load_config
    from bev.engine.size_report import describe, table

    size = tuple(args.size) if args.size else None
    lines = table(sorted(args.config.glob("*.py")), size) if args.config.is_dir() else [load_config(args.config)]
    for line in lines:
        print(line if isinstance(line, str) else describe(line, size), flush=True)


def run_streaming(args: argparse.Namespace) -> dict:
    """Measure live steps."""
    import bev

    bev.register_all()
    from bev.engine.config import load_config
    from bev.inference.benchmark import measure_streaming

    with threads(args.threads):
        config = load_config(args.config, args.cfg_options)
        measured = measure_streaming(config, tuple(args.size), args.cameras, args.rounds, args.device)
    record = measured.as_json()
    print(
        f"{Path(args.config).stem}, {args.cameras} x {args.size[0]} x {args.size[1]}, {args.threads} threads, "
        f"{record['frames']} frames: {record['seconds']:.3f} s a step, {record['reference_seconds']:.3f} s recomputed, "
        f"x{record['ratio']:.2f}; boxes differ by at most {record['largest_difference']:.1e}"
    )
    return record


def run_occupancy_pictures(args: argparse.Namespace) -> dict:
    """Measure pictures of occupancy."""
    import bev

    bev.register_all()
    from bev.datasets.occ3d.submission import write_prediction
    from bev.visualization.benchmark import measure_occupancy_pictures, report
    from bev.visualization.occupancy import OccupancyPainter

    with tempfile.TemporaryDirectory() as folder:
        results = args.results
        if results is None:
            results = folder
            truth = OccupancyPainter(args.index, args.root)
            for number in range(min(args.rounds, len(truth))):
                write_prediction(Path(folder), truth.token_of(number), truth.truth_of(number))
        painter = OccupancyPainter(args.index, args.root, results, threads=args.threads)
        video = Path(folder) / "pictures.mp4"
        record = measure_occupancy_pictures(
            painter, video, args.width, args.rounds, args.threads, not args.no_reference
        )
    print(f"{args.threads} threads; " + "\n".join(report(record)))
    return record.as_json() | {"threads": args.threads}


def run_openlane_metric(args: argparse.Namespace) -> dict:
    """Measure the OpenLane-V2 score."""
    from bev.evaluation.openlane.benchmark import measure_metric

    record = measure_metric(args.version, args.frames, args.lanes, args.rounds).as_json()
    print(
        f"OpenLane-V2 score {args.version}, {args.frames} frames x {args.lanes} lanes: {record['seconds']:.2f} s, "
        f"pair by pair in Python {record['reference_seconds']:.1f} s, x{record['ratio']:.0f}; "
        f"scores differ by at most {record['largest_difference']:.1e}"
    )
    return record


def run_waymo_let(args: argparse.Namespace) -> dict:
    """Measure Waymo's metrics."""
    from bev.evaluation.waymo_let.benchmark import measure_metrics

    measured = measure_metrics(args.frames, args.objects, args.each, args.workers, args.reference_frames)
    record = measured.as_json()
    print(
        f"LET-3D-AP, challenge config, {record['frames']} frames of {record['objects']} objects and "
        f"{record['predictions']} predictions, {record['workers']} processes: {record['seconds']:.2f} s, "
        f"{record['peak_bytes'] / 2**30:.2f} GiB in all; one process, {record['reference_frames']} frames: "
        f"{record['seconds_per_frame'] * 1e3:.2f} ms a frame, plain formulation "
        f"{record['reference_seconds_per_frame'] * 1e3:.0f} ms, x{record['ratio']:.0f}; "
        f"counts differ by at most {record['largest_difference']:.1e}"
    )
    return record


if __name__ == "__main__":
    run_main(main)
