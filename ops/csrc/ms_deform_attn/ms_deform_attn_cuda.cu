// Multi-scale deformable attention on CUDA devices.

#include <torch/csrc/stable/library.h>

#include "common/run_cuda.cuh"

namespace bev_ops {
namespace {

constexpr const char* op = "ms_deform_attn";

struct Arguments {
  Tensor shapes;
  Inputs in;
  int64_t points;

  Arguments(const Tensor& value, const Tensor& shapes_, const Tensor& locations, const Tensor& weights)
      : shapes(as_contiguous(shapes_)), in{op, packed(value), packed(locations), packed(weights), {}},
        points(0) {
    const Tensor& raw = in.raw;
    require(in.maps.dim() == 4, op, ": value must be (B, S, H, D), got ", in.maps.dim(), " dimensions");
    require(raw.dim() == 6 && raw.size(5) == 2, op, ": sampling_locations must be (B, Q, H, L, P, 2)");
    require(raw.size(0) == in.maps.size(0) && raw.size(2) == in.maps.size(2),
            op, ": value and sampling_locations differ in samples or heads");
    require_cuda(op, "spatial_shapes", shapes, in.maps, ScalarType::Long, 2 * raw.size(3));
    require_sampling(op, in.maps, raw, in.weights, raw.numel() / 2);
    points = raw.size(4);
    in.sizes = {raw.size(0), raw.size(1), raw.size(2), raw.size(3) * points, in.maps.size(3), in.maps.size(1)};
  }

  // Describes the levels to the kernels.
  template <typename A>
  LevelPoints<A> operator()(A*) const {
    LevelPoints<A> placed{};
    placed.levels = {static_cast<const int64_t*>(shapes.const_data_ptr()), static_cast<int>(points), in.sizes.pixels};
    return placed;
  }
};

Tensor ms_deform_attn(const Tensor& value, const Tensor& shapes, const Tensor& locations, const Tensor& weights) {
  const Arguments arguments(value, shapes, locations, weights);
  const Sizes& n = arguments.in.sizes;
  return run_forward_cuda(arguments.in, {n.images, n.queries, n.groups * n.depth}, arguments);
}

std::tuple<Tensor, Tensor, Tensor> ms_deform_attn_backward(
    const Tensor& grad, const Tensor& value, const Tensor& shapes, const Tensor& locations, const Tensor& weights) {
  const Arguments arguments(value, shapes, locations, weights);
  return run_backward_cuda(arguments.in, grad, arguments);
}

STABLE_TORCH_LIBRARY_IMPL(bev_ops, CUDA, m) {
  m.impl("ms_deform_attn", TORCH_BOX(&ms_deform_attn));
  m.impl("ms_deform_attn_backward", TORCH_BOX(&ms_deform_attn_backward));
}

}  // namespace
}  // namespace bev_ops
