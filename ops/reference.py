"""The operators in plain PyTorch: slow, differentiable, on any device; the kernels are tested against them."""

from bev_ops.bev_cross_attention.reference import bev_cross_attention
from bev_ops.dcnv3.reference import dcnv3
from bev_ops.ms_deform_attn.reference import ms_deform_attn

__all__ = ["bev_cross_attention", "dcnv3", "ms_deform_attn"]
