// Fused functions between matrix products on the CPU: checks, and threads that share the rows.

#include "fused/fused.h"

#include <algorithm>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "common/check.h"
#include "common/target.h"

namespace bev_ops {
namespace {

using OptionalTensor = std::optional<Tensor>;

template <typename V>
FusedTable<V> fused_kernels() {
  BEV_RETURN_FOR_TARGET(fused_kernels<V>());
}

// A tensor as contiguous rows of its last axis.
struct RowsOf {
  Tensor tensor;
  int64_t channels, count;

  RowsOf(const char* op, const Tensor& given) : tensor(as_contiguous(given)), channels(0), count(0) {
    require(tensor.is_cpu(), op, ": the tensor must be on the CPU");
    require(tensor.dim() > 0, op, ": the tensor must have an axis of channels");
    channels = tensor.size(tensor.dim() - 1);
    count = channels == 0 ? 0 : tensor.numel() / channels;
  }

  // Calls work(begin, end), with pointers to V, in several threads.
  template <typename Work>
  void share(const Work& work) const {
    constexpr int64_t numbers_per_task = 1 << 13;
    const int64_t grain = std::max<int64_t>(numbers_per_task / std::max<int64_t>(channels, 1), 16);
    torch::stable::parallel_for(0, count, grain, work);
  }
};

// A parameter with one number per channel, in the type that is computed in.
class Parameter {
 public:
  Parameter(const char* op, const char* name, const OptionalTensor& given, const RowsOf& rows) {
    if (!given.has_value()) return;
    require_cpu(op, name, *given, given->scalar_type(), rows.channels);
    storage_of(op, *given);
    tensor_ = as_contiguous(torch::stable::to(*given, compute_type(rows.tensor)));
  }

  template <typename A>
  const A* data() const {
    return tensor_.has_value() ? static_cast<const A*>(tensor_->const_data_ptr()) : nullptr;
  }

 private:
  OptionalTensor tensor_;
};

template <typename V>
const V* read(const Tensor& tensor) {
  return static_cast<const V*>(tensor.const_data_ptr());
}

// A new tensor like `rows`, filled by call(null pointer to V, pointer to the result).
template <typename Call>
Tensor fill(const char* op, const RowsOf& rows, const Call& call) {
  Tensor output = torch::stable::empty_like(rows.tensor);
  dispatch(op, rows.tensor, [&](auto* type) {
    using V = std::remove_pointer_t<decltype(type)>;
    call(type, static_cast<V*>(output.mutable_data_ptr()));
  });
  return output;
}

Tensor gelu(const Tensor& x, const OptionalTensor& bias) {
  const RowsOf rows("gelu", x);
  const Parameter shift("gelu", "bias", bias, rows);
  return fill("gelu", rows, [&](auto* type, auto* output) {
    using V = std::remove_pointer_t<decltype(type)>;
    const auto kernel = fused_kernels<V>().gelu;
    const auto* added = shift.data<ComputeType<V>>();
    rows.share([&](int64_t begin, int64_t end) {
      kernel(read<V>(rows.tensor), added, begin, end, rows.channels, output);
    });
  });
}

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, bool activate) {
  const RowsOf rows("layer_norm", x);
  const Parameter scale("layer_norm", "weight", weight, rows), shift("layer_norm", "bias", bias, rows);
  return fill("layer_norm", rows, [&](auto* type, auto* output) {
    using V = std::remove_pointer_t<decltype(type)>;
    using A = ComputeType<V>;
    const auto kernel = fused_kernels<V>().layer_norm;
    const A *factor = scale.data<A>(), *added = shift.data<A>();
    rows.share([&](int64_t begin, int64_t end) {
      kernel(read<V>(rows.tensor), factor, added, static_cast<A>(eps), activate, begin, end, rows.channels, output);
    });
  });
}

Tensor add_branch(const Tensor& x, const Tensor& branch, const OptionalTensor& scale) {
  const RowsOf rows("add_branch", x), others("add_branch", branch);
  require_cpu("add_branch", "branch", others.tensor, rows.tensor.scalar_type(), rows.tensor.numel());
  require(std::equal(x.sizes().begin(), x.sizes().end(), branch.sizes().begin(), branch.sizes().end()),
          "add_branch: x and branch must have the same shape");
  const Parameter factor("add_branch", "scale", scale, rows);
  return fill("add_branch", rows, [&](auto* type, auto* output) {
    using V = std::remove_pointer_t<decltype(type)>;
    const auto kernel = fused_kernels<V>().add_branch;
    const auto* factors = factor.data<ComputeType<V>>();
    rows.share([&](int64_t begin, int64_t end) {
      kernel(read<V>(rows.tensor), read<V>(others.tensor), factors, begin, end, rows.channels, output);
    });
  });
}

Tensor softmax(const Tensor& logits) {
  const RowsOf rows("softmax", logits);
  return fill("softmax", rows, [&](auto* type, auto* output) {
    using V = std::remove_pointer_t<decltype(type)>;
    const auto kernel = fused_kernels<V>().softmax;
    rows.share([&](int64_t begin, int64_t end) {
      kernel(read<V>(rows.tensor), begin, end, rows.channels, output);
    });
  });
}

Tensor softmax_backward(const Tensor& grad, const Tensor& output) {
  const RowsOf rows("softmax_backward", grad), weights("softmax_backward", output);
  require_cpu("softmax_backward", "output", weights.tensor, rows.tensor.scalar_type(), rows.tensor.numel());
  return fill("softmax_backward", rows, [&](auto* type, auto* grad_logits) {
    using V = std::remove_pointer_t<decltype(type)>;
    const auto kernel = fused_kernels<V>().softmax_backward;
    rows.share([&](int64_t begin, int64_t end) {
      kernel(read<V>(rows.tensor), read<V>(weights.tensor), begin, end, rows.channels, grad_logits);
    });
  });
}

STABLE_TORCH_LIBRARY_IMPL(bev_ops, CPU, m) {
  m.impl("gelu", TORCH_BOX(&gelu));
  m.impl("layer_norm", TORCH_BOX(&layer_norm));
  m.impl("add_branch", TORCH_BOX(&add_branch));
  m.impl("softmax", TORCH_BOX(&softmax));
  m.impl("softmax_backward", TORCH_BOX(&softmax_backward));
}

}  // namespace
}  // namespace bev_ops
