#include "tests/engine/test_graphs.h"

#include "engine/base/str_cat.h"

namespace yolocu::testing {
namespace {

struct ConvCase {
  int64_t in, out, kernel, stride, padding, groups;
};

std::string text(const ConvCase& c) {
  return str_cat(c.in, "->", c.out, " k", c.kernel, " s", c.stride, " p", c.padding, " g",
                 c.groups);
}

// A 1x1 convolution makes c.in channels; c.in == 3 takes the picture itself.
std::shared_ptr<const Model> conv_model(const ConvCase& c, Activation activation, Numbers numbers) {
  ModelBuilder b(numbers);
  const int x = c.in == 3 ? 0 : b.conv(0, c.in, {});
  const int y = b.conv(x, c.out,
                       {.kernel = c.kernel,
                        .stride = c.stride,
                        .padding = c.padding,
                        .groups = c.groups,
                        .activation = activation,
                        .negative_slope = 0.25f});
  return b.finish({y});
}

const ConvCase kConvs[] = {
    {3, 16, 3, 1, 1, 1},   {3, 24, 3, 2, 1, 1},  {3, 255, 1, 1, 0, 1},  {3, 6, 3, 1, 1, 3},
    {1, 8, 1, 1, 0, 1},    {1, 24, 3, 1, 1, 1},  {24, 1, 3, 1, 1, 1},   {24, 24, 3, 1, 1, 1},
    {24, 85, 1, 1, 0, 1},  {85, 24, 3, 2, 1, 1}, {85, 255, 1, 1, 0, 1}, {255, 6, 1, 1, 0, 1},
    {64, 64, 3, 1, 1, 4},  {64, 64, 1, 1, 0, 4}, {24, 24, 3, 1, 1, 4},  {12, 20, 3, 1, 1, 4},
    {40, 80, 3, 1, 1, 4},  {96, 96, 3, 1, 1, 4}, {24, 24, 3, 1, 1, 24}, {32, 32, 5, 2, 2, 32},
    {16, 32, 3, 1, 1, 16}, {16, 32, 5, 1, 2, 1}, {24, 40, 7, 1, 3, 1},  {32, 16, 1, 2, 0, 1},
    {17, 33, 3, 1, 1, 1},  {10, 8, 1, 1, 0, 2},  {8, 16, 3, 4, 1, 1}};

}  // namespace

std::vector<TestGraph> convolution_graphs(Numbers numbers) {
  std::vector<TestGraph> graphs;
  for (const ConvCase& c : kConvs) {
    if (numbers == Numbers::kReals) {
      graphs.push_back(
          {text(c), conv_model(c, Activation::kSilu, numbers), 4 * c.stride, 11 * c.stride});
      continue;
    }
    for (const Activation activation :
         {Activation::kNone, Activation::kRelu, Activation::kLeakyRelu}) {
      graphs.push_back({str_cat(text(c), " ", activation_name(activation)),
                        conv_model(c, activation, numbers), c.stride == 1 ? 13 : c.stride * 5,
                        c.stride == 1 ? 9 : c.stride * 6});
    }
  }
  return graphs;
}

std::vector<TestGraph> tiny_convolution_graphs() {
  std::vector<TestGraph> graphs;
  for (const ConvCase& c : kConvs) {
    if (c.stride > 1) continue;
    const auto model = conv_model(c, Activation::kNone, Numbers::kIntegers);
    graphs.push_back({text(c) + " at 1x1", model, 1, 1});
    graphs.push_back({text(c) + " at 1x7", model, 1, 7});
    graphs.push_back({text(c) + " at 6x1", model, 6, 1});
  }
  return graphs;
}

std::vector<TestGraph> uncommon_convolution_graphs() {
  std::vector<TestGraph> graphs;
  for (const int64_t groups : {1, 2, 24}) {
    ModelBuilder b(Numbers::kIntegers);
    const int x = b.conv(0, 24, {});
    const int wide = b.conv(x, 24, {.kernel = 1, .padding = 1, .groups = groups});
    const int back = b.conv(wide, 8, {.kernel = 3});
    graphs.push_back({str_cat("1x1 with padding, groups ", groups), b.finish({back}), 5, 4});
  }
  ModelBuilder b(Numbers::kIntegers);
  const int x = b.conv(0, 24, {.kernel = 4, .stride = 2, .padding = 1});
  const int y = b.conv(x, 40, {.kernel = 4, .stride = 2, .padding = 1});
  graphs.push_back({"4x4 stride 2", b.finish({y, x}), 20, 12});
  ModelBuilder without(Numbers::kIntegers);
  const int z = without.conv(0, 24, {.bias = "none"});
  graphs.push_back(
      {"no bias",
       without.finish({without.conv(z, 17, {.kernel = 3, .padding = 1, .bias = "none"})}), 6, 5});
  return graphs;
}

std::vector<TestGraph> pooling_graphs() {
  std::vector<TestGraph> graphs;
  for (const int64_t channels : {3, 24, 85}) {
    ModelBuilder b(Numbers::kIntegers);
    const int x = channels == 3 ? 0 : b.conv(0, channels, {});
    const int halved = b.op({x}, MaxPoolOp{});
    const int same = b.op({x}, MaxPoolOp{.kernel = 5, .stride = 1, .padding = 2});
    const int wide = b.op({x}, MaxPoolOp{.kernel = 13, .stride = 1, .padding = 6});
    const int mean = b.conv(b.op({x}, AvgPoolOp{}), 8, {.kernel = 2, .padding = 1});
    const int quarter = b.op({x}, AvgPoolOp{.kernel = 2, .stride = 2});
    graphs.push_back({str_cat("pools of ", channels, " channels"),
                      b.finish({halved, b.add({same, wide}), mean, quarter}), 10, 14});
  }
  for (const int64_t kernel : {3, 5, 9, 13}) {
    ModelBuilder b(Numbers::kIntegers);
    const int x = b.conv(0, 24, {});
    const int y = b.op({x}, MaxPoolOp{.kernel = kernel, .stride = 1, .padding = kernel / 2});
    const auto model = b.finish({y});
    for (const int64_t size : {1, 2, 3}) {
      graphs.push_back({str_cat("window ", kernel, " at ", size, "x1"), model, size, 1});
      graphs.push_back({str_cat("window ", kernel, " at 1x", size), model, 1, size});
    }
  }
  ModelBuilder b(Numbers::kIntegers);
  const int x = b.conv(0, 24, {});
  std::vector<int> parallel = {x};
  for (const int64_t kernel : {13, 5, 9, 5}) {
    parallel.push_back(b.op({x}, MaxPoolOp{.kernel = kernel, .stride = 1, .padding = kernel / 2}));
  }
  graphs.push_back({"SPP", b.finish({b.concat(parallel)}), 17, 15});
  return graphs;
}

std::vector<TestGraph> resize_graphs() {
  std::vector<TestGraph> graphs;
  for (const int64_t channels : {3, 24, 85}) {
    ModelBuilder b(Numbers::kIntegers);
    const int x = channels == 3 ? 0 : b.conv(0, channels, {});
    const int small = b.op({x}, MaxPoolOp{});
    const int up = b.op({small}, UpsampleOp{});
    const int tiny = b.op({small}, MaxPoolOp{});
    const int up4 = b.op({tiny}, UpsampleOp{.factor = 4});
    const int depth = b.op({x}, SpaceToDepthOp{});
    const int both = b.concat({up, x, up4});
    graphs.push_back({str_cat("resized ", channels, " channels"),
                      b.finish({both, depth, b.conv(depth, 20, {.kernel = 3, .padding = 1})}), 12,
                      8});
  }
  for (const int64_t channels : {24, 30}) {
    // A convolution that is only upsampled; one that is read as well; upsampled twice and read;
    // and a sum that is upsampled.
    ModelBuilder b(Numbers::kIntegers);
    const int big = b.conv(0, channels, {});
    const ConvOp down{.kernel = 3, .stride = 2, .padding = 1};
    const int only = b.op({b.conv(big, channels, down)}, UpsampleOp{});
    const int read = b.conv(big, channels, down);
    const int first = b.op({read}, UpsampleOp{}), second = b.op({read}, UpsampleOp{});
    const int sum = b.add({read, b.conv(read, channels, {})});
    const int joined = b.concat({only, big, first, b.op({sum}, UpsampleOp{})});
    graphs.push_back({str_cat("upsampled convolutions of ", channels, " channels"),
                      b.finish({joined, second, read, b.conv(only, 8, {})}), 10, 6});
  }
  return graphs;
}

std::vector<TestGraph> sum_graphs() {
  std::vector<TestGraph> graphs;
  for (const int64_t channels : {24, 32, 85}) {
    for (const Activation activation : {Activation::kNone, Activation::kLeakyRelu}) {
      ModelBuilder b(Numbers::kIntegers);
      const ConvOp conv{
          .kernel = 3, .padding = 1, .activation = activation, .negative_slope = 0.5f};
      const int x = b.conv(0, channels, {});
      const int y = b.conv(x, channels, conv);
      const int fused = b.add({x, y});
      const int other_order = b.add({b.conv(fused, channels, {}), x});
      const int twice = b.add({other_order, other_order});
      const int three = b.add({x, twice, fused});
      const int used_elsewhere = b.conv(x, channels, conv);
      const int pooled = b.op({x}, MaxPoolOp{.kernel = 3, .stride = 1, .padding = 1});
      const int earlier = b.conv(pooled, channels, conv);
      const int after = b.op({pooled}, MaxPoolOp{.kernel = 3, .stride = 1, .padding = 1});
      const int not_fused = b.add({b.add({used_elsewhere, x}), b.add({earlier, after})});
      graphs.push_back({str_cat("sums of ", channels, " channels, ", activation_name(activation)),
                        b.finish({three, not_fused, used_elsewhere}), 5, 6});
    }
  }
  for (const int count : {1, 2, 6, 9}) {
    // As CBFuse: maps of other sizes, upsampled for this sum alone.
    ModelBuilder b(Numbers::kIntegers);
    const int x = b.conv(0, 24, {});
    const int half = b.op({x}, MaxPoolOp{}), quarter = b.op({half}, MaxPoolOp{});
    std::vector<int> terms;
    for (int i = 0; i < count; ++i) {
      terms.push_back(i % 2 == 0 ? b.op({b.conv(half, 24, {})}, UpsampleOp{})
                                 : b.op({b.conv(quarter, 24, {})}, UpsampleOp{.factor = 4}));
    }
    terms.push_back(b.conv(x, 24, {}));
    graphs.push_back({str_cat("sum of ", count, " resized maps"), b.finish({b.add(terms)}), 8, 12});
  }
  return graphs;
}

int gelan_block(ModelBuilder& b, int x, int64_t half) {
  const int both = b.conv(x, 2 * half, {});
  const int left = b.slice(both, 0, half);
  const int right = b.slice(both, half, half);
  const int third = b.conv(right, half, {.kernel = 3, .padding = 1});
  const int fourth = b.add({third, b.conv(third, half, {})});
  return b.concat({left, right, third, fourth});
}

std::vector<TestGraph> gelan_graphs() {
  std::vector<TestGraph> graphs;
  for (const int64_t half : {1, 8, 16, 24, 30, 45}) {
    ModelBuilder b(Numbers::kIntegers);
    const int x = gelan_block(b, b.conv(0, 24, {}), half);
    graphs.push_back({str_cat("GELAN block of ", half), b.finish({x}), 5, 7});
  }
  return graphs;
}

namespace {

// One graph, of whose values a part are heads: no network has more than four.
TestGraph view_graph(int64_t n, size_t part) {
  ModelBuilder b(Numbers::kIntegers);
  const int x = b.conv(0, n, {});
  const int y = b.conv(0, n + 9, {});
  const int z = b.conv(x, n, {.kernel = 3, .padding = 1});
  const int xy = b.concat({x, y});
  const int yx = b.concat({y, x});            // the same values again
  const int nested = b.concat({xy, z, xy});   // a concat twice, in a concat
  const int cut = b.slice(nested, 3, 2 * n);  // across an input's end
  const int cut_cut = b.slice(cut, n - 2, n);
  const int swapped = b.concat({b.slice(y, 5, n + 4), b.slice(y, 0, 5)});
  const int doubled = b.concat({x, x});
  const int picture = b.concat({0, cut_cut, 0});
  const int sum = b.add({cut_cut, x, z});
  const int pooled = b.op({nested}, MaxPoolOp{.kernel = 3, .stride = 1, .padding = 1});
  const std::vector<int> heads[] = {
      {xy, yx, nested, cut}, {cut_cut, swapped, doubled}, {picture, sum, pooled}};
  return {str_cat("views of ", n, ", part ", part), b.finish(heads[part]), 4, 5};
}

}  // namespace

std::vector<TestGraph> view_graphs() {
  std::vector<TestGraph> graphs;
  for (const int64_t n : {7, 16, 24}) {
    for (size_t part = 0; part < 3; ++part) graphs.push_back(view_graph(n, part));
  }
  {
    // What the heads do not need: a convolution, a sum, a concat that would take x, an upsample.
    ModelBuilder b(Numbers::kIntegers);
    const int x = b.conv(0, 16, {});
    const int unused = b.conv(x, 16, {});
    b.concat({x, b.add({unused, x}), b.conv(x, 8, {})});
    b.op({b.op({x}, MaxPoolOp{})}, UpsampleOp{});
    graphs.push_back({"unused nodes", b.finish({b.conv(x, 8, {})}), 4, 6});
  }
  ModelBuilder b(Numbers::kIntegers);
  const int x = b.conv(0, 10, {});
  const int y = b.conv(0, 22, {});
  const int both = b.concat({x, y});
  const int depthwise = b.conv(both, 32, {.kernel = 3, .padding = 1, .groups = 32});
  const int grouped = b.conv(both, 32, {.kernel = 3, .padding = 1, .groups = 2});
  const int part = b.slice(depthwise, 5, 11);
  graphs.push_back({"groups on views", b.finish({depthwise, grouped, part}), 6, 5});
  return graphs;
}

std::shared_ptr<const Model> small_network() {
  ModelBuilder b(Numbers::kReals, 5);
  const ConvOp down{.kernel = 3, .stride = 2, .padding = 1, .activation = Activation::kSilu};
  const int p1 = gelan_block(b, b.conv(0, 32, down), 24);
  const int p2 = gelan_block(b, b.conv(p1, 48, down), 24);
  const int up = b.op({p2}, UpsampleOp{});
  return b.finish({b.conv(b.concat({up, p1}), 21, {}), b.conv(p2, 21, {})});
}

}  // namespace yolocu::testing
