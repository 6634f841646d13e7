// Deformable convolution v3 on the CPU: describes the window to the common sampling core.

#include <torch/csrc/stable/library.h>

#include "common/run_cpu.h"
#include "dcnv3/window.h"

namespace bev_ops {
namespace {

// Undisplaced points relative to the window's centre, x-major, for each group.
template <typename A>
PointTable<A> make_table(const Window& window, int64_t height, int64_t width, int64_t channels) {
  PointTable<A> table(window.groups * window.points());
  int64_t entry = 0;
  for (int64_t group = 0; group < window.groups; ++group) {
    for (int64_t column = 0; column < window.x.kernel; ++column) {
      for (int64_t row = 0; row < window.y.kernel; ++row) {
        if (window.remove_center && column * window.y.kernel + row == window.center()) continue;
        const int64_t x = column * window.x.dilation - window.x.half(), y = row * window.y.dilation - window.y.half();
        table.gain_x[entry] = table.gain_y[entry] = static_cast<A>(window.offset_scale);
        table.bias_x[entry] = static_cast<A>(static_cast<double>(x) * window.offset_scale);
        table.bias_y[entry] = static_cast<A>(static_cast<double>(y) * window.offset_scale);
        table.width[entry] = static_cast<Integer<A>>(width);
        table.height[entry] = static_cast<Integer<A>>(height);
        table.first[entry] = group * (channels / window.groups);
        table.row[entry] = width * channels;
        table.offset[entry] = static_cast<Integer<A>>(table.first[entry]);
        ++entry;
      }
    }
  }
  return table;
}

// Contiguous tensors and the sizes that they were checked against.
struct Arguments {
  Tensor input, offset, mask;
  Window window;
  int64_t height_out, width_out;

  Arguments(const Tensor& input_, const Tensor& offset_, const Tensor& mask_, const Window& window_)
      : input(as_contiguous(input_)),
        offset(as_contiguous(offset_)),
        mask(as_contiguous(mask_)),
        window(window_) {
    const char* op = "dcnv3";
    window.check(input);
    height_out = window.y.output_size(input.size(1));
    width_out = window.x.output_size(input.size(2));
    const int64_t entries = window.entries(input);
    require(input.is_cpu(), op, ": input must be on the CPU");
    require_coordinates(op, "offset", offset, input, 2 * entries);
    require_coordinates(op, "mask", mask, input, entries);
  }

  // Passes the description of the sampling of maps stored as V on to `call`.
  template <typename V, typename Call>
  void operator()(V*, const Call& call) const {
    using A = ComputeType<V>;
    const int64_t channels = input.size(3);
    const auto table = make_table<A>(window, input.size(1), input.size(2), channels);
    call(Sampling<V>{
        input.size(0), height_out * width_out, window.groups, window.points(), channels / window.groups,
        input.size(1) * input.size(2), data<V>(input), coordinates("dcnv3", offset), coordinates("dcnv3", mask), &table,
        {width_out, static_cast<A>(window.x.stride), static_cast<A>(window.y.stride),
         static_cast<A>(window.x.half() - window.x.padding), static_cast<A>(window.y.half() - window.y.padding)},
        nullptr, input.size(2)});
  }
};

Tensor dcnv3(const Tensor& input, const Tensor& offset, const Tensor& mask, int64_t kernel_h, int64_t kernel_w,
             int64_t stride_h, int64_t stride_w, int64_t padding_h, int64_t padding_w, int64_t dilation_h,
             int64_t dilation_w, int64_t groups, double offset_scale, bool remove_center) {
  const Arguments arguments(input, offset, mask,
                            {{kernel_h, stride_h, padding_h, dilation_h},
                             {kernel_w, stride_w, padding_w, dilation_w}, groups, offset_scale, remove_center});
  const Tensor& x = arguments.input;
  return run_forward("dcnv3", x, {x.size(0), arguments.height_out, arguments.width_out, x.size(3)}, arguments);
}

std::tuple<Tensor, Tensor, Tensor> dcnv3_backward(
    const Tensor& grad, const Tensor& input, const Tensor& offset, const Tensor& mask, int64_t kernel_h,
    int64_t kernel_w, int64_t stride_h, int64_t stride_w, int64_t padding_h, int64_t padding_w, int64_t dilation_h,
    int64_t dilation_w, int64_t groups, double offset_scale, bool remove_center) {
  const Arguments arguments(input, offset, mask,
                            {{kernel_h, stride_h, padding_h, dilation_h},
                             {kernel_w, stride_w, padding_w, dilation_w}, groups, offset_scale, remove_center});
  const int64_t elements = input.size(0) * arguments.height_out * arguments.width_out * input.size(3);
  return run_backward("dcnv3", grad, arguments.input, arguments.offset, arguments.mask, elements, arguments);
}

STABLE_TORCH_LIBRARY_IMPL(bev_ops, CPU, m) {
  m.impl("dcnv3", TORCH_BOX(&dcnv3));
  m.impl("dcnv3_backward", TORCH_BOX(&dcnv3_backward));
}

}  // namespace
}  // namespace bev_ops
