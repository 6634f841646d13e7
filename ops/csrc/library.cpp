// The operators' schemas. Kernels register themselves for their device in <op>/<op>_cpu.cpp and <op>/<op>_cuda.cu;
// fake kernels, autograd and autocast are in <op>/op.py.

#include <torch/csrc/stable/library.h>

#define BEV_OPS_WINDOW                                                        \
  "int kernel_h, int kernel_w, int stride_h, int stride_w, int padding_h, "   \
  "int padding_w, int dilation_h, int dilation_w, int groups, "               \
  "float offset_scale, bool remove_center"

STABLE_TORCH_LIBRARY(bev_ops, m) {
  m.def("dcnv3(Tensor input, Tensor offset, Tensor mask, " BEV_OPS_WINDOW ") -> Tensor");
  m.def(
      "dcnv3_backward(Tensor grad, Tensor input, Tensor offset, Tensor mask, " BEV_OPS_WINDOW
      ") -> (Tensor, Tensor, Tensor)");
  m.def("ms_deform_attn(Tensor value, Tensor spatial_shapes, Tensor locations, Tensor weights) -> Tensor");
  m.def(
      "ms_deform_attn_backward(Tensor grad, Tensor value, Tensor spatial_shapes, Tensor locations, Tensor weights)"
      " -> (Tensor, Tensor, Tensor)");
  m.def(
      "bev_cross_attention(Tensor values, Tensor spatial_shapes, Tensor splits, Tensor reference_points, "
      "Tensor visible, Tensor offsets, Tensor weights) -> Tensor");
  m.def(
      "bev_cross_attention_backward(Tensor grad, Tensor values, Tensor spatial_shapes, Tensor splits, "
      "Tensor reference_points, Tensor visible, Tensor offsets, Tensor weights) -> (Tensor, Tensor, Tensor)");
  m.def("gelu(Tensor x, Tensor? bias) -> Tensor");
  m.def("layer_norm(Tensor x, Tensor weight, Tensor bias, float eps, bool gelu) -> Tensor");
  m.def("add_branch(Tensor x, Tensor branch, Tensor? scale) -> Tensor");
  m.def("softmax(Tensor logits) -> Tensor");
  m.def("softmax_backward(Tensor grad, Tensor output) -> Tensor");
}
