"""The operators in plain PyTorch: slow, differentiable, on any device; the kernels are tested against them."""

from bev_ops.dcnv3.reference import dcnv3
from bev_ops.ms_deform_attn.reference import ms_deform_attn

__all__ = ["dcnv3", "ms_deform_attn"]
