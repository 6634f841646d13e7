"""What stands between the matrix products of a network, in fewer passes over memory.

The compiled functions serve inference on the CPU. Where gradients are needed, on other devices, for subclasses of
tensors, and under `torch.func` and `torch.compile` (which fuses by itself), PyTorch's own functions run; only `softmax`
is compiled for training, too.
"""

from bev_ops.fused.op import add_branch, by_rows, have_no_hooks, layer_norm, linear_gelu, serves, softmax

__all__ = ["add_branch", "by_rows", "have_no_hooks", "layer_norm", "linear_gelu", "serves", "softmax"]
