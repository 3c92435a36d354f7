// Definitions of the YOLOv7 family (WongKinYiu/yolov7, cfg/training/*.yaml; yolov7-af of
// WongKinYiu/yolov9). Plain convolutions in ELAN patterns, spelled out as layers.
#include <array>

#include "weights/import/arch/layer_list.h"

namespace yolocu {
namespace {

using Taps = std::vector<int64_t>;  // what a Concat joins, counted backwards from itself

// Two 1x1 convolutions of the same source, `repeats` 3x3 convolutions on the second, a Concat of
// `taps`, and a 1x1 convolution.
struct Elan {
  int64_t hidden, stage, repeats;
  Taps taps;
  int64_t out;
  int64_t from = -1;  // the source
};

int64_t elan(LayerList& n, const Elan& e) {
  n.conv(e.hidden, 1, 1, e.from);
  n.conv(e.hidden, 1, 1, e.from - 1);
  for (int64_t i = 0; i < e.repeats; ++i) n.conv(e.stage, 3);
  n.concat(e.taps);
  return n.conv(e.out);
}

// Half a max pool, half a convolution of stride 2; `skip` joins a third source.
int64_t pooled_down(LayerList& n, int64_t width, const Taps& skip = {}) {
  n.add({-1}, "MP");
  n.conv(width);
  n.conv(width, 1, 1, -3);
  n.conv(width, 3, 2);
  Taps taps{-1, -3};
  taps.insert(taps.end(), skip.begin(), skip.end());
  return n.concat(taps);
}

int64_t up_and_join(LayerList& n, int64_t width, int64_t skip) {
  n.conv(width);
  n.upsample();
  n.conv(width, 1, 1, skip);
  return n.concat({-1, -2});
}

// yolov7, yolov7-af and yolov7x differ in widths, in the depth of a block and in how a block of the
// neck is joined.
struct Plain {
  std::array<int64_t, 4> stem;
  std::array<int64_t, 4> hidden;  // of blocks at strides 4, 8, 16, 32
  std::array<int64_t, 4> out;
  int64_t repeats;
  Taps taps, neck_taps;
  std::array<int64_t, 3> neck_hidden;  // strides 8, 16, 32
  int64_t neck_stage_divisor;          // hidden / stage
  int64_t spp;
  std::string_view last;  // module before the head
};

std::vector<LayerSpec> plain(const Plain& p, std::string_view head) {
  LayerList n;
  n.conv(p.stem[0], 3);
  n.conv(p.stem[1], 3, 2);
  n.conv(p.stem[2], 3);
  n.conv(p.stem[3], 3, 2);
  std::array<int64_t, 4> b{};
  for (size_t i = 0; i < 4; ++i) {
    if (i > 0) pooled_down(n, p.out[i - 1] / 2);
    b[i] = elan(n, {p.hidden[i], p.hidden[i], p.repeats, p.taps, p.out[i]});
  }
  const auto neck = [&](size_t level) {
    const int64_t hidden = p.neck_hidden[level];
    const int64_t out = p.spp / 4 << level;
    return elan(n, {hidden, hidden / p.neck_stage_divisor, p.repeats, p.neck_taps, out});
  };
  const int64_t spp = n.add({-1}, "SPPCSPC", {p.spp});
  up_and_join(n, p.spp / 2, b[2]);
  const int64_t up16 = neck(1);
  up_and_join(n, p.spp / 4, b[1]);
  const int64_t p8 = neck(0);
  pooled_down(n, p.spp / 4, {up16});
  const int64_t p16 = neck(1);
  pooled_down(n, p.spp / 2, {spp});
  const int64_t p32 = neck(2);
  std::vector<int64_t> levels;
  for (const auto& [from, out] : {std::pair{p8, p.spp / 2}, {p16, p.spp}, {p32, p.spp * 2}}) {
    levels.push_back(n.add({from}, p.last, {out}, {3, 1}));
  }
  n.add(levels, head);
  return n.take();
}

Plain yolov7(std::string_view last) {
  return {.stem = {32, 64, 64, 128},
          .hidden = {64, 128, 256, 256},
          .out = {256, 512, 1024, 1024},
          .repeats = 4,
          .taps = {-1, -3, -5, -6},
          .neck_taps = {-1, -2, -3, -4, -5, -6},
          .neck_hidden = {128, 256, 512},
          .neck_stage_divisor = 2,
          .spp = 512,
          .last = last};
}

Plain yolov7x() {
  return {.stem = {40, 80, 80, 160},
          .hidden = {64, 128, 256, 256},
          .out = {320, 640, 1280, 1280},
          .repeats = 6,
          .taps = {-1, -3, -5, -7, -8},
          .neck_taps = {-1, -3, -5, -7, -8},
          .neck_hidden = {128, 256, 512},
          .neck_stage_divisor = 1,
          .spp = 640,
          .last = "Conv"};
}

std::vector<LayerSpec> tiny() {
  LayerList n;
  const auto block = [&n](int64_t hidden, int64_t out) {
    return elan(n, {hidden, hidden, 2, {-1, -2, -3, -4}, out});
  };
  n.conv(32, 3, 2);
  n.conv(64, 3, 2);
  block(32, 64);
  n.add({-1}, "MP");
  const int64_t b8 = block(64, 128);
  n.add({-1}, "MP");
  const int64_t b16 = block(128, 256);
  n.add({-1}, "MP");
  block(256, 512);
  n.conv(256);
  n.conv(256, 1, 1, -2);
  n.add({-1}, "SP", {}, {5});
  n.add({-2}, "SP", {}, {9});
  n.add({-3}, "SP", {}, {13});
  n.concat({-1, -2, -3, -4});
  n.conv(256);
  n.concat({-1, -7});
  const int64_t spp = n.conv(256);
  up_and_join(n, 128, b16);
  const int64_t up16 = block(64, 128);
  up_and_join(n, 64, b8);
  const int64_t p8 = block(32, 64);
  n.conv(128, 3, 2);
  n.concat({-1, up16});
  const int64_t p16 = block(64, 128);
  n.conv(256, 3, 2);
  n.concat({-1, spp});
  const int64_t p32 = block(128, 256);
  n.add({n.conv(128, 3, 1, p8), n.conv(256, 3, 1, p16), n.conv(512, 3, 1, p32)}, "IDetect");
  return n.take();
}

enum class Blocks : uint8_t { kSingle, kDoubled };

// The models for 1280 pixels: four levels, and an auxiliary branch on the up path.
struct P6 {
  int64_t stem;
  std::array<int64_t, 5> width;  // strides 4, 8, 16, 32, 64
  std::array<int64_t, 4> auxiliary;
  std::string_view down;  // DownC or Conv
  int64_t repeats;
  Taps taps, neck_taps;
  Blocks blocks = Blocks::kSingle;
};

// One block, or two on the same source, added; the number of the last convolution of the last block
// and of what the next layer reads.
struct BlockEnd {
  int64_t conv, out;
};

BlockEnd p6_block(LayerList& n, const P6& p, const Elan& e) {
  const int64_t first = elan(n, e);
  if (p.blocks == Blocks::kSingle) return {first, first};
  Elan again = e;
  again.from = -5 - p.repeats;  // the same source, seen past the first block
  const int64_t second = elan(n, again);
  return {second, n.add({-1, first - second - 1}, "Shortcut")};
}

void p6_down(LayerList& n, const P6& p, int64_t width) {
  if (p.down == "Conv") {
    n.conv(width, 3, 2);
  } else {
    n.add({-1}, p.down, {width});
  }
}

std::vector<LayerSpec> p6(const P6& p) {
  constexpr std::array<int64_t, 5> kHidden = {64, 128, 256, 384, 512};
  LayerList n;
  n.add({-1}, "ReOrg");
  n.conv(p.stem, 3);
  std::array<int64_t, 5> b{};
  for (size_t i = 0; i < 5; ++i) {
    p6_down(n, p, p.width[i]);
    b[i] = p6_block(n, p, {kHidden[i], kHidden[i], p.repeats, p.taps, p.width[i]}).out;
  }
  const auto neck = [&](size_t level) {  // of strides 8 to 64
    const int64_t hidden = kHidden[level + 1];
    return p6_block(n, p, {hidden, hidden / 2, p.repeats, p.neck_taps, p.width[level + 1] / 2});
  };
  std::array<BlockEnd, 4> up{};
  const int64_t spp = n.add({-1}, "SPPCSPC", {p.width[4] / 2});
  up[3] = {spp, spp};
  for (size_t level = 3; level-- > 0;) {
    up_and_join(n, p.width[level + 1] / 2, b[level + 1]);
    up[level] = neck(level);
  }
  std::vector<int64_t> outs{up[0].out};
  for (size_t level = 1; level < 4; ++level) {
    p6_down(n, p, p.width[level + 1] / 2);
    n.concat({-1, up[level].out});
    outs.push_back(neck(level).out);
  }
  std::vector<int64_t> levels;
  for (size_t i = 0; i < 4; ++i) levels.push_back(n.conv(p.width[i + 1], 3, 1, outs[i]));
  for (size_t i = 0; i < 4; ++i) levels.push_back(n.conv(p.auxiliary[i], 3, 1, up[i].conv));
  n.add(levels, "IAuxDetect");
  return n.take();
}

P6 e6(Blocks blocks) {
  return {.stem = 80,
          .width = {160, 320, 640, 960, 1280},
          .auxiliary = {320, 640, 960, 1280},
          .down = "DownC",
          .repeats = 6,
          .taps = {-1, -3, -5, -7, -8},
          .neck_taps = {-1, -2, -3, -4, -5, -6, -7, -8},
          .blocks = blocks};
}

P6 w6() {
  return {.stem = 64,
          .width = {128, 256, 512, 768, 1024},
          .auxiliary = {320, 640, 960, 1280},
          .down = "Conv",
          .repeats = 4,
          .taps = {-1, -3, -5, -6},
          .neck_taps = {-1, -2, -3, -4, -5, -6}};
}

P6 d6() {
  return {.stem = 96,
          .width = {192, 384, 768, 1152, 1536},
          .auxiliary = {384, 768, 1152, 1536},
          .down = "DownC",
          .repeats = 8,
          .taps = {-1, -3, -5, -7, -9, -10},
          .neck_taps = {-1, -2, -3, -4, -5, -6, -7, -8, -9, -10}};
}

using Anchors = std::vector<std::vector<float>>;

Architecture anchored(std::string_view name, std::vector<LayerSpec> layers, Anchors anchors) {
  Architecture architecture;
  architecture.name = name;
  architecture.dialect = Dialect::kYolov7;
  architecture.layers = std::move(layers);
  architecture.anchors = std::move(anchors);
  return architecture;
}

Architecture auxiliary(std::string_view name, const P6& widths) {
  Architecture architecture = anchored(name, p6(widths),
                                       {{19, 27, 44, 40, 38, 94},
                                        {96, 68, 86, 152, 180, 137},
                                        {140, 301, 303, 264, 238, 542},
                                        {436, 615, 739, 380, 925, 792}});
  architecture.auxiliary_layers = 4;
  return architecture;
}

}  // namespace

std::vector<Architecture> yolov7_architectures() {
  const Anchors medium = {
      {12, 16, 19, 36, 40, 28}, {36, 75, 76, 55, 72, 146}, {142, 110, 192, 243, 459, 401}};
  Architecture anchor_free;
  anchor_free.name = "yolov7-af";
  anchor_free.layers = plain(yolov7("Conv"), "Detect");
  Architecture small = anchored(
      "yolov7-tiny", tiny(),
      {{10, 13, 16, 30, 33, 23}, {30, 61, 62, 45, 59, 119}, {116, 90, 156, 198, 373, 326}});
  small.activation = "LeakyReLU";
  return {anchor_free,
          small,
          anchored("yolov7", plain(yolov7("RepConv"), "IDetect"), medium),
          anchored("yolov7x", plain(yolov7x(), "IDetect"), medium),
          auxiliary("yolov7-w6", w6()),
          auxiliary("yolov7-e6", e6(Blocks::kSingle)),
          auxiliary("yolov7-d6", d6()),
          auxiliary("yolov7-e6e", e6(Blocks::kDoubled))};
}

}  // namespace yolocu
