"""Times the operators against their PyTorch references.

    python -m bev_ops.benchmarks.run [--threads 2] [--device cpu] [--op dcnv3] [--json FILE]

Each line: operator, shape, type, device, pass, milliseconds, the reference's milliseconds, and their ratio. Times are
the best of several rounds, taken by turns, so that other work on the machine disturbs both alike.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from bev_ops import backends, functional, reference
from torch import Tensor

# Name: images, height, width, groups, channels per group of a 3 x 3 window.
DCNV3_SHAPES = {
    "nano stage 1": (6, 32, 56, 2, 16),
    "nano stage 2": (6, 16, 28, 4, 16),
    "T stage 1, 128x352": (6, 32, 88, 4, 16),
    "T stage 2, 128x352": (6, 16, 44, 8, 16),
    "T stage 3, 128x352": (6, 8, 22, 16, 16),
    "T stage 4, 128x352": (6, 4, 11, 32, 16),
    "H stage 3, 256x704": (1, 16, 44, 40, 32),
}
# Name: batch, queries, heads, channels per head, levels, points.
MSDA_SHAPES = {
    "nano cross-attention": (6, 400, 4, 16, [(16, 28)], 8),
    "base cross-attention": (6, 2000, 8, 32, [(58, 100), (29, 50), (15, 25), (8, 13)], 8),
    "base self-attention": (2, 10000, 8, 32, [(100, 100)], 4),
}


@dataclass(frozen=True)
class Case:
    """Tensors for one operator; `compiled` and `reference` take them."""

    op: str
    shape: str
    tensors: list[Tensor]
    compiled: Callable[..., Tensor]
    reference: Callable[..., Tensor]


@dataclass(frozen=True)
class Record:
    """One measurement."""

    op: str
    shape: str
    dtype: str
    device: str
    threads: int
    direction: str
    milliseconds: float
    reference_milliseconds: float
    ratio: float


def dcnv3_cases(dtype: torch.dtype, device: str) -> Iterator[Case]:
    for name, (images, height, width, groups, depth) in DCNV3_SHAPES.items():
        pixels = (images, height, width)
        tensors = [
            torch.randn(*pixels, groups * depth),
            torch.randn(*pixels, groups * 9 * 2),
            torch.rand(*pixels, groups, 9).softmax(-1).flatten(-2),
        ]
        arguments = {"kernel_size": 3, "padding": 1, "groups": groups}
        yield Case(
            "dcnv3",
            f"{name}: {images}x{height}x{width}x({groups}x{depth})",
            [tensor.to(device, dtype) for tensor in tensors],
            partial(functional.dcnv3, **arguments),
            partial(reference.dcnv3, **arguments),
        )


def msda_cases(dtype: torch.dtype, device: str) -> Iterator[Case]:
    for name, (batch, queries, heads, depth, shapes, points) in MSDA_SHAPES.items():
        levels = len(shapes)
        # Neighbouring queries look at neighbouring places, and the points of a query lie near each other.
        side = round(queries**0.5)
        steps = torch.arange(queries)
        centres = torch.stack((steps % side, steps // side), -1).view(1, queries, 1, 1, 1, 2) / side
        tensors = [
            torch.randn(batch, sum(h * w for h, w in shapes), heads, depth),
            centres + 0.05 * torch.randn(batch, queries, heads, levels, points, 2),
            torch.rand(batch, queries, heads, levels, points),
        ]

        def call(function: Callable[..., Tensor], *tensors: Tensor, shapes: list = shapes) -> Tensor:
            return function(tensors[0], shapes, *tensors[1:])

        yield Case(
            "ms_deform_attn",
            f"{name}: {batch}x{queries}x({heads}x{depth}), {levels} levels x {points} points",
            [tensor.to(device, dtype) for tensor in tensors],
            partial(call, functional.ms_deform_attn),
            partial(call, reference.ms_deform_attn),
        )


def forward(function: Callable[..., Tensor], tensors: list[Tensor]) -> None:
    with torch.no_grad():
        function(*tensors)


def forward_backward(function: Callable[..., Tensor], tensors: list[Tensor]) -> None:
    leaves = [tensor.detach().requires_grad_() for tensor in tensors]
    function(*leaves).sum().backward()


def best_milliseconds(calls: Sequence[Callable[[], None]], device: str, rounds: int) -> list[float]:
    """Best time of each call; the calls take turns."""
    best = [float("inf")] * len(calls)
    for _ in range(rounds + 1):
        for index, call in enumerate(calls):
            if device == "cuda":
                torch.cuda.synchronize()
            start = time.perf_counter()
            call()
            if device == "cuda":
                torch.cuda.synchronize()
            best[index] = min(best[index], 1e3 * (time.perf_counter() - start))
    return best


def measure(case: Case, rounds: int) -> Iterator[Record]:
    tensor = case.tensors[0]
    for direction, run in (("forward", forward), ("forward+backward", forward_backward)):
        calls = [partial(run, function, case.tensors) for function in (case.compiled, case.reference)]
        own, other = best_milliseconds(calls, tensor.device.type, rounds)
        dtype = str(tensor.dtype).removeprefix("torch.")
        yield Record(
            case.op, case.shape, dtype, tensor.device.type, torch.get_num_threads(), direction, own, other, other / own
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--op", choices=["dcnv3", "ms_deform_attn"], help="default: both")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path, help="write one record per measurement here")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)

    makers = {"dcnv3": dcnv3_cases, "ms_deform_attn": msda_cases}
    records = []
    for op, make in makers.items():
        if arguments.op not in (None, op):
            continue
        print(f"{op}: {backends()[op][arguments.device]}, {arguments.threads} threads")
        for case in make(getattr(torch, arguments.dtype), arguments.device):
            for record in measure(case, arguments.rounds):
                records.append(asdict(record))
                print(
                    f"  {record.shape:64} {record.dtype} {record.device} {record.direction:16} "
                    f"{record.milliseconds:9.3f} ms, reference {record.reference_milliseconds:9.3f} ms, "
                    f"ratio {record.ratio:5.1f}"
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(records, indent=2) + "\n")


if __name__ == "__main__":
    main()
