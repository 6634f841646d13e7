// Deformable convolution v3 on CUDA devices.

#include <torch/csrc/stable/library.h>

#include "common/run_cuda.cuh"
#include "dcnv3/window.h"

namespace bev_ops {
namespace {

Inputs inputs(const Tensor& input, const Tensor& offset, const Tensor& mask, const Window& window) {
  const Tensor maps = packed(input);
  window.check(maps);
  const int64_t entries = window.entries(maps);
  const int64_t queries = window.y.output_size(maps.size(1)) * window.x.output_size(maps.size(2));
  const Inputs in{"dcnv3", maps, packed(offset), packed(mask),
                  {maps.size(0), queries, window.groups, window.points(), maps.size(3) / window.groups,
                   maps.size(1) * maps.size(2)}};
  require_sampling("dcnv3", in.maps, in.raw, in.weights, entries);
  return in;
}

// Describes the window to the kernels, for coordinates of type A.
auto placing(const Tensor& input, const Window& window) {
  return [&input, &window](auto* type) {
    using A = std::remove_pointer_t<decltype(type)>;
    WindowPoints<A> points{};
    points.kernel_h = static_cast<int>(window.y.kernel);
    points.kernel_w = static_cast<int>(window.x.kernel);
    points.dilation_h = static_cast<int>(window.y.dilation);
    points.dilation_w = static_cast<int>(window.x.dilation);
    points.stride_h = static_cast<int>(window.y.stride);
    points.stride_w = static_cast<int>(window.x.stride);
    points.height = input.size(1);
    points.width = input.size(2);
    points.columns = Divisor(window.x.output_size(input.size(2)));
    points.first_x = static_cast<A>(window.x.half() - window.x.padding);
    points.first_y = static_cast<A>(window.y.half() - window.y.padding);
    points.offset_scale = static_cast<A>(window.offset_scale);
    points.center = window.remove_center ? static_cast<int>(window.center()) : -1;
    return points;
  };
}

Tensor dcnv3(const Tensor& input, const Tensor& offset, const Tensor& mask, int64_t kernel_h, int64_t kernel_w,
             int64_t stride_h, int64_t stride_w, int64_t padding_h, int64_t padding_w, int64_t dilation_h,
             int64_t dilation_w, int64_t groups, double offset_scale, bool remove_center) {
  const Window window{{kernel_h, stride_h, padding_h, dilation_h}, {kernel_w, stride_w, padding_w, dilation_w},
                      groups, offset_scale, remove_center};
  const Inputs in = inputs(input, offset, mask, window);
  return run_forward_cuda(in, {input.size(0), window.y.output_size(input.size(1)),
                               window.x.output_size(input.size(2)), input.size(3)}, placing(input, window));
}

std::tuple<Tensor, Tensor, Tensor> dcnv3_backward(
    const Tensor& grad, const Tensor& input, const Tensor& offset, const Tensor& mask, int64_t kernel_h,
    int64_t kernel_w, int64_t stride_h, int64_t stride_w, int64_t padding_h, int64_t padding_w, int64_t dilation_h,
    int64_t dilation_w, int64_t groups, double offset_scale, bool remove_center) {
  const Window window{{kernel_h, stride_h, padding_h, dilation_h}, {kernel_w, stride_w, padding_w, dilation_w},
                      groups, offset_scale, remove_center};
  return run_backward_cuda(inputs(input, offset, mask, window), grad, placing(input, window));
}

STABLE_TORCH_LIBRARY_IMPL(bev_ops, CUDA, m) {
  m.impl("dcnv3", TORCH_BOX(&dcnv3));
  m.impl("dcnv3_backward", TORCH_BOX(&dcnv3_backward));
}

}  // namespace
}  // namespace bev_ops
