// Every variant of the letterbox on every device, against the engine's letterbox, which is tested
// against OpenCV bit for bit. Whole buffers are compared.
#include <algorithm>

#include "engine/preprocess/letterbox.h"
#include "kernels/emulation/runtime.h"
#include "kernels/preprocess/letterbox.h"
#include "tests/kernels/kernel_device.h"
#include "tests/reference/typed_view.h"

namespace yolocu {
namespace {

using testing::TypedView;

// [height, row_bytes] u8: 3 * width bytes a row are the picture, the rest a gap.
struct Picture {
  int64_t width, height, row_bytes;
  std::vector<uint8_t> bytes;
  ImageView view() const { return {bytes.data(), width, height, row_bytes}; }
};

Picture noise(int64_t width, int64_t height, int64_t gap, uint32_t seed) {
  Picture picture = {width, height, width * 3 + gap, {}};
  picture.bytes.resize(static_cast<size_t>(picture.row_bytes * height));
  std::mt19937 random(seed);
  for (uint8_t& byte : picture.bytes) byte = static_cast<uint8_t>(random());
  return picture;
}

// Red for blue in every pixel.
Picture reversed(Picture picture) {
  for (int64_t y = 0; y < picture.height; ++y) {
    const auto row = picture.bytes.begin() + y * picture.row_bytes;
    for (int64_t x = 0; x < picture.width; ++x) std::iter_swap(row + x * 3, row + x * 3 + 2);
  }
  return picture;
}

LetterboxPlace place_of(const Picture& picture, const LetterboxProblem& problem) {
  const auto g =
      letterbox_geometry(picture.height, picture.width, problem.height, problem.width).value();
  const auto narrow = [](int64_t value) { return static_cast<int32_t>(value); };
  return {narrow(g.left), narrow(g.top), narrow(g.resized_width), narrow(g.resized_height)};
}

// y of the whole batch, placed as the official letterbox would.
void expect_letterbox(TypedView& y, const std::vector<Picture>& pictures,
                      const LetterboxProblem& problem) {
  const int64_t pixels = problem.height * problem.width;
  std::vector<float> rgb(static_cast<size_t>(pixels * 3));
  std::vector<uint8_t> scratch;
  for (size_t n = 0; n < pictures.size(); ++n) {
    const Picture picture =
        problem.order == ChannelOrder::kBgr ? reversed(pictures[n]) : pictures[n];
    ASSERT_OK(letterbox(rgb, problem.height, problem.width, static_cast<int>(problem.pad_value),
                        picture.view(), scratch));
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < problem.channels; ++c) {
        const double value = c < 3 ? double{rgb[static_cast<size_t>(p * 3 + c)]} : 0.0;
        y.set(static_cast<int64_t>(n) * pixels + p, c, value);
      }
    }
  }
}

// y of one picture, placed anywhere.
void expect_resized(TypedView& y, const Picture& picture, const LetterboxPlace& place,
                    const LetterboxProblem& problem) {
  std::vector<uint8_t> resized(static_cast<size_t>(place.resized_width * place.resized_height * 3));
  resize_bilinear_u8(resized, place.resized_height, place.resized_width, picture.view());
  for (int64_t p = 0; p < problem.height * problem.width; ++p) {
    const int64_t v = p / problem.width - place.top, u = p % problem.width - place.left;
    const bool inside = u >= 0 && v >= 0 && u < place.resized_width && v < place.resized_height;
    for (int64_t c = 0; c < problem.channels; ++c) {
      const int64_t at = (v * place.resized_width + u) * 3 + c;
      const int64_t grey =
          inside && c < 3 ? resized.at(static_cast<size_t>(at)) : problem.pad_value;
      y.set(p, c, c < 3 ? static_cast<double>(static_cast<float>(grey) / 255.0f) : 0.0);
    }
  }
}

// Enlarged, reduced, halved exactly and in one direction only, as it is, a row, a column, a pixel.
std::vector<Picture> pictures_for(int64_t width, int64_t height, uint32_t seed) {
  return {noise(7, 5, 0, seed),
          noise(101, 67, 1, seed + 1),
          noise(2 * width, 2 * height, 5, seed + 2),
          noise(2 * width, height, 0, seed + 3),
          noise(width, height, 2, seed + 4),
          noise(97, 1, 0, seed + 5),
          noise(1, 53, 7, seed + 6),
          noise(1, 1, 0, seed + 7)};
}

class LetterboxKernel : public testing::KernelTest<LetterboxVariant> {
 protected:
  void expect_equal(const std::vector<Picture>& pictures, const LetterboxProblem& problem) {
    std::vector<LetterboxPlace> places;
    for (const Picture& picture : pictures) places.push_back(place_of(picture, problem));
    TypedView y = untouched(problem);
    const std::vector<uint8_t> actual = run(y, pictures, places, problem);
    expect_letterbox(y, pictures, problem);
    EXPECT_TRUE(y.equals(actual)) << problem.width << "x" << problem.height << ", channels "
                                  << problem.channels;
  }

  // y's buffer before the kernel.
  static TypedView untouched(const LetterboxProblem& problem) {
    const int64_t pixels = problem.batch * problem.height * problem.width;
    return {problem.dtype, pixels, problem.y, problem.channels, 1};
  }

  // And after it; nothing, and a failure, if there is an error.
  std::vector<uint8_t> run(const TypedView& y, const std::vector<Picture>& pictures,
                           const std::vector<LetterboxPlace>& places,
                           const LetterboxProblem& problem) {
    std::vector<DeviceMemory> memory;
    std::vector<uint8_t> records(pictures.size() * sizeof(LetterboxPicture));
    for (size_t n = 0; n < pictures.size(); ++n) {
      const Picture& p = pictures[n];
      memory.push_back(to_device(p.bytes, "picture"));
      const LetterboxPicture record = letterbox_picture(memory.back().data<uint8_t>(), p.width,
                                                        p.height, p.row_bytes, places[n], problem)
                                          .value();
      std::memcpy(&records[n * sizeof(record)], &record, sizeof(record));
    }
    const DeviceMemory out = to_device(y.bytes(), "y"), list = to_device(records, "pictures");
    const Status status = kernels().letterbox(out.data(), list.data<LetterboxPicture>(), problem,
                                              test_case(), stream());
    EXPECT_TRUE(status.ok()) << status.message();
    return to_host(out);
  }

  LetterboxProblem problem(int64_t width, int64_t height, int64_t channels, size_t batch) const {
    const int64_t step = test_case().vector_bytes / size_bytes(test_case().dtype);
    return {.dtype = test_case().dtype,
            .batch = static_cast<int64_t>(batch),
            .height = height,
            .width = width,
            .channels = channels,
            .y = testing::roomy_view(channels, step)};
  }
};

TEST_P(LetterboxKernel, EqualsTheEngineBitForBit) {
  struct Size {
    int64_t width, height;
  };
  int problems = 0;
  for (const Size& size : {Size{1, 1}, {32, 8}, {33, 9}, {24, 40}, {37, 13}}) {
    const auto pictures =
        pictures_for(size.width, size.height, static_cast<uint32_t>(size.width) * 100);
    for (const int64_t channels : {3, 4, 5, 8, 16}) {
      LetterboxProblem p = problem(size.width, size.height, channels, pictures.size());
      p.order = channels == 8 ? ChannelOrder::kBgr : ChannelOrder::kRgb;
      p.pad_value = channels == 4 ? 0 : 114;
      if (!can_implement(test_case(), p).ok()) continue;
      ++problems;
      expect_equal(pictures, p);
    }
  }
  EXPECT_GE(problems, 5) << "the problems must exercise every variant";
}

// Offsets and sizes that no power of two divides, where positions are rounded at every step.
TEST_P(LetterboxKernel, EqualsTheEngineForManySizes) {
  std::vector<Picture> pictures;
  for (uint32_t i = 0; i < 24; ++i) {
    pictures.push_back(noise(1 + i * 37 % 211, 1 + i * 53 % 167, i % 3, i));
  }
  LetterboxProblem p = problem(47, 29, 8, pictures.size());
  p.order = ChannelOrder::kBgr;
  expect_equal(pictures, p);
}

// Rows of hundreds of columns, whose positions meet many fractions, placed off the centre.
TEST_P(LetterboxKernel, EqualsTheEnginesResizeAtAnyPlace) {
  std::mt19937 random(7);
  const auto draw = [&random](int64_t most) { return 1 + static_cast<int64_t>(random() % most); };
  for (uint32_t i = 0; i < 30; ++i) {
    const LetterboxProblem p = problem(400, 5, 8, 1);
    const Picture picture = noise(draw(1500), draw(9), 0, i);
    LetterboxPlace place = {0, 0, static_cast<int32_t>(draw(400)), static_cast<int32_t>(draw(5))};
    place.left = (400 - place.resized_width) / 3;
    place.top = 5 - place.resized_height;
    TypedView y = untouched(p);
    const std::vector<uint8_t> actual = run(y, {picture}, {place}, p);
    expect_resized(y, picture, place, p);
    EXPECT_TRUE(y.equals(actual)) << picture.width << "x" << picture.height << " to "
                                  << place.resized_width << "x" << place.resized_height;
  }
}

TEST_P(LetterboxKernel, RefusesNullAndMisalignedPointers) {
  const LetterboxProblem p = problem(8, 8, 8, 1);
  alignas(16) uint8_t memory[256] = {};
  const auto* records = reinterpret_cast<const LetterboxPicture*>(memory);
  testing::expect_refused(kernels().letterbox(memory + 1, records, p, test_case(), stream()),
                          StatusCode::kInvalidArgument, "letterbox y");
  testing::expect_refused(kernels().letterbox(memory, nullptr, p, test_case(), stream()),
                          StatusCode::kInvalidArgument, "letterbox pictures");
}

std::string_view name_of(const LetterboxVariant& variant) {
  return variant.name;
}

YOLOCU_INSTANTIATE_ON_DEVICES(LetterboxKernel,
                              ::testing::ValuesIn(letterbox_variants().begin(),
                                                  letterbox_variants().end()),
                              name_of);

}  // namespace
}  // namespace yolocu
