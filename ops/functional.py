"""The operators: compiled kernels where they exist, the plain PyTorch reference elsewhere."""

from bev_ops.bev_cross_attention.op import bev_cross_attention
from bev_ops.dcnv3.op import dcnv3
from bev_ops.ms_deform_attn.op import ms_deform_attn

__all__ = ["bev_cross_attention", "dcnv3", "ms_deform_attn"]
