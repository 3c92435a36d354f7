#include "engine/reference/reference_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace yolocu::reference {
namespace {

int64_t window_count(int64_t in, int64_t kernel, int64_t stride, int64_t padding) {
  return (in + 2 * padding - kernel) / stride + 1;
}

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

// sum_j j * softmax(logits)_j
double expected_bin(const float* logits, int64_t bins) {
  const double peak = *std::max_element(logits, logits + bins);
  double weighted = 0, total = 0;
  for (int64_t j = 0; j < bins; ++j) {
    const double weight = std::exp(logits[j] - peak);
    weighted += static_cast<double>(j) * weight;
    total += weight;
  }
  return weighted / total;
}

// One output of a convolution, before the activation.
double convolve_at(const Tensor& x, const ConvOp& op, std::span<const float> weight, int64_t n,
                   int64_t p, int64_t q, int64_t k) {
  const int64_t group_in = x.c / op.groups;
  const int64_t first_in = k / (op.out_channels / op.groups) * group_in;
  double sum = 0;
  for (int64_t r = 0; r < op.kernel; ++r) {
    const int64_t h = p * op.stride + r - op.padding;
    if (h < 0 || h >= x.h) continue;
    for (int64_t s = 0; s < op.kernel; ++s) {
      const int64_t w = q * op.stride + s - op.padding;
      if (w < 0 || w >= x.w) continue;
      const float* pixel = &x.values[x.index(n, h, w, first_in)];
      const float* filter =
          &weight[static_cast<size_t>(((k * op.kernel + r) * op.kernel + s) * group_in)];
      for (int64_t c = 0; c < group_in; ++c) sum += double{pixel[c]} * double{filter[c]};
    }
  }
  return sum;
}

}  // namespace

double activate(double x, Activation activation, double negative_slope) {
  switch (activation) {
    case Activation::kNone: return x;
    case Activation::kSilu: return x * sigmoid(x);
    case Activation::kLeakyRelu: return x < 0 ? x * negative_slope : x;
    case Activation::kRelu: return x < 0 ? 0 : x;
  }
  return x;
}

Tensor convolve(const Tensor& x, const ConvOp& op, std::span<const float> weight,
                std::span<const float> bias) {
  Tensor y(x.n, window_count(x.h, op.kernel, op.stride, op.padding),
           window_count(x.w, op.kernel, op.stride, op.padding), op.out_channels);
  for (int64_t n = 0; n < y.n; ++n) {
    for (int64_t p = 0; p < y.h; ++p) {
      for (int64_t q = 0; q < y.w; ++q) {
        for (int64_t k = 0; k < y.c; ++k) {
          double sum = convolve_at(x, op, weight, n, p, q, k);
          if (!bias.empty()) sum += bias[static_cast<size_t>(k)];
          y.at(n, p, q, k) = static_cast<float>(activate(sum, op.activation, op.negative_slope));
        }
      }
    }
  }
  return y;
}

Tensor max_pool(const Tensor& x, const MaxPoolOp& op) {
  Tensor y(x.n, window_count(x.h, op.kernel, op.stride, op.padding),
           window_count(x.w, op.kernel, op.stride, op.padding), x.c);
  for (int64_t n = 0; n < y.n; ++n) {
    for (int64_t p = 0; p < y.h; ++p) {
      for (int64_t q = 0; q < y.w; ++q) {
        const int64_t h0 = p * op.stride - op.padding, w0 = q * op.stride - op.padding;
        for (int64_t c = 0; c < y.c; ++c) {
          float best = -std::numeric_limits<float>::infinity();
          for (int64_t h = std::max<int64_t>(h0, 0); h < std::min(h0 + op.kernel, x.h); ++h) {
            for (int64_t w = std::max<int64_t>(w0, 0); w < std::min(w0 + op.kernel, x.w); ++w) {
              const float value = x.at(n, h, w, c);
              if (value > best || std::isnan(value)) best = value;  // once NaN, stays NaN
            }
          }
          y.at(n, p, q, c) = best;
        }
      }
    }
  }
  return y;
}

Tensor avg_pool(const Tensor& x, const AvgPoolOp& op) {
  Tensor y(x.n, window_count(x.h, op.kernel, op.stride, 0),
           window_count(x.w, op.kernel, op.stride, 0), x.c);
  const double area = static_cast<double>(op.kernel * op.kernel);
  for (int64_t n = 0; n < y.n; ++n) {
    for (int64_t p = 0; p < y.h; ++p) {
      for (int64_t q = 0; q < y.w; ++q) {
        for (int64_t c = 0; c < y.c; ++c) {
          double sum = 0;
          for (int64_t r = 0; r < op.kernel; ++r) {
            for (int64_t s = 0; s < op.kernel; ++s) {
              sum += x.at(n, p * op.stride + r, q * op.stride + s, c);
            }
          }
          y.at(n, p, q, c) = static_cast<float>(sum / area);
        }
      }
    }
  }
  return y;
}

Tensor upsample(const Tensor& x, const UpsampleOp& op) {
  Tensor y(x.n, x.h * op.factor, x.w * op.factor, x.c);
  for (int64_t n = 0; n < y.n; ++n) {
    for (int64_t p = 0; p < y.h; ++p) {
      for (int64_t q = 0; q < y.w; ++q) {
        for (int64_t c = 0; c < y.c; ++c) {
          y.at(n, p, q, c) = x.at(n, p / op.factor, q / op.factor, c);
        }
      }
    }
  }
  return y;
}

Tensor concat(std::span<const Tensor* const> xs) {
  int64_t channels = 0;
  for (const Tensor* x : xs) channels += x->c;
  Tensor y(xs[0]->n, xs[0]->h, xs[0]->w, channels);
  int64_t offset = 0;
  for (const Tensor* x : xs) {
    for (int64_t n = 0; n < y.n; ++n) {
      for (int64_t p = 0; p < y.h; ++p) {
        for (int64_t q = 0; q < y.w; ++q) {
          for (int64_t c = 0; c < x->c; ++c) y.at(n, p, q, offset + c) = x->at(n, p, q, c);
        }
      }
    }
    offset += x->c;
  }
  return y;
}

Tensor add(std::span<const Tensor* const> xs) {
  Tensor y = *xs[0];
  for (const Tensor* x : xs.subspan(1)) {
    for (size_t i = 0; i < y.values.size(); ++i) y.values[i] += x->values[i];
  }
  return y;
}

Tensor slice(const Tensor& x, const SliceOp& op) {
  Tensor y(x.n, x.h, x.w, op.channels);
  for (int64_t n = 0; n < y.n; ++n) {
    for (int64_t p = 0; p < y.h; ++p) {
      for (int64_t q = 0; q < y.w; ++q) {
        for (int64_t c = 0; c < y.c; ++c) y.at(n, p, q, c) = x.at(n, p, q, op.begin + c);
      }
    }
  }
  return y;
}

Tensor space_to_depth(const Tensor& x) {
  Tensor y(x.n, x.h / 2, x.w / 2, x.c * 4);
  for (int64_t n = 0; n < y.n; ++n) {
    for (int64_t p = 0; p < y.h; ++p) {
      for (int64_t q = 0; q < y.w; ++q) {
        for (int64_t block = 0; block < 4; ++block) {
          const int64_t row = block % 2, column = block / 2;
          for (int64_t c = 0; c < x.c; ++c) {
            y.at(n, p, q, block * x.c + c) = x.at(n, 2 * p + row, 2 * q + column, c);
          }
        }
      }
    }
  }
  return y;
}

Tensor decode_dfl(std::span<const Tensor* const> heads, const DecodeDflOp& op) {
  int64_t anchors = 0;
  for (size_t i = 0; i < heads.size(); i += 2) anchors += heads[i]->h * heads[i]->w;
  Tensor y(heads[0]->n, 1, anchors, 4 + op.classes);
  for (int64_t n = 0; n < y.n; ++n) {
    int64_t row = 0;
    for (size_t level = 0; level < op.strides.size(); ++level) {
      const Tensor& box = *heads[2 * level];
      const Tensor& cls = *heads[2 * level + 1];
      const double stride = op.strides[level];
      for (int64_t p = 0; p < box.h; ++p) {
        for (int64_t q = 0; q < box.w; ++q, ++row) {
          double side[4];  // left, top, right, bottom in cells
          for (int64_t i = 0; i < 4; ++i) {
            side[i] = expected_bin(&box.values[box.index(n, p, q, i * op.bins)], op.bins);
          }
          const double cx = static_cast<double>(q) + 0.5 + (side[2] - side[0]) / 2;
          const double cy = static_cast<double>(p) + 0.5 + (side[3] - side[1]) / 2;
          const double out[4] = {cx, cy, side[0] + side[2], side[1] + side[3]};
          for (int64_t i = 0; i < 4; ++i) y.at(n, 0, row, i) = static_cast<float>(out[i] * stride);
          for (int64_t c = 0; c < op.classes; ++c) {
            y.at(n, 0, row, 4 + c) = static_cast<float>(sigmoid(cls.at(n, p, q, c)));
          }
        }
      }
    }
  }
  return y;
}

Tensor decode_anchor(std::span<const Tensor* const> heads, const DecodeAnchorOp& op) {
  int64_t anchors = 0;
  for (size_t i = 0; i < heads.size(); ++i) {
    anchors += heads[i]->h * heads[i]->w * static_cast<int64_t>(op.anchors[i].size() / 2);
  }
  const int64_t entries = 5 + op.classes;
  Tensor y(heads[0]->n, 1, anchors, entries);
  for (int64_t n = 0; n < y.n; ++n) {
    int64_t row = 0;
    for (size_t level = 0; level < op.strides.size(); ++level) {
      const Tensor& head = *heads[level];
      const double stride = op.strides[level];
      for (size_t a = 0; a < op.anchors[level].size() / 2; ++a) {
        for (int64_t p = 0; p < head.h; ++p) {
          for (int64_t q = 0; q < head.w; ++q, ++row) {
            std::vector<double> s(static_cast<size_t>(entries));
            for (int64_t i = 0; i < entries; ++i) {
              s[static_cast<size_t>(i)] =
                  sigmoid(head.at(n, p, q, static_cast<int64_t>(a) * entries + i));
            }
            s[0] = (2 * s[0] - 0.5 + static_cast<double>(q)) * stride;
            s[1] = (2 * s[1] - 0.5 + static_cast<double>(p)) * stride;
            s[2] = 4 * s[2] * s[2] * double{op.anchors[level][2 * a]};
            s[3] = 4 * s[3] * s[3] * double{op.anchors[level][2 * a + 1]};
            for (int64_t i = 0; i < entries; ++i) {
              y.at(n, 0, row, i) = static_cast<float>(s[static_cast<size_t>(i)]);
            }
          }
        }
      }
    }
  }
  return y;
}

}  // namespace yolocu::reference
