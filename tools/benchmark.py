"""Size and time of whole models, metrics and pictures, each time beside a plain way to do the same.

`python tools/benchmark.py model CONFIG`: parameters and multiply-adds
`python tools/benchmark.py backbone --variant t --size 128 352 --cameras 6 --threads 2`: inference of InternImage
`python tools/benchmark.py streaming CONFIG --size 640 1600 --threads 2`: live steps against recomputing every clip
`python tools/benchmark.py training CONFIG [--against OTHER] [--amp bfloat16]`: training steps of one config or two
`python tools/benchmark.py occupancy-pictures --root ROOT --index INDEX --threads 2`: frames of occupancy per second
`python tools/benchmark.py ray-iou --root ROOT --index INDEX --frames 1000`: RayIoU against rays in Python
`python tools/benchmark.py openlane-metric`: the OpenLane-V2 score beside the same algorithm pair by pair
`python tools/benchmark.py waymo-let --frames 1000 --objects 60 --workers 2`: LET-3D-AP against shapely and SciPy
`python tools/benchmark.py waymo-index --workers 2`: frames indexed per second, beside decoding their images
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bev.datasets.text_files import write_json
from bev.engine.cli import INTERNIMAGE, DictAction, at_least, run_main

if TYPE_CHECKING:
    from bev.benchmark_record import BenchmarkRecord

# torch's profiler, which measures memory and parts, otherwise writes a line per measurement.
os.environ.setdefault("KINETO_LOG_LEVEL", "6")


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_models(commands)
    _add_pictures_and_metrics(commands)
    _add_waymo(commands)
    return parser.parse_args(arguments)


def _add_models(commands: argparse._SubParsersAction) -> None:
    backbone = _add_command(
        commands, "backbone", run_backbone, "inference of InternImage, beside stock layers and its floor"
    )
    backbone.add_argument("--variant", choices=INTERNIMAGE, default="t")
    _add_inference_arguments(backbone, size=(128, 352), rounds=5)
    model = commands.add_parser("model", help="parameters and multiply-adds of a config (of many: tools/model_zoo.py)")
    model.add_argument("config", help="config file")
    model.add_argument(
        "--size", type=at_least(1), nargs=2, metavar=("HEIGHT", "WIDTH"), help="image size; the config's own without it"
    )
    model.set_defaults(run=run_model, json=None)
    streaming = _add_command(
        commands, "streaming", run_streaming, "a live step with image features kept, beside computing all anew"
    )
    streaming.add_argument("config")
    _add_inference_arguments(streaming, size=None, rounds=3)
    streaming.add_argument(
        "--cfg-options", nargs="+", action=DictAction, default={}, help="overrides, as key.sub=value"
    )
    training = _add_command(
        commands, "training", run_training, "a training step; with --against beside that of another, in turns"
    )
    training.add_argument("config")
    training.add_argument("--against", metavar="CONFIG", help="the config to compare with")
    training.add_argument("--data-root", help="where the data of both lies; the configs' data_root without it")
    training.add_argument("--threads", type=at_least(1), help="torch's default without it")
    training.add_argument("--amp", choices=("bfloat16", "float16"), help="mixed precision, as of tools/train.py")
    training.add_argument("--steps", type=at_least(1), default=60, help="steps of each config")
    training.add_argument("--cfg-options", nargs="+", action=DictAction, default={}, help="overrides of the first")
    training.add_argument("--against-options", nargs="+", action=DictAction, default={}, help="overrides of the other")


def _add_pictures_and_metrics(commands: argparse._SubParsersAction) -> None:
    pictures = _add_command(
        commands, "occupancy-pictures", run_occupancy_pictures, "pictures of occupancy, beside matplotlib's voxels"
    )
    pictures.add_argument("--root", required=True, help="data root with Occ3D's labels under gts")
    pictures.add_argument("--index", required=True, help="index file with the samples")
    pictures.add_argument("--results", metavar="DIR", help="predictions, TOKEN.npz; the truth twice without it")
    pictures.add_argument("--width", type=at_least(1), default=1920, help="width of a picture in pixels")
    pictures.add_argument("--threads", type=at_least(1), help="torch's default without it")
    pictures.add_argument("--rounds", type=at_least(1), default=8, help="frames")
    pictures.add_argument("--no-reference", action="store_true", help="leave matplotlib out")
    rays = _add_command(commands, "ray-iou", run_ray_iou, "RayIoU of occupancy, beside following rays in Python")
    rays.add_argument("--root", required=True, help="data root with Occ3D's labels under gts")
    rays.add_argument("--index", required=True, help="index file with the samples")
    rays.add_argument("--frames", type=at_least(1), default=1000)
    metric = _add_command(
        commands, "openlane-metric", run_openlane_metric, "the OpenLane-V2 score, beside the same algorithm in Python"
    )
    metric.add_argument("--version", choices=("v1.0", "v1.1"), default="v1.1")
    metric.add_argument("--frames", type=at_least(1), default=100)
    metric.add_argument("--lanes", type=at_least(1), default=60, help="true lanes per frame, and as many predictions")
    metric.add_argument("--rounds", type=at_least(1), default=3)


def _add_waymo(commands: argparse._SubParsersAction) -> None:
    waymo = _add_command(
        commands, "waymo-let", run_waymo_let, "Waymo's LET-3D-AP, beside a plain formulation on fewer frames"
    )
    waymo.add_argument("--frames", type=at_least(1), default=1000)
    waymo.add_argument("--objects", type=at_least(1), default=60, help="ground truths per frame")
    waymo.add_argument("--each", type=at_least(1), default=2, help="predictions per ground truth")
    waymo.add_argument("--workers", type=at_least(1), default=2, help="processes")
    waymo.add_argument("--reference-frames", type=at_least(1), default=5, help="frames for the plain formulation")
    index = _add_command(
        commands, "waymo-index", run_waymo_index, "indexing Waymo frames, beside decoding their images"
    )
    index.add_argument("--root", help="data root of either layout; made frames of real size without it")
    index.add_argument("--segments", type=at_least(1), default=2, help="to make")
    index.add_argument("--frames", type=at_least(1), default=50, help="of each segment to make, 7 MB a frame")
    index.add_argument("--workers", type=at_least(1), default=2, help="processes")
    index.add_argument("--rounds", type=at_least(1), default=3)


def _add_command(
    commands: argparse._SubParsersAction, name: str, run: Callable[..., BenchmarkRecord], purpose: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=purpose)
    command.add_argument("--json", type=Path, help="write the record here, in a list")
    command.set_defaults(run=run)
    return command


def _add_inference_arguments(command: argparse.ArgumentParser, size: tuple[int, int] | None, rounds: int) -> None:
    purpose = "of the images; " + (f"{size[0]} {size[1]}" if size else "what the config's are") + " without it"
    command.add_argument("--size", type=at_least(1), nargs=2, default=size, metavar=("HEIGHT", "WIDTH"), help=purpose)
    command.add_argument("--cameras", type=at_least(1), default=6)
    command.add_argument("--threads", type=at_least(1), help="torch's default without it")
    command.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    command.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32")
    command.add_argument("--rounds", type=at_least(1), default=rounds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the arguments name and show the record."""
    args = parse_args(arguments)
    if "threads" in args and args.threads is None:
        import torch

        args.threads = torch.get_num_threads()
    record = args.run(args)
    if args.json:
        write_json(args.json, [record.as_json()], indent=2)


def run_backbone(args: argparse.Namespace) -> BenchmarkRecord:
    """Measure a backbone."""
    import torch
    from bev_ops.benchmarks.measure import machine

    from bev.engine.backbone_benchmark import measure_backbone, report, threads
    from bev.models.backbones.internimage import build_internimage

    torch.manual_seed(0)
    with threads(args.threads):
        plain = machine(args.device)
        model = build_internimage(args.variant).to(args.device)
        images = torch.randn(args.cameras, 3, *args.size, device=args.device)
        name = f"InternImage-{args.variant.upper()}"
        record = measure_backbone(name, model, images, plain, getattr(torch, args.dtype), args.rounds)
    print("\n".join(report(record)))
    return record


def run_model(args: argparse.Namespace) -> None:
    """Count what a config's model consists of."""
    import bev

    bev.register_all()
    from bev.engine.config import load_config
    from bev.engine.size_report import describe

    print(describe(load_config(args.config), args.size and tuple(args.size)))


def run_streaming(args: argparse.Namespace) -> BenchmarkRecord:
    """Measure live steps."""
    import bev

    bev.register_all()
    from bev.engine.backbone_benchmark import threads
    from bev.engine.config import load_config
    from bev.engine.model_size import evaluated_size
    from bev.inference.benchmark import measure_streaming

    with threads(args.threads):
        config = load_config(args.config, args.cfg_options)
        size = tuple(args.size) if args.size else evaluated_size(config)
        record = measure_streaming(config, size, args.cameras, args.rounds, args.device, args.dtype)
    print(
        f"{Path(args.config).stem}, {args.cameras} x {size[0]} x {size[1]}, {args.device}, {args.dtype}, "
        f"{args.threads} threads, "
        f"{record.frames} frames: {record.seconds:.3f} s a step, {record.reference_seconds:.3f} s recomputed, "
        f"x{record.ratio:.2f}; boxes differ by at most {record.largest_difference:.1e}" + _peak(record.peak_bytes)
    )
    return record


def _peak(peak_bytes: int | None) -> str:
    """A GPU's peak memory in words; nothing where there is no GPU."""
    return f"; peak memory {peak_bytes / 2**30:.1f} GiB" if peak_bytes else ""


def run_training(args: argparse.Namespace) -> BenchmarkRecord:
    """Measure training steps of a config, or of two."""
    import bev

    bev.register_all()
    from bev.engine.backbone_benchmark import threads
    from bev.engine.config import load_config
    from bev.engine.data_config import set_data_root
    from bev.engine.training_benchmark import measure_training

    config = load_config(args.config, args.cfg_options)
    other = load_config(args.against, args.against_options) if args.against else None
    for each in filter(None, (config, other)):
        if args.data_root:
            set_data_root(each, args.data_root)
        if args.amp:
            each.optim_wrapper.update(type="AutocastOptimWrapper", dtype=args.amp)
    with threads(args.threads):
        record = measure_training(config, other, args.steps)
    line = f"{Path(args.config).stem}: {record.seconds:.3f} s a step (median of {args.steps})"
    if args.against:
        line += f", {Path(args.against).stem}: {record.reference_seconds:.3f} s, x{record.ratio:.3f}"
    print(f"{line}, {args.threads} threads{_peak(record.peak_bytes)}")
    return record


def run_occupancy_pictures(args: argparse.Namespace) -> BenchmarkRecord:
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
    return record


def run_ray_iou(args: argparse.Namespace) -> BenchmarkRecord:
    """Measure RayIoU."""
    from bev.evaluation.ray_benchmark import measure_rays

    record = measure_rays(args.root, args.index, args.frames)
    print(
        f"RayIoU, {record.frames} frames of {record.rays:.0f} rays, {os.cpu_count()} cores: "
        f"{1000 * record.seconds_per_frame:.1f} s for 1,000 frames; a ray {1e9 * record.seconds_per_ray:.0f} ns, "
        f"in Python {1e6 * record.reference_seconds_per_ray:.0f} us, x{record.ratio:.0f}; "
        f"distances differ by at most {record.largest_difference:.1e} voxels"
    )
    return record


def run_openlane_metric(args: argparse.Namespace) -> BenchmarkRecord:
    """Measure the OpenLane-V2 score."""
    from bev.evaluation.openlane.benchmark import measure_metric

    record = measure_metric(args.version, args.frames, args.lanes, args.rounds)
    print(
        f"OpenLane-V2 score {args.version}, {args.frames} frames x {args.lanes} lanes: {record.seconds:.2f} s, "
        f"pair by pair in Python {record.reference_seconds:.1f} s, x{record.ratio:.0f}; "
        f"scores differ by at most {record.largest_difference:.1e}"
    )
    return record


def run_waymo_let(args: argparse.Namespace) -> BenchmarkRecord:
    """Measure Waymo's metrics."""
    from bev.evaluation.waymo_let.benchmark import measure_metrics

    record = measure_metrics(args.frames, args.objects, args.each, args.workers, args.reference_frames)
    print(
        f"LET-3D-AP, challenge config, {record.frames} frames of {record.objects} objects and "
        f"{record.predictions} predictions, {record.workers} processes: {record.seconds:.2f} s, "
        f"{record.peak_bytes / 2**30:.2f} GiB in all; one process, {record.reference_frames} frames: "
        f"{record.seconds_per_frame * 1e3:.2f} ms a frame, plain formulation "
        f"{record.reference_seconds_per_frame * 1e3:.0f} ms, x{record.ratio:.0f}; "
        f"counts differ by at most {record.largest_difference:.1e}"
    )
    return record


def run_waymo_index(args: argparse.Namespace) -> BenchmarkRecord:
    """Measure Waymo's index."""
    import cv2

    from bev.datasets.synthetic.export_waymo import generate_waymo
    from bev.datasets.waymo.benchmark import measure_index, write_full_size_release

    cv2.setNumThreads(1)  # before it starts threads that the forked processes would wait for
    with tempfile.TemporaryDirectory() as folder:
        root = args.root
        if root is None:
            root = Path(folder, "full_size")
            generate_waymo(folder, scenes=1, val_scenes=0, frames=1, workers=1)
            (source,) = Path(folder, "training").iterdir()
            write_full_size_release(source, root, args.segments, args.frames)
        record = measure_index(root, args.workers, args.rounds)
    print(
        f"index of {record.frames} frames in {record.segments} segments, {record.images} images, "
        f"{record.size / 1e6:.0f} MB, {record.workers} processes: {record.frames_per_second:.0f} frames/s; "
        f"decoding the images {record.decoded_frames_per_second:.1f} frames/s, x{record.ratio:.0f}"
    )
    return record


if __name__ == "__main__":
    run_main(main)
