"""How fast a backbone runs, where its time goes, and how far that is from its matrix products alone.

The floor is the time that the linear layers would take at the rate of a plain 2048 x 2048 x 2048 float32 product,
measured in the same run. The stock model is the same one with the operators' PyTorch reference and PyTorch's layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from bev_ops import use_reference
from bev_ops.benchmarks.measure import Machine, best_milliseconds, peak_bytes
from torch import nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from bev.benchmark_record import BenchmarkRecord

# Parts of the time, by the beginning of an operator's name; the first that fits counts.
PARTS = {
    "matrix products": ("aten::addmm", "aten::mm", "aten::bmm", "aten::baddbmm", "mkldnn::_linear"),
    "sampling": ("bev_ops::dcnv3", "aten::grid_sampler"),
    "norm and activation": (
        "bev_ops::layer_norm", "bev_ops::gelu", "bev_ops::softmax", "aten::native_layer_norm",
        "aten::native_batch_norm", "aten::gelu", "aten::_softmax", "aten::silu", "aten::relu", "aten::sigmoid",
    ),
    "residual": ("bev_ops::add_branch", "aten::add", "aten::mul", "aten::lerp"),
    "copies and casts": ("aten::copy_", "aten::clone", "aten::cat", "aten::fill_", "aten::constant_pad_nd"),
}  # fmt: skip
CONVOLUTIONS = (
    "aten::mkldnn_convolution",
    "aten::_slow_conv2d_forward",
    "aten::cudnn_convolution",
    "aten::thnn_conv2d",
    "aten::_conv_depthwise2d",
)
PRODUCTS = ("addmm", "mm", "bmm", "baddbmm")


@dataclass(frozen=True)
class BackboneRecord(BenchmarkRecord):
    """Inference of a backbone: times in milliseconds, peak memory of tensors in bytes, parts of the own time."""

    op: str
    shape: str
    dtype: str
    device: str
    threads: int
    milliseconds: float
    reference_milliseconds: float
    ratio: float
    floor_milliseconds: float
    floor_ratio: float
    peak_bytes: int
    reference_peak_bytes: int
    product_gflops: float
    copy_gigabytes_per_second: float
    parts: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """The fields, and the pass."""
        return {**super().as_json(), "pass": "forward"}


def measure_backbone(
    name: str, model: nn.Module, images: torch.Tensor, plain: Machine, dtype: torch.dtype, rounds: int
) -> BackboneRecord:
    """Measure inference of a backbone.

    Args:
        name: What the record calls it.
        model: Takes the images; put into evaluation mode.
        images: (B, 3, H, W), on the device to measure.
        plain: What the machine reaches, measured in the same run.
        dtype: float32, or a 16-bit type for autocast; the floor is that of float32 in either case.
        rounds: Turns of each of the two models.

    Returns:
        Best times, peak memory and parts.
    """
    device = images.device.type
    model.eval()

    def run() -> object:
        with torch.inference_mode(), torch.autocast(device, dtype, enabled=dtype != torch.float32):
            return model(images)

    def stock() -> object:
        with use_reference():
            return run()

    own, reference = best_milliseconds([run, stock], device, rounds)
    floor = 1e-6 * product_flops(stock) / plain.gflops
    return BackboneRecord(
        op=name,
        shape="x".join(map(str, images.shape)),
        dtype=str(dtype).removeprefix("torch."),
        device=device,
        threads=torch.get_num_threads(),
        milliseconds=own,
        reference_milliseconds=reference,
        ratio=reference / own,
        floor_milliseconds=floor,
        floor_ratio=own / floor,
        peak_bytes=peak_bytes(run, device),
        reference_peak_bytes=peak_bytes(stock, device),
        product_gflops=plain.gflops,
        copy_gigabytes_per_second=plain.gigabytes_per_second,
        parts=parts_of(run, device),
    )


def product_flops(call: Callable[[], object]) -> int:
    """Floating point operations of a call's matrix products: two per multiply-add, convolutions not counted."""
    with FlopCounterMode(display=False) as counter:
        call()
    counts = counter.get_flop_counts()["Global"]
    return sum(count for op, count in counts.items() if str(op).removeprefix("aten.") in PRODUCTS)


def parts_of(call: Callable[[], object], device: str) -> dict[str, float]:
    """Milliseconds of a call by kind of work, largest first, from PyTorch's profiler."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    with profile(activities=activities, record_shapes=True) as profiler:
        call()
    sums: Counter[str] = Counter()
    for event in profiler.key_averages(group_by_input_shape=True):
        if event.device_type != DeviceType.CPU:
            continue  # a kernel: its time is that of the operator that started it, too
        time = event.self_device_time_total if device == "cuda" else event.self_cpu_time_total
        sums[part_of(event.key, event.input_shapes)] += time / 1e3
    return dict(sums.most_common())


def part_of(op: str, input_shapes: list[list[int]]) -> str:
    """The kind of work that an operator of the profiler belongs to."""
    if op.startswith(CONVOLUTIONS):
        weight = input_shapes[1] if len(input_shapes) > 1 else []
        if len(weight) == 4 and weight[1] == 1:
            return "depthwise convolution"
        return "matrix products" if weight[2:] == [1, 1] else "dense convolution"
    return next((part for part, names in PARTS.items() if op.startswith(names)), "rest")


def report(record: BackboneRecord) -> Iterator[str]:
    """Lines that show a record."""
    yield f"{record.op}, {record.shape}, {record.dtype}, {record.threads} threads"
    yield (
        f"  {record.milliseconds:.0f} ms; stock layers and reference operators {record.reference_milliseconds:.0f} ms, "
        f"x {record.ratio:.2f}"
    )
    yield (
        f"  its linear layers at the rate of a plain float32 product ({record.product_gflops:.0f} GFLOP/s): "
        f"{record.floor_milliseconds:.0f} ms; we take x {record.floor_ratio:.2f}"
    )
    yield (
        f"  peak memory {record.peak_bytes / 2**20:.0f} MiB, stock {record.reference_peak_bytes / 2**20:.0f} MiB; "
        f"a plain copy reaches {record.copy_gigabytes_per_second:.1f} GB/s"
    )
    total = sum(record.parts.values())
    for part, milliseconds in record.parts.items():
        yield f"    {part:24}{milliseconds:9.1f} ms {milliseconds / total:6.1%}"


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run with this many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
