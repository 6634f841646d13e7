"""Times the operators against plain PyTorch and against what the field runs.

    python -m bev_ops.benchmarks.run [--threads 2] [--device cpu] [--op dcnv3] [--shape "T stage"] [--json FILE]

Two lines per shape and pass: the operator's milliseconds, the share of what a plain matrix product (FLOP/s) and a plain
copy (GB/s, counting each tensor once) reach in the same run, and the peak memory of the call; then the times and peak
memories of the plain PyTorch reference and of the baseline (see `bev_ops.benchmarks.cases`), with their ratios to ours.
Times are the best of several turns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

# The profiler, which measures memory on the CPU, otherwise writes a line per measurement.
os.environ.setdefault("KINETO_LOG_LEVEL", "6")

import torch
from bev_ops import backends
from bev_ops.benchmarks.cases import CASES, Case
from bev_ops.benchmarks.measure import Machine, best_milliseconds, machine, peak_bytes
from torch import Tensor


@dataclass(frozen=True)
class Record:
    """One measurement; ratios are theirs to ours, in time."""

    op: str
    shape: str
    dtype: str
    device: str
    threads: int
    direction: str
    milliseconds: float
    reference_milliseconds: float
    ratio: float
    baseline_milliseconds: float
    baseline_ratio: float
    peak_bytes: int
    reference_peak_bytes: int
    baseline_peak_bytes: int
    gflops: float
    gigabytes_per_second: float

    def as_json(self) -> dict:
        """The fields, with the pass under the name `pass`."""
        fields = asdict(self)
        return {("pass" if name == "direction" else name): value for name, value in fields.items()}


def forward(function: Callable[..., Tensor], tensors: list[Tensor]) -> Tensor:
    with torch.no_grad():
        return function(*tensors)


def forward_backward(function: Callable[..., Tensor], tensors: list[Tensor]) -> None:
    leaves = [tensor.detach().requires_grad_() for tensor in tensors]
    output = function(*leaves)
    output.backward(torch.ones_like(output))


def measure(case: Case, dtype: torch.dtype, device: str, rounds: int) -> Iterator[Record]:
    """Both passes of a case; the baselines of 16-bit tensors are computed in that type as well."""
    tensors = [tensor.to(device, dtype) for tensor in case.tensors]
    moved = sum(tensor.nbytes for tensor in tensors) + forward(case.compiled, tensors).nbytes
    # Backward: each sample takes part in a scalar product and in an addition to the maps' gradient.
    for direction, run, factor in (("forward", forward, 1), ("forward+backward", forward_backward, 3)):
        calls = [partial(run, function, tensors) for function in (case.compiled, case.reference, case.baseline)]
        own, reference, baseline = best_milliseconds(calls, device, rounds)
        own_peak, reference_peak, baseline_peak = (peak_bytes(call, device) for call in calls)
        yield Record(
            op=case.op,
            shape=case.shape,
            dtype=str(dtype).removeprefix("torch."),
            device=device,
            threads=torch.get_num_threads(),
            direction=direction,
            milliseconds=own,
            reference_milliseconds=reference,
            ratio=reference / own,
            baseline_milliseconds=baseline,
            baseline_ratio=baseline / own,
            peak_bytes=own_peak,
            reference_peak_bytes=reference_peak,
            baseline_peak_bytes=baseline_peak,
            gflops=2e-6 * factor * case.multiplications / own,
            gigabytes_per_second=1e-6 * factor * moved / own,
        )


def show(record: Record, plain: Machine) -> None:
    print(
        f"  {record.shape}, {record.dtype}, {record.direction}: {record.milliseconds:.3f} ms, "
        f"{record.gflops:.1f} GFLOP/s ({record.gflops / plain.gflops:.0%} of a product), "
        f"{record.gigabytes_per_second:.1f} GB/s ({record.gigabytes_per_second / plain.gigabytes_per_second:.0%} of a "
        f"copy), peak {record.peak_bytes / 2**20:.0f} MiB\n"
        f"      reference {record.reference_milliseconds:.3f} ms, x {record.ratio:.1f}, "
        f"peak x {record.reference_peak_bytes / max(record.peak_bytes, 1):.1f}; "
        f"baseline {record.baseline_milliseconds:.3f} ms, x {record.baseline_ratio:.1f}, "
        f"peak x {record.baseline_peak_bytes / max(record.peak_bytes, 1):.1f}",
        flush=True,
    )


def summarise(records: list[Record]) -> None:
    print("\nratios, lowest and median:")
    for op, direction in sorted({(record.op, record.direction) for record in records}):
        mine = [record for record in records if (record.op, record.direction) == (op, direction)]
        for name, values in (
            ("reference", [record.ratio for record in mine]),
            ("baseline", [record.baseline_ratio for record in mine]),
        ):
            print(f"  {op}, {direction}, {name}: {min(values):.1f}, {statistics.median(values):.1f}")


def write(path: Path, records: list[Record]) -> None:
    """Replace the file only once the new one is complete."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps([record.as_json() for record in records], indent=2) + "\n")
    temporary.replace(path)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--op", choices=list(CASES), help="default: all")
    parser.add_argument("--shape", default="", help="only shapes whose name contains this")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64", "bfloat16", "float16"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write one record per measurement here")
    return parser.parse_args(arguments)


def main(argv: list[str] | None = None) -> None:
    arguments = parse(argv)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    plain = machine(arguments.device)
    print(
        f"{arguments.threads} threads; a plain product reaches {plain.gflops:.0f} GFLOP/s, "
        f"a plain copy {plain.gigabytes_per_second:.1f} GB/s"
    )
    records = []
    for op, make in CASES.items():
        if arguments.op not in (None, op):
            continue
        print(f"{op}: {backends()[op][arguments.device]}")
        for case in make():
            if arguments.shape in case.shape:
                for record in measure(case, getattr(torch, arguments.dtype), arguments.device, arguments.rounds):
                    show(record, plain)
                    records.append(record)
    if not records:
        raise SystemExit(f"no shape contains {arguments.shape!r}")
    summarise(records)
    if arguments.json:
        write(arguments.json, records)


if __name__ == "__main__":
    main()
