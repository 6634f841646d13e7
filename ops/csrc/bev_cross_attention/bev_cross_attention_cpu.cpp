// BEVFormer's spatial cross-attention on the CPU: describes cameras and levels to the common sampling core.

#include <torch/csrc/stable/library.h>

#include "common/levels.h"
#include "common/run_cpu.h"

namespace bev_ops {
namespace {

constexpr const char* op = "bev_cross_attention";

// Contiguous tensors, checked against each other. Shapes: values (R, S, H, D), spatial_shapes (L, 2), splits (B + 1),
// reference_points (R, Q, Z, 2), visible (R, Q), offsets (B, Q, H, L, P, 2), weights (B, Q, H, L, P).
struct Arguments {
  Tensor values, splits, reference_points, visible, offsets, weights;
  Levels levels;

  Arguments(const Tensor& values_, const Tensor& shapes, const Tensor& splits_, const Tensor& reference_points_,
            const Tensor& visible_, const Tensor& offsets_, const Tensor& weights_)
      : values(as_contiguous(values_)),
        splits(as_contiguous(splits_)),
        reference_points(as_contiguous(reference_points_)),
        visible(as_contiguous(visible_)),
        offsets(as_contiguous(offsets_)),
        weights(as_contiguous(weights_)),
        levels(op, shapes, check_dimensions(values, reference_points, offsets), values.size(1)) {
    require_coordinates(op, "offsets", offsets, values, offsets.numel());
    require_coordinates(op, "weights", weights, values, offsets.numel() / 2);
    require_cpu(op, "reference_points", reference_points, compute_type(values),
                product(op, {values.size(0), queries(), reference_points.size(2), 2}));
    require_cpu(op, "visible", visible, ScalarType::Bool, values.size(0) * queries());
    check_splits();
  }

  // Returns the number of levels.
  static int64_t check_dimensions(const Tensor& values, const Tensor& reference_points, const Tensor& offsets) {
    require(values.is_cpu(), op, ": values must be on the CPU");
    require(values.dim() == 4, op, ": values must be (R, S, H, D), got ", values.dim(), " dimensions");
    require(reference_points.dim() == 4, op, ": reference_points must be (R, Q, Z, 2)");
    require(offsets.dim() == 6 && offsets.size(5) == 2, op, ": offsets must be (B, Q, H, L, P, 2)");
    require(offsets.size(2) == values.size(2), op, ": values and offsets differ in heads");
    const int64_t anchors = reference_points.size(2);
    require(anchors > 0 && offsets.size(4) % anchors == 0,
            op, ": ", offsets.size(4), " points can't be dealt out evenly to ", anchors, " reference points");
    return offsets.size(3);
  }

  void check_splits() const {
    require_cpu(op, "splits", splits, ScalarType::Long, samples() + 1);
    const int64_t* rows = data<int64_t>(splits);
    bool rising = rows[0] == 0 && rows[samples()] == values.size(0);
    for (int64_t sample = 0; sample < samples(); ++sample) rising = rising && rows[sample] <= rows[sample + 1];
    require(rising, op, ": splits must rise from 0 to the number of rows of values, ", values.size(0));
  }

  int64_t samples() const { return offsets.size(0); }
  int64_t queries() const { return offsets.size(1); }
  int64_t channels() const { return values.size(2) * values.size(3); }

  // Passes the description of the sampling of maps stored as V on to `call`.
  template <typename V, typename Call>
  void operator()(V*, const Call& call) const {
    using A = ComputeType<V>;
    const int64_t heads = values.size(2), depth = values.size(3), points = offsets.size(4);
    const auto table = levels.table<A>(heads, depth, points, false);
    const Views<A> views{data<int64_t>(splits), data<A>(reference_points), data<bool>(visible),
                         reference_points.size(2), points};
    call(Sampling<V>{samples(), queries(), heads, levels.count * points, depth, values.size(1), data<V>(values),
                     coordinates(op, offsets), coordinates(op, weights), &table, {1, 0, 0, 0, 0}, &views, 0});
  }
};

Tensor bev_cross_attention(const Tensor& values, const Tensor& spatial_shapes, const Tensor& splits,
                           const Tensor& reference_points, const Tensor& visible, const Tensor& offsets,
                           const Tensor& weights) {
  const Arguments arguments(values, spatial_shapes, splits, reference_points, visible, offsets, weights);
  return run_forward(op, arguments.values, {arguments.samples(), arguments.queries(), arguments.channels()}, arguments);
}

std::tuple<Tensor, Tensor, Tensor> bev_cross_attention_backward(
    const Tensor& grad, const Tensor& values, const Tensor& spatial_shapes, const Tensor& splits,
    const Tensor& reference_points, const Tensor& visible, const Tensor& offsets, const Tensor& weights) {
  const Arguments arguments(values, spatial_shapes, splits, reference_points, visible, offsets, weights);
  const int64_t elements = arguments.samples() * arguments.queries() * arguments.channels();
  return run_backward(op, grad, arguments.values, arguments.offsets, arguments.weights, elements, arguments);
}

STABLE_TORCH_LIBRARY_IMPL(bev_ops, CPU, m) {
  m.impl("bev_cross_attention", TORCH_BOX(&bev_cross_attention));
  m.impl("bev_cross_attention_backward", TORCH_BOX(&bev_cross_attention_backward));
}

}  // namespace
}  // namespace bev_ops
