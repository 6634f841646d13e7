// The sliding window of deformable convolution v3, checked against its input.

#pragma once

#include <limits>

#include "common/check.h"

namespace bev_ops {

struct Axis {
  int64_t kernel, stride, padding, dilation;

  int64_t half() const { return dilation * (kernel - 1) / 2; }
  int64_t output_size(int64_t size) const { return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1; }
};

struct Window {
  Axis y, x;
  int64_t groups;
  double offset_scale;
  bool remove_center;

  int64_t points() const { return y.kernel * x.kernel - (remove_center ? 1 : 0); }
  int64_t center() const { return y.kernel * x.kernel / 2; }

  // Points of all groups and output pixels of an input that was checked; twice as many still fit 64 bits.
  int64_t entries(const Tensor& input) const {
    const int64_t height = y.output_size(input.size(1)), width = x.output_size(input.size(2));
    return product("dcnv3", {2, input.size(0), height, width, groups, points()}) / 2;
  }

  // Checks the window and the shape of the input (N, H, W, C).
  void check(const Tensor& input) const {
    const char* op = "dcnv3";
    require(input.dim() == 4, op, ": input must be (N, H, W, C), got ", input.dim(), " dimensions");
    require(groups > 0 && input.size(3) > 0 && input.size(3) % groups == 0, op, ": groups must divide the channels");
    const int64_t most = std::numeric_limits<int32_t>::max();
    for (const Axis& axis : {y, x}) {
      require(axis.kernel > 0 && axis.stride > 0 && axis.padding >= 0 && axis.dilation > 0,
              op, ": kernel size, stride and dilation must be positive, padding not negative");
      // What is computed from these then fits 64 bits, and on CUDA devices 32.
      require(axis.kernel <= most && axis.stride <= most && axis.padding <= most && axis.dilation <= most &&
                  axis.dilation * (axis.kernel - 1) <= most,
              op, ": kernel size, stride, padding, dilation and the window's reach must be less than 2^31");
    }
    require(!remove_center || (y.kernel % 2 == 1 && x.kernel % 2 == 1), op, ": remove_center needs an odd kernel");
    require(product(op, {input.size(1), input.size(2)}) <= most, op, ": more than 2^31 pixels");
    require(y.output_size(input.size(1)) > 0 && x.output_size(input.size(2)) > 0,
            op, ": the input is smaller than the window");
  }
};

}  // namespace bev_ops
