// The CUDA kernels of all operators as functions of a library for the CPU; see cuda_on_host.h.

#include "common/sampling.cuh"

using namespace bev_ops;
using cuda_on_host::Access;

// Positions in the array of pointers and sizes in bytes that a call brings.
enum Memory { maps, raw, weights, output, grad_maps, grad_raw, grad_weights, shapes, splits, anchors, visible, count };

struct Call {
  int op;         // 0 dcnv3, 1 ms_deform_attn, 2 bev_cross_attention
  int type;       // 0 float32, 1 float64, 2 bfloat16, 3 float16
  int raw_wide;   // positions and weights in float32 beside 16-bit maps
  int backward;
  unsigned blocks, threads;
  int64_t images, queries, groups, points, depth, pixels;
  int64_t window[9];  // kernel h w, dilation h w, stride h w, height, width, columns
  double first_x, first_y, offset_scale;
  int64_t center, level_points, rows, anchors_per_query;
  void* memory[count];
  int64_t bytes[count];
};

template <typename A>
struct PointsOf {
  const Call& call;

  WindowPoints<A> window() const {
    WindowPoints<A> points{};
    const int64_t* w = call.window;
    points.kernel_h = static_cast<int>(w[0]);
    points.kernel_w = static_cast<int>(w[1]);
    points.dilation_h = static_cast<int>(w[2]);
    points.dilation_w = static_cast<int>(w[3]);
    points.stride_h = static_cast<int>(w[4]);
    points.stride_w = static_cast<int>(w[5]);
    points.height = w[6];
    points.width = w[7];
    points.columns = Divisor(w[8]);
    points.first_x = static_cast<A>(call.first_x);
    points.first_y = static_cast<A>(call.first_y);
    points.offset_scale = static_cast<A>(call.offset_scale);
    points.center = static_cast<int>(call.center);
    return points;
  }

  DeviceLevels levels() const {
    return {static_cast<const int64_t*>(call.memory[shapes]), static_cast<int>(call.level_points), call.pixels};
  }

  LevelPoints<A> level() const {
    LevelPoints<A> points{};
    points.levels = levels();
    return points;
  }

  ViewPoints<A> view() const {
    ViewPoints<A> points{};
    points.levels = levels();
    points.splits = static_cast<const int64_t*>(call.memory[splits]);
    points.anchors = static_cast<const A*>(call.memory[anchors]);
    points.visible = static_cast<const bool*>(call.memory[visible]);
    points.count = call.rows;
    points.queries = call.queries;
    points.anchors_per_query = static_cast<int>(call.anchors_per_query);
    return points;
  }
};

template <int N, typename V, typename R, typename Points>
std::string run(const Call& call, const Points& points) {
  const DeviceSampling<V, R> s{call.images * call.queries * call.groups, Divisor(call.queries), Divisor(call.groups),
                               call.groups, call.depth, call.pixels, static_cast<int>(call.points), static_cast<const V*>(call.memory[maps]),
                               static_cast<const R*>(call.memory[raw]), static_cast<const R*>(call.memory[weights])};
  const int team = team_size_for(call.depth, N);
  if (!call.backward) {
    V* to = static_cast<V*>(call.memory[output]);
    return cuda_on_host::launch(call.blocks, call.threads, [=] { forward_kernel<N, V, R, Points>(s, points, team, to); });
  }
  const DeviceGradients<V, R> gradients{
      static_cast<const V*>(call.memory[output]), static_cast<ComputeType<V>*>(call.memory[grad_maps]),
      static_cast<R*>(call.memory[grad_raw]), static_cast<R*>(call.memory[grad_weights])};
  return cuda_on_host::launch(call.blocks, call.threads,
                              [=] { backward_kernel<N, V, R, Points>(s, points, team, gradients); });
}

template <typename V, typename R>
std::string run(const Call& call) {
  const PointsOf<ComputeType<V>> points{call};
  constexpr int wide = wide_pack<V>;
  const bool packs = call.depth % wide == 0;
  if (call.op == 0) return packs ? run<wide, V, R>(call, points.window()) : run<1, V, R>(call, points.window());
  if (call.op == 1) return packs ? run<wide, V, R>(call, points.level()) : run<1, V, R>(call, points.level());
  return packs ? run<wide, V, R>(call, points.view()) : run<1, V, R>(call, points.view());
}

extern "C" int64_t divide(int64_t number, int64_t divisor) { return Divisor(divisor).quotient(number); }

extern "C" const char* run_kernel(const Call* call) {
  static std::string error;
  auto& known = cuda_on_host::machine.allocations;
  known.clear();
  for (int i = 0; i < count; ++i) {
    if (call->memory[i] == nullptr) continue;
    const auto begin = reinterpret_cast<uintptr_t>(call->memory[i]);
    const bool written = call->backward ? i == grad_raw || i == grad_weights : i == output;
    const Access access = written ? Access::output : i == grad_maps ? Access::sum : Access::input;
    const auto size = static_cast<size_t>(call->bytes[i]);
    known.push_back({begin, begin + size, access, std::vector<int64_t>(written ? size : 0, -1)});
  }
  switch (call->type) {
    case 0:
      error = run<float, float>(*call);
      break;
    case 1:
      error = run<double, double>(*call);
      break;
    case 2:
      error = call->raw_wide ? run<BFloat16, float>(*call) : run<BFloat16, BFloat16>(*call);
      break;
    default:
      error = call->raw_wide ? run<Half, float>(*call) : run<Half, Half>(*call);
  }
  return error.c_str();
}
