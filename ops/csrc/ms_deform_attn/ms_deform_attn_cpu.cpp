// Multi-scale deformable attention on the CPU: describes the levels to the common sampling core.

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include <limits>
#include <tuple>

#include "common/check.h"
#include "common/sampling.h"

namespace bev_ops {
namespace {

// Contiguous tensors, checked against each other. Shapes: value (B, S, H, D), spatial_shapes (L, 2),
// locations (B, Q, H, L, P, 2), weights (B, Q, H, L, P).
struct Arguments {
  Tensor value, shapes, locations, weights;

  Arguments(const Tensor& value_, const Tensor& shapes_, const Tensor& locations_, const Tensor& weights_)
      : value(torch::stable::contiguous(value_)),
        shapes(torch::stable::contiguous(shapes_)),
        locations(torch::stable::contiguous(locations_)),
        weights(torch::stable::contiguous(weights_)) {
    const char* op = "ms_deform_attn";
    require(value.dim() == 4, op, ": value must be (B, S, H, D), got ", value.dim(), " dimensions");
    require(locations.dim() == 6 && locations.size(5) == 2, op, ": sampling_locations must be (B, Q, H, L, P, 2)");
    require(locations.size(0) == value.size(0) && locations.size(2) == value.size(2),
            op, ": value and sampling_locations differ in samples or heads");
    require_floating(op, value);
    require_cpu(op, "sampling_locations", locations, value.scalar_type(), locations.numel());
    require_cpu(op, "attention_weights", weights, value.scalar_type(), locations.numel() / 2);
    require_cpu(op, "spatial_shapes", shapes, ScalarType::Long, 2 * locations.size(3));
    check_levels(op);
  }

  void check_levels(const char* op) const {
    const int64_t* sizes = shapes.const_data_ptr<int64_t>();
    const int64_t most = std::numeric_limits<int32_t>::max();
    require(value.size(1) <= most, op, ": more than 2^31 pixels");
    int64_t pixels = 0;
    for (int64_t level = 0; level < locations.size(3); ++level) {
      const int64_t height = sizes[2 * level], width = sizes[2 * level + 1];
      require(height > 0 && width > 0 && height <= most && width <= most,
              op, ": spatial_shapes must be positive, got ", height, " x ", width, " for level ", level);
      pixels += height * width;
    }
    require(pixels == value.size(1), op, ": spatial_shapes sum to ", pixels, " pixels, but value has ", value.size(1));
  }

  // Locations in [0, 1] to pixels of each level, for each head.
  template <typename T>
  PointTable<T> table() const {
    const int64_t heads = locations.size(2), levels = locations.size(3), points = locations.size(4);
    const int64_t* sizes = shapes.const_data_ptr<int64_t>();
    PointTable<T> table(heads * levels * points);
    int64_t entry = 0;
    for (int64_t head = 0; head < heads; ++head) {
      int64_t start = 0;
      for (int64_t level = 0; level < levels; ++level) {
        const int64_t height = sizes[2 * level], width = sizes[2 * level + 1];
        for (int64_t point = 0; point < points; ++point, ++entry) {
          table.gain_x[entry] = static_cast<T>(width);
          table.gain_y[entry] = static_cast<T>(height);
          table.bias_x[entry] = table.bias_y[entry] = T(-0.5);
          table.width[entry] = static_cast<Integer<T>>(width);
          table.height[entry] = static_cast<Integer<T>>(height);
          table.start[entry] = static_cast<Integer<T>>(start);
        }
        start += height * width;
      }
    }
    return table;
  }

  template <typename T>
  Sampling<T> sampling(const PointTable<T>& table) const {
    return {value.size(0), locations.size(1), value.size(2), locations.size(3) * locations.size(4),
            value.size(3), value.size(1),
            value.const_data_ptr<T>(), locations.const_data_ptr<T>(), weights.const_data_ptr<T>(), &table,
            {1, 0, 0, 0, 0}};
  }

  template <typename T>
  void forward(Tensor& output) const {
    const auto points = table<T>();
    sample_forward(sampling(points), output.mutable_data_ptr<T>());
  }

  template <typename T>
  void backward(const Tensor& grad, Tensor& grad_value, Tensor& grad_locations, Tensor& grad_weights) const {
    const auto points = table<T>();
    sample_backward<T>(sampling(points), {grad.const_data_ptr<T>(), grad_value.mutable_data_ptr<T>(),
                                          grad_locations.mutable_data_ptr<T>(), grad_weights.mutable_data_ptr<T>()});
  }
};

Tensor ms_deform_attn(const Tensor& value, const Tensor& spatial_shapes, const Tensor& locations,
                      const Tensor& weights) {
  const Arguments arguments(value, spatial_shapes, locations, weights);
  Tensor output =
      torch::stable::new_empty(value, {value.size(0), locations.size(1), value.size(2) * value.size(3)});
  if (value.scalar_type() == ScalarType::Float) {
    arguments.forward<float>(output);
  } else {
    arguments.forward<double>(output);
  }
  return output;
}

std::tuple<Tensor, Tensor, Tensor> ms_deform_attn_backward(
    const Tensor& grad, const Tensor& value, const Tensor& spatial_shapes, const Tensor& locations,
    const Tensor& weights) {
  const Arguments arguments(value, spatial_shapes, locations, weights);
  const Tensor grad_output = torch::stable::contiguous(grad);
  require_cpu("ms_deform_attn", "grad", grad_output, value.scalar_type(),
              value.size(0) * locations.size(1) * value.size(2) * value.size(3));
  Tensor grad_value = torch::stable::new_zeros(value, value.sizes());
  Tensor grad_locations = torch::stable::new_empty(locations, locations.sizes());
  Tensor grad_weights = torch::stable::new_empty(weights, weights.sizes());
  if (value.scalar_type() == ScalarType::Float) {
    arguments.backward<float>(grad_output, grad_value, grad_locations, grad_weights);
  } else {
    arguments.backward<double>(grad_output, grad_value, grad_locations, grad_weights);
  }
  return {grad_value, grad_locations, grad_weights};
}

STABLE_TORCH_LIBRARY_IMPL(bev_ops, CPU, m) {
  m.impl("ms_deform_attn", TORCH_BOX(&ms_deform_attn));
  m.impl("ms_deform_attn_backward", TORCH_BOX(&ms_deform_attn_backward));
}

}  // namespace
}  // namespace bev_ops
