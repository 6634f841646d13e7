// Multi-scale deformable attention on the CPU: describes the levels to the common sampling core.

#include <torch/csrc/stable/library.h>

#include "common/levels.h"
#include "common/run_cpu.h"

namespace bev_ops {
namespace {

constexpr const char* op = "ms_deform_attn";

// Contiguous tensors, checked against each other. Shapes: value (B, S, H, D), spatial_shapes (L, 2),
// locations (B, Q, H, L, P, 2), weights (B, Q, H, L, P).
struct Arguments {
  Tensor value, locations, weights;
  Levels levels;

  Arguments(const Tensor& value_, const Tensor& shapes, const Tensor& locations_, const Tensor& weights_)
      : value(as_contiguous(value_)),
        locations(as_contiguous(locations_)),
        weights(as_contiguous(weights_)),
        levels(op, shapes, check(value, locations), value.size(1)) {
    require_coordinates(op, "sampling_locations", locations, value, locations.numel());
    require_coordinates(op, "attention_weights", weights, value, locations.numel() / 2);
  }

  // Returns the number of levels.
  static int64_t check(const Tensor& value, const Tensor& locations) {
    require(value.is_cpu(), op, ": value must be on the CPU");
    require(value.dim() == 4, op, ": value must be (B, S, H, D), got ", value.dim(), " dimensions");
    require(locations.dim() == 6 && locations.size(5) == 2, op, ": sampling_locations must be (B, Q, H, L, P, 2)");
    require(locations.size(0) == value.size(0) && locations.size(2) == value.size(2),
            op, ": value and sampling_locations differ in samples or heads");
    return locations.size(3);
  }

  int64_t queries() const { return locations.size(1); }
  int64_t channels() const { return value.size(2) * value.size(3); }

  // Passes the description of the sampling of maps stored as V on to `call`.
  template <typename V, typename Call>
  void operator()(V*, const Call& call) const {
    const int64_t heads = value.size(2), depth = value.size(3), points = locations.size(4);
    const auto table = levels.table<ComputeType<V>>(heads, depth, points, true);
    call(Sampling<V>{value.size(0), queries(), heads, levels.count * points, depth, value.size(1), data<V>(value),
                     coordinates(op, locations), coordinates(op, weights), &table, {1, 0, 0, 0, 0}, nullptr, 0});
  }
};

Tensor ms_deform_attn(const Tensor& value, const Tensor& spatial_shapes, const Tensor& locations,
                      const Tensor& weights) {
  const Arguments arguments(value, spatial_shapes, locations, weights);
  return run_forward(op, arguments.value, {value.size(0), arguments.queries(), arguments.channels()}, arguments);
}

std::tuple<Tensor, Tensor, Tensor> ms_deform_attn_backward(
    const Tensor& grad, const Tensor& value, const Tensor& spatial_shapes, const Tensor& locations,
    const Tensor& weights) {
  const Arguments arguments(value, spatial_shapes, locations, weights);
  const int64_t elements = value.size(0) * arguments.queries() * arguments.channels();
  return run_backward(op, grad, arguments.value, arguments.locations, arguments.weights, elements, arguments);
}

STABLE_TORCH_LIBRARY_IMPL(bev_ops, CPU, m) {
  m.impl("ms_deform_attn", TORCH_BOX(&ms_deform_attn));
  m.impl("ms_deform_attn_backward", TORCH_BOX(&ms_deform_attn_backward));
}

}  // namespace
}  // namespace bev_ops
