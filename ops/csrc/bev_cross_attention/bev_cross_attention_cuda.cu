// BEVFormer's spatial cross-attention on CUDA devices.

#include <torch/csrc/stable/library.h>

#include "common/run_cuda.cuh"

namespace bev_ops {
namespace {

constexpr const char* op = "bev_cross_attention";

struct Arguments {
  Tensor shapes, splits, anchors, visible;
  Inputs in;
  int64_t points;

  Arguments(const Tensor& values, const Tensor& shapes_, const Tensor& splits_, const Tensor& anchors_,
            const Tensor& visible_, const Tensor& offsets, const Tensor& weights)
      : shapes(as_contiguous(shapes_)), splits(as_contiguous(splits_)),
        anchors(packed(anchors_)), visible(as_contiguous(visible_)),
        in{op, packed(values), packed(offsets), packed(weights), {}}, points(0) {
    const Tensor &raw = in.raw, &maps = in.maps;
    require(maps.dim() == 4, op, ": values must be (R, S, H, D), got ", maps.dim(), " dimensions");
    require(anchors.dim() == 4, op, ": reference_points must be (R, Q, Z, 2)");
    require(raw.dim() == 6 && raw.size(5) == 2, op, ": offsets must be (B, Q, H, L, P, 2)");
    require(raw.size(2) == maps.size(2), op, ": values and offsets differ in heads");
    points = raw.size(4);
    require(anchors.size(2) > 0 && points % anchors.size(2) == 0,
            op, ": ", points, " points can't be dealt out evenly to ", anchors.size(2), " reference points");
    const int64_t pairs = maps.size(0) * raw.size(1);
    require_cuda(op, "spatial_shapes", shapes, maps, ScalarType::Long, 2 * raw.size(3));
    require_cuda(op, "splits", splits, maps, ScalarType::Long, raw.size(0) + 1);
    require_cuda(op, "reference_points", anchors, maps, compute_type(maps), 2 * pairs * anchors.size(2));
    require_cuda(op, "visible", visible, maps, ScalarType::Bool, pairs);
    require_sampling(op, maps, raw, in.weights, raw.numel() / 2);
    in.sizes = {raw.size(0), raw.size(1), raw.size(2), raw.size(3) * points, maps.size(3), maps.size(1)};
  }

  // Describes cameras and levels to the kernels.
  template <typename A>
  ViewPoints<A> operator()(A*) const {
    ViewPoints<A> placed{};
    placed.levels = {static_cast<const int64_t*>(shapes.const_data_ptr()), static_cast<int>(points), in.sizes.pixels};
    placed.splits = static_cast<const int64_t*>(splits.const_data_ptr());
    placed.anchors = static_cast<const A*>(anchors.const_data_ptr());
    placed.visible = static_cast<const bool*>(visible.const_data_ptr());
    placed.count = in.maps.size(0);
    placed.queries = in.sizes.queries;
    placed.anchors_per_query = static_cast<int>(anchors.size(2));
    return placed;
  }
};

Tensor bev_cross_attention(const Tensor& values, const Tensor& shapes, const Tensor& splits, const Tensor& anchors,
                           const Tensor& visible, const Tensor& offsets, const Tensor& weights) {
  const Arguments arguments(values, shapes, splits, anchors, visible, offsets, weights);
  const Sizes& n = arguments.in.sizes;
  return run_forward_cuda(arguments.in, {n.images, n.queries, n.groups * n.depth}, arguments);
}

std::tuple<Tensor, Tensor, Tensor> bev_cross_attention_backward(
    const Tensor& grad, const Tensor& values, const Tensor& shapes, const Tensor& splits, const Tensor& anchors,
    const Tensor& visible, const Tensor& offsets, const Tensor& weights) {
  const Arguments arguments(values, shapes, splits, anchors, visible, offsets, weights);
  return run_backward_cuda(arguments.in, grad, arguments);
}

STABLE_TORCH_LIBRARY_IMPL(bev_ops, CUDA, m) {
  m.impl("bev_cross_attention", TORCH_BOX(&bev_cross_attention));
  m.impl("bev_cross_attention_backward", TORCH_BOX(&bev_cross_attention_backward));
}

}  // namespace
}  // namespace bev_ops
