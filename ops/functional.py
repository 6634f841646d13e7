"""The operators: compiled kernels where they exist, the plain PyTorch reference elsewhere."""

from bev_ops.dcnv3.op import dcnv3
from bev_ops.ms_deform_attn.op import ms_deform_attn

__all__ = ["dcnv3", "ms_deform_attn"]
