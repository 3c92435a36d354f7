// Definitions of the YOLOv9 family (WongKinYiu/yolov9, models/detect/*.yaml): one backbone and one
// neck in several widths, and three ways to train with an auxiliary branch.
#include <array>

#include "weights/import/arch/layer_list.h"

namespace yolocu {
namespace {

// Widths of an ELAN block: output, first convolution, each stage.
struct Block {
  int64_t out, mid, part;
};

struct Gelan {
  std::string_view down;         // AConv or ADown
  int64_t depth;                 // of every RepNCSP
  std::array<int64_t, 2> stem;   // strides 2 and 4
  std::string_view first;        // module of stride 4: ELAN1 or RepNCSPELAN4
  std::array<Block, 4> stages;   // strides 4, 8, 16, 32
  std::array<int64_t, 3> downs;  // before strides 8, 16, 32
  Block spp;                     // out, mid
  Block up16, up8;               // neck, towards fine
  int64_t down16;
  Block out16;
  int64_t down32;
  Block out32;
};

constexpr Gelan kT{"AConv",
                   3,
                   {16, 32},
                   "ELAN1",
                   {{{32, 32, 16}, {64, 64, 32}, {96, 96, 48}, {128, 128, 64}}},
                   {64, 96, 128},
                   {128, 64, 0},
                   {96, 96, 48},
                   {64, 64, 32},
                   48,
                   {96, 96, 48},
                   64,
                   {128, 128, 64}};
constexpr Gelan kS{"AConv",
                   3,
                   {32, 64},
                   "ELAN1",
                   {{{64, 64, 32}, {128, 128, 64}, {192, 192, 96}, {256, 256, 128}}},
                   {128, 192, 256},
                   {256, 128, 0},
                   {192, 192, 96},
                   {128, 128, 64},
                   96,
                   {192, 192, 96},
                   128,
                   {256, 256, 128}};
constexpr Gelan kM{"AConv",
                   1,
                   {32, 64},
                   "RepNCSPELAN4",
                   {{{128, 128, 64}, {240, 240, 120}, {360, 360, 180}, {480, 480, 240}}},
                   {240, 360, 480},
                   {480, 240, 0},
                   {360, 360, 180},
                   {240, 240, 120},
                   184,
                   {360, 360, 180},
                   240,
                   {480, 480, 240}};
constexpr Gelan kC{"ADown",
                   1,
                   {64, 128},
                   "RepNCSPELAN4",
                   {{{256, 128, 64}, {512, 256, 128}, {512, 512, 256}, {512, 512, 256}}},
                   {256, 512, 512},
                   {512, 256, 0},
                   {512, 512, 256},
                   {256, 256, 128},
                   256,
                   {512, 512, 256},
                   512,
                   {512, 512, 256}};
constexpr Gelan kE{"ADown",
                   2,
                   {64, 128},
                   "RepNCSPELAN4",
                   {{{256, 128, 64}, {512, 256, 128}, {1024, 512, 256}, {1024, 512, 256}}},
                   {256, 512, 1024},
                   {512, 256, 0},
                   {512, 512, 256},
                   {256, 256, 128},
                   256,
                   {512, 512, 256},
                   512,
                   {512, 1024, 512}};

int64_t block(LayerList& n, const Gelan& g, const Block& b) {
  return n.add({-1}, "RepNCSPELAN4", {b.out, b.mid, b.part, g.depth});
}

int64_t first_block(LayerList& n, const Gelan& g) {
  const Block& b = g.stages[0];
  if (g.first == "ELAN1") return n.add({-1}, "ELAN1", {b.out, b.mid, b.part});
  return block(n, g, b);
}

// Layers of strides 8, 16 and 32 (or 4 where a function says so).
using Levels = std::array<int64_t, 3>;

Levels backbone(LayerList& n, const Gelan& g) {
  n.conv(g.stem[0], 3, 2);
  n.conv(g.stem[1], 3, 2);
  first_block(n, g);
  Levels levels{};
  for (size_t i = 0; i < 3; ++i) {
    n.add({-1}, g.down, {g.downs[i]});
    levels[i] = block(n, g, g.stages[i + 1]);
  }
  return levels;
}

struct UpPath {
  int64_t p8, p16, p32;
};

UpPath up_path(LayerList& n, const Gelan& g, int64_t top, const Levels& skip) {
  UpPath up{};
  up.p32 = n.add({top}, "SPPELAN", {g.spp.out, g.spp.mid});
  n.upsample();
  n.concat({-1, skip[1]});
  up.p16 = block(n, g, g.up16);
  n.upsample();
  n.concat({-1, skip[0]});
  up.p8 = block(n, g, g.up8);
  return up;
}

Levels down_path(LayerList& n, const Gelan& g, const UpPath& up) {
  n.add({-1}, g.down, {g.down16});
  n.concat({-1, up.p16});
  const int64_t p16 = block(n, g, g.out16);
  n.add({-1}, g.down, {g.down32});
  n.concat({-1, up.p32});
  return {up.p8, p16, block(n, g, g.out32)};
}

// gelan-t, -s, -m, -c.
std::vector<LayerSpec> gelan(const Gelan& g) {
  LayerList n;
  const Levels levels = backbone(n, g);
  const UpPath up = up_path(n, g, -1, levels);
  const Levels p = down_path(n, g, up);
  n.add({p[0], p[1], p[2]}, "DDetect");
  return n.take();
}

// yolov9-t, -s: the auxiliary branch is a second up path from the same backbone.
std::vector<LayerSpec> with_second_neck(const Gelan& g) {
  LayerList n;
  const Levels levels = backbone(n, g);
  const UpPath up = up_path(n, g, -1, levels);
  const Levels p = down_path(n, g, up);
  const UpPath aux = up_path(n, g, levels[2], levels);
  n.add({aux.p8, aux.p16, aux.p32, p[0], p[1], p[2]}, "DualDDetect");
  return n.take();
}

// A second backbone that reads the picture again and adds, at each stride of `linears` (the finest
// first), what the CBLinear layers there and above made for it. `linears` from stride 8 on, or, for
// the deepest models, from stride 2 on.
Levels second_backbone(LayerList& n, const Gelan& g, const std::vector<int64_t>& linears) {
  const bool from_stride_2 = linears.size() == 5;
  size_t finest = 0;
  const auto fuse = [&] {
    std::vector<int64_t> from(linears.begin() + static_cast<std::ptrdiff_t>(finest), linears.end());
    const std::vector<int64_t> picks(from.size(), static_cast<int64_t>(finest));
    from.push_back(-1);
    ++finest;
    return n.add(std::move(from), "CBFuse", {}, picks);
  };
  n.conv(g.stem[0], 3, 2, 0);
  if (from_stride_2) fuse();
  n.conv(g.stem[1], 3, 2);
  if (from_stride_2) fuse();
  first_block(n, g);
  Levels levels{};
  for (size_t i = 0; i < 3; ++i) {
    n.add({-1}, g.down, {g.downs[i]});
    fuse();
    levels[i] = block(n, g, g.stages[i + 1]);
  }
  return levels;
}

// CBLinear layers that read `sources`, the k-th making k + 1 slices, of `widths`.
std::vector<int64_t> linears(LayerList& n, const std::vector<int64_t>& sources,
                             const std::vector<int64_t>& widths) {
  std::vector<int64_t> numbers;
  for (size_t k = 0; k < sources.size(); ++k) {
    const std::vector<int64_t> slices(widths.begin(),
                                      widths.begin() + static_cast<std::ptrdiff_t>(k + 1));
    numbers.push_back(n.add({sources[k]}, "CBLinear", slices));
  }
  return numbers;
}

// yolov9-m, -c, -cf: the auxiliary branch is a second backbone. `heads` main branches, all on the
// same layers.
std::vector<LayerSpec> with_second_backbone(const Gelan& g, std::string_view head, int heads) {
  LayerList n;
  n.add({-1}, "Silence");
  const Levels levels = backbone(n, g);
  const UpPath up = up_path(n, g, -1, levels);
  const Levels p = down_path(n, g, up);
  const auto slices =
      linears(n, {levels.begin(), levels.end()}, {g.downs[0], g.downs[1], g.downs[2]});
  const Levels aux = second_backbone(n, g, slices);
  std::vector<int64_t> from(aux.begin(), aux.end());
  for (int i = 0; i < heads; ++i) from.insert(from.end(), p.begin(), p.end());
  n.add(std::move(from), head);
  return n.take();
}

enum class Branches : uint8_t { kMain, kMainAndAuxiliary };

// gelan-e, yolov9-e: two backbones, the second one for the main prediction.
std::vector<LayerSpec> two_backbones(const Gelan& g, Branches branches) {
  LayerList n;
  n.add({-1}, "Silence");
  const Levels first = backbone(n, g);
  const auto slices = linears(n, {1, 3, first[0], first[1], first[2]},
                              {g.stem[0], g.stem[1], g.downs[0], g.downs[1], g.downs[2]});
  const Levels second = second_backbone(n, g, slices);
  if (branches == Branches::kMain) {
    const UpPath up = up_path(n, g, second[2], second);
    const Levels p = down_path(n, g, up);
    n.add({p[0], p[1], p[2]}, "DDetect");
    return n.take();
  }
  const UpPath aux = up_path(n, g, first[2], first);
  const UpPath up = up_path(n, g, second[2], second);
  const Levels p = down_path(n, g, up);
  n.add({aux.p8, aux.p16, aux.p32, p[0], p[1], p[2]}, "DualDDetect");
  return n.take();
}

}  // namespace

std::vector<Architecture> yolov9_architectures() {
  const auto official = [](std::string_view name, std::vector<LayerSpec> layers) {
    Architecture architecture;
    architecture.name = name;
    architecture.layers = std::move(layers);
    return architecture;
  };
  return {official("gelan-t", gelan(kT)),
          official("gelan-s", gelan(kS)),
          official("gelan-m", gelan(kM)),
          official("gelan-c", gelan(kC)),
          official("gelan-e", two_backbones(kE, Branches::kMain)),
          official("yolov9-t", with_second_neck(kT)),
          official("yolov9-s", with_second_neck(kS)),
          official("yolov9-m", with_second_backbone(kM, "DualDDetect", 1)),
          official("yolov9-c", with_second_backbone(kC, "DualDDetect", 1)),
          official("yolov9-e", two_backbones(kE, Branches::kMainAndAuxiliary)),
          official("yolov9-cf", with_second_backbone(kC, "TripleDDetect", 2))};
}

}  // namespace yolocu
