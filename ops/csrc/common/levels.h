// Levels of feature maps that lie one after another in one tensor.

#pragma once

#include <limits>

#include <torch/csrc/stable/ops.h>

#include "common/check.h"
#include "common/sampling.h"

namespace bev_ops {

// Heights and widths, checked against the number of pixels of all levels.
struct Levels {
  Tensor shapes;
  const int64_t* sizes;
  int64_t count;

  Levels(const char* op, const Tensor& shapes_, int64_t levels, int64_t pixels)
      : shapes(as_contiguous(shapes_)), sizes(nullptr), count(levels) {
    require_cpu(op, "spatial_shapes", shapes, ScalarType::Long, 2 * levels);
    sizes = static_cast<const int64_t*>(shapes.const_data_ptr());
    const int64_t most = std::numeric_limits<int32_t>::max();
    require(pixels <= most, op, ": more than 2^31 pixels");
    int64_t sum = 0;
    for (int64_t level = 0; level < levels; ++level) {
      require(height(level) > 0 && width(level) > 0 && height(level) <= most && width(level) <= most,
              op, ": spatial_shapes must be positive, got ", height(level), " x ", width(level), " for level ", level);
      sum += height(level) * width(level);
      // Before a sum of more levels can overflow.
      require(sum <= pixels, op, ": spatial_shapes sum to ", sum, " pixels, but the values have ", pixels,
              " (summed up to level ", level, ")");
    }
    require(sum == pixels, op, ": spatial_shapes sum to ", sum, " pixels, but the values have ", pixels);
  }

  int64_t height(int64_t level) const { return sizes[2 * level]; }
  int64_t width(int64_t level) const { return sizes[2 * level + 1]; }

  // Points of all heads, with raw positions in pixels, or in fractions of their level.
  template <typename A>
  PointTable<A> table(int64_t heads, int64_t depth, int64_t points, bool fractions) const {
    PointTable<A> table(heads * count * points);
    int64_t entry = 0;
    for (int64_t head = 0; head < heads; ++head) {
      int64_t start = 0;
      for (int64_t level = 0; level < count; ++level) {
        for (int64_t point = 0; point < points; ++point, ++entry) {
          table.gain_x[entry] = fractions ? static_cast<A>(width(level)) : A(1);
          table.gain_y[entry] = fractions ? static_cast<A>(height(level)) : A(1);
          table.bias_x[entry] = table.bias_y[entry] = A(-0.5);  // position 0 is the edge of the first pixel
          table.width[entry] = static_cast<Integer<A>>(width(level));
          table.height[entry] = static_cast<Integer<A>>(height(level));
          table.first[entry] = (start * heads + head) * depth;
          table.row[entry] = width(level) * heads * depth;
          table.offset[entry] = static_cast<Integer<A>>(table.first[entry]);
        }
        start += height(level) * width(level);
      }
    }
    return table;
  }
};

}  // namespace bev_ops
