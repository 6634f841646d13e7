"""The report on CUDA kernels reads what ptxas prints."""

from __future__ import annotations

from bev_ops.benchmarks.ptxas_report import Kernel, parse, rows

REPORT = """
ptxas info    : Compiling entry function '_ZN7bev_ops14forward_kernelILi8ENS_4HalfEfNS_11LevelPointsIfEEEEv' for 'sm_90'
ptxas info    : Function properties for _ZN7bev_ops14forward_kernelILi8ENS_4HalfEfNS_11LevelPointsIfEEEEv
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 48 registers, used 0 barriers, 10240 bytes smem
ptxas info    : Function properties for _ZN7bev_ops15backward_kernelILi2EddNS_11LevelPointsIdEEEEv
    16 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 60 registers, used 1 barriers, 14336 bytes smem, 400 bytes cmem[0]
"""


def test_parse():
    kernels = list(parse("dcnv3", REPORT))
    assert kernels == [
        Kernel("dcnv3", "forward", "float16", 8, 48, 10240, 0),
        Kernel("dcnv3", "backward", "float64", 2, 60, 14336, 12),
    ]
    assert list(rows(kernels))[2] == "| `dcnv3` | forward | float16 | 48 | 10240 | 0 |"
