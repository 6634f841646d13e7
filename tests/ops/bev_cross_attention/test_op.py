"""Spatial cross-attention: the reference against a loop over cameras, the kernels against the reference."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from bev_ops import backends, functional, reference
from op_cases import random_bca, run
from torch import Tensor

SHAPES = [(5, 7), (3, 4)]
compiled = pytest.mark.skipif(
    backends()["bev_cross_attention"]["cpu"] != "compiled", reason="the operators are not compiled"
)
BACKENDS = pytest.mark.parametrize("backend", [functional, reference], ids=["functional", "reference"])


def bind(function: Callable[..., Tensor], rest: list[Tensor]) -> Callable[..., Tensor]:
    """`function` of the tensors that have gradients."""
    return lambda values, offsets, weights: function(values, *rest, offsets, weights)


def camera_by_camera(values: Tensor, shapes: Tensor, splits: Tensor, points: Tensor, visible: Tensor, *moved: Tensor):
    """One query and one camera at a time, through the single-camera operator."""
    offsets, weights = moved
    output = values.new_zeros(*offsets.shape[:2], values.shape[2] * values.shape[3])
    sizes = shapes.flip(-1)[:, None]
    for b, q in torch.cartesian_prod(torch.arange(output.shape[0]), torch.arange(output.shape[1])).tolist():
        rows = [r for r in range(splits[b], splits[b + 1]) if visible[r, q]]
        for r in rows:
            anchors = points[r, q].repeat(offsets.shape[4] // points.shape[2], 1)
            locations = (anchors + offsets[b, q] / sizes)[None, None]
            read = reference.ms_deform_attn(values[r : r + 1], shapes, locations, weights[b, q][None, None])
            output[b, q] += read[0, 0] / len(rows)
    return output


@BACKENDS
def test_equals_one_camera_at_a_time(backend):
    tensors, rest = random_bca([2, 0, 3], 6, 2, 3, SHAPES, 4, 2)
    grad = torch.randn(3, 6, 6, dtype=torch.float64)
    own, expected = (run(bind(f, rest), tensors, grad) for f in (backend.bev_cross_attention, camera_by_camera))
    for mine, theirs in zip(own, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-10, rtol=1e-10)
    assert own[0][:, 0].eq(0).all()
    assert own[0][1].eq(0).all()


def compare(tensors: list[Tensor], rest: list[Tensor]) -> None:
    def expected(*leaves: Tensor) -> Tensor:
        dtype = torch.float64 if leaves[0].dtype == torch.float64 else torch.float32
        output = reference.bev_cross_attention(leaves[0].to(dtype), *rest, *(leaf.to(dtype) for leaf in leaves[1:]))
        return output.to(leaves[0].dtype)

    output = expected(*tensors)
    grad = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output.dtype)
    own, other = (run(f, tensors, grad) for f in (bind(functional.bev_cross_attention, rest), expected))
    tolerances = {torch.float64: 1e-10, torch.float32: 2e-4, torch.bfloat16: 2**-6, torch.float16: 2**-9}
    for mine, theirs in zip(own, other, strict=True):
        scale = max(1.0, theirs.abs().max().item()) if theirs.numel() else 1.0
        torch.testing.assert_close(mine, theirs, atol=tolerances[mine.dtype] * scale, rtol=tolerances[mine.dtype])


@compiled
@pytest.mark.parametrize("target", ["portable", "avx2", "avx512"])
@pytest.mark.parametrize("depth", [1, 7, 16, 32, 64, 65])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_widths(depth: int, dtype: torch.dtype, target: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BEV_OPS_CPU_TARGET", target)
    compare(*random_bca([2, 1], 9, 3, depth, SHAPES, 4, 2, dtype))


@compiled
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_storage(dtype: torch.dtype):
    tensors, (shapes, splits, points, visible) = random_bca([2, 1], 9, 3, 16, SHAPES, 4, 2, torch.float32)
    # No sampling point lies on a pixel's centre, where the gradient of its position jumps.
    points = (points * 32).floor() / 32 + 1 / 64
    values, offsets, weights = tensors
    compare([values.to(dtype), offsets, weights], [shapes, splits, points, visible])
    offsets = (offsets * 8).round() / 8
    compare([values.to(dtype), offsets.to(dtype), weights.to(dtype)], [shapes, splits, points, visible])


@compiled
def test_random_shapes():
    choose = random.Random(0)
    for seed in range(60):
        anchors = choose.randint(1, 3)
        rows = [choose.randint(0, 3) for _ in range(choose.randint(1, 3))]
        sizes = [choose.randint(1, most) for most in (9, 5, 40)]
        shapes = [(choose.randint(1, 6), choose.randint(1, 6)) for _ in range(choose.randint(1, 4))]
        compare(*random_bca(rows, *sizes, shapes, anchors * choose.randint(1, 3), anchors, seed=seed))


@compiled
def test_division_of_queries_among_threads():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(7)
        compare(*random_bca([2], 11, 1, 16, SHAPES, 4, 2, torch.float32))
    finally:
        torch.set_num_threads(before)


@BACKENDS
def test_nothing_is_read_of_what_is_not_seen(backend):
    (values, offsets, weights), (shapes, splits, points, visible) = random_bca([2], 4, 2, 3, SHAPES, 2, 1)
    visible[1] = False
    expected = backend.bev_cross_attention(values, shapes, splits, points, visible, offsets, weights)
    values[1], points[1] = float("nan"), float("nan")
    output = backend.bev_cross_attention(values, shapes, splits, points, visible, offsets, weights)
    assert torch.equal(output, expected)


@compiled
def test_far_and_nan_positions_read_zeros():
    (values, offsets, weights), rest = random_bca([2], 4, 2, 3, SHAPES, 2, 1, torch.float32)
    for outside in (float("nan"), float("inf"), -1e30):
        leaves = [t.clone().requires_grad_() for t in (values, torch.full_like(offsets, outside), weights)]
        output = bind(functional.bev_cross_attention, rest)(*leaves)
        output.sum().backward()
        assert output.eq(0).all()
        assert all(leaf.grad.eq(0).all() for leaf in leaves)


@compiled
def test_gradcheck_and_opcheck():
    tensors, rest = random_bca([1, 2], 3, 2, 3, SHAPES, 4, 2)
    leaves = [tensor.requires_grad_() for tensor in tensors]
    assert torch.autograd.gradcheck(bind(functional.bev_cross_attention, rest), leaves)
    values, *moved = leaves
    torch.library.opcheck(torch.ops.bev_ops.bev_cross_attention.default, (values, *rest, *moved))
    arguments = [tensor.detach() for tensor in (values, *rest, *moved)]
    grad = torch.ones(2, 3, 6, dtype=torch.float64)
    torch.library.opcheck(torch.ops.bev_ops.bev_cross_attention_backward.default, (grad, *arguments))


@compiled
def test_compiles_without_graph_breaks():
    tensors, rest = random_bca([1, 2], 3, 2, 4, SHAPES, 4, 2, torch.float32)
    leaves = [tensor.requires_grad_() for tensor in tensors]
    function = bind(functional.bev_cross_attention, rest)
    torch.testing.assert_close(torch.compile(function, backend="aot_eager", fullgraph=True)(*leaves), function(*leaves))


def broken(**changes: object) -> dict:
    """Keyword arguments, some of them replaced by what a function makes of them."""
    (values, offsets, weights), (shapes, splits, points, visible) = random_bca([1, 2], 3, 2, 4, SHAPES, 4, 2)
    named = {
        "values": values, "spatial_shapes": shapes, "splits": splits, "reference_points": points, "visible": visible,
        "offsets": offsets, "weights": weights,
    }  # fmt: skip
    return {**named, **{name: change(named[name]) for name, change in changes.items()}}  # type: ignore[operator]


@BACKENDS
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": lambda t: t[0]}, r"values must be \(R, S, H, D\)"),
        ({"values": lambda t: t[:, :, :1]}, "values have 1 heads, offsets 2"),
        ({"offsets": lambda t: t[..., 0]}, r"offsets must be \(B, Q, H, L, P, 2\)"),
        ({"reference_points": lambda t: t[:, :, :, 0]}, r"reference_points must be \(R, Q, Z, 2\)"),
        ({"reference_points": lambda t: t[:, :, [0, 1, 1]]}, "4 points can't be dealt out evenly to 3 reference"),
        ({"reference_points": lambda t: t.clone().requires_grad_()}, "reference_points have no gradient"),
        ({"splits": lambda t: t[:-1]}, r"splits must have shape \(3,\), got \(2,\)"),
        ({"splits": lambda t: torch.tensor([0, 2, 1])}, "splits must rise from 0 to"),
        ({"visible": lambda t: t[:1]}, r"visible must have shape \(3, 3\)"),
        ({"visible": lambda t: t.float()}, "visible must be bool"),
        ({"weights": lambda t: t[:1]}, r"weights must have shape \(2, 3, 2, 2, 4\)"),
        ({"spatial_shapes": lambda t: t + 1}, "pixels"),
    ],
)
def test_bad_arguments(backend, changes: dict, message: str):
    with pytest.raises((ValueError, RuntimeError), match=message):
        backend.bev_cross_attention(**broken(**changes))
