// Where the points of a query lie, for each operator: the device's counterpart of the tables in sampling.h.
//
// A points class tells which maps (rows) a query of an image looks at, and where an undisplaced point lies in them.

#pragma once

#include "common/device.cuh"

namespace bev_ops {

// A point's position in pixels is raw * gain + bias; its map has these sizes, and starts at pixel `first` of the row.
// A map without a width has no pixels.
template <typename A>
struct Placed {
  A gain_x, gain_y, bias_x, bias_y;
  int64_t width, height, first;
};

struct Span {
  int64_t first, last;
};

// Each query sees the map of its own image.
struct OneView {
  __device__ Span rows(int64_t image) const { return {image, image + 1}; }
  __device__ bool sees(int64_t, int64_t) const { return true; }
};

// A window around each output pixel; query q is the pixel (q / columns, q % columns).
template <typename A>
struct WindowPoints : OneView {
  int kernel_h, kernel_w, dilation_h, dilation_w, stride_h, stride_w;
  int64_t height, width;
  Divisor columns;
  A first_x, first_y;  // centre of the first window
  A offset_scale;
  int center;  // the point that is left out; -1 for none

  __device__ Placed<A> place(int64_t, int64_t query, int point) const {
    const int index = center >= 0 && point >= center ? point + 1 : point;
    const int half_x = dilation_w * (kernel_w - 1) / 2, half_y = dilation_h * (kernel_h - 1) / 2;
    const A x = static_cast<A>(index / kernel_h * dilation_w - half_x);
    const A y = static_cast<A>(index % kernel_h * dilation_h - half_y);
    const A origin_x = first_x + static_cast<A>(columns.remainder(query) * stride_w);
    const A origin_y = first_y + static_cast<A>(columns.quotient(query) * stride_h);
    return {offset_scale, offset_scale, x * offset_scale + origin_x, y * offset_scale + origin_y, width, height, 0};
  }
};

// Levels one after another. A level that goes beyond the row's pixels, or has a size that isn't positive, has none: the
// sizes lie on the device and are not checked before.
struct DeviceLevels {
  const int64_t* sizes;  // (L, 2), height and width
  int points;            // of one level
  int64_t pixels;        // of a row

  // Sets size and start of the point's map.
  template <typename A>
  __device__ void find(int point, Placed<A>* placed) const {
    int64_t first = 0;
    bool fits = true;
    for (int level = 0;; ++level) {
      BEV_CHECK_READ(sizes + 2 * level, 2 * sizeof(int64_t), sizeof(int64_t));
      const int64_t height = sizes[2 * level], width = sizes[2 * level + 1];
      fits = fits && height > 0 && width > 0 && height <= pixels && width <= pixels - first &&
             height * width <= pixels - first;
      if (!fits || level == point / points) {
        placed->height = fits ? height : 0;
        placed->width = fits ? width : 0;
        placed->first = first;
        return;
      }
      first += height * width;
    }
  }
};

// Positions as fractions of a level.
template <typename A>
struct LevelPoints : OneView {
  DeviceLevels levels;

  __device__ Placed<A> place(int64_t, int64_t, int point) const {
    Placed<A> placed{0, 0, A(-0.5), A(-0.5), 0, 0, 0};
    levels.find(point, &placed);
    placed.gain_x = static_cast<A>(placed.width);
    placed.gain_y = static_cast<A>(placed.height);
    return placed;
  }
};

// Several views: positions in pixels around anchors, of which each view has its own.
template <typename A>
struct ViewPoints {
  DeviceLevels levels;
  const int64_t* splits;  // (B + 1)
  const A* anchors;       // (R, Q, Z, 2)
  const bool* visible;    // (R, Q)
  int64_t count, queries;  // R, Q
  int anchors_per_query;   // Z

  __device__ Span rows(int64_t image) const {
    BEV_CHECK_READ(splits + image, 2 * sizeof(int64_t), sizeof(int64_t));
    const int64_t first = splits[image], last = splits[image + 1];
    return {first < 0 ? 0 : first, last > count ? count : last};
  }

  __device__ bool sees(int64_t row, int64_t query) const {
    BEV_CHECK_READ(visible + row * queries + query, sizeof(bool), 1);
    return visible[row * queries + query];
  }

  __device__ Placed<A> place(int64_t row, int64_t query, int point) const {
    Placed<A> placed{1, 1, 0, 0, 0, 0, 0};
    levels.find(point, &placed);
    A anchor[2];
    const int index = point % levels.points % anchors_per_query;
    read<2>(anchors + 2 * ((row * queries + query) * anchors_per_query + index), anchor);
    placed.bias_x = anchor[0] * static_cast<A>(placed.width) - A(0.5);
    placed.bias_y = anchor[1] * static_cast<A>(placed.height) - A(0.5);
    return placed;
  }
};

}  // namespace bev_ops
