// decode_jpeg by libjpeg-turbo, with the settings of cv2.imread: the library's defaults (integer
// DCT, smooth chroma), RGB out of everything but CMYK.
//
// Not its TurboJPEG API: that is another package, has no bound on memory before version 3, and does
// not tell a file that is cut off from one with a harmless flaw.

// jpeglib.h needs the types of cstdio, jerror.h the version of jpeglib.h.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <csetjmp>
#include <type_traits>
#include <utility>
#include <vector>

#include "apps/picture_decoders.h"
#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

constexpr size_t kRgb = 3, kCmyk = 4;

// Where libjpeg's errors go, and why.
struct Failure {
  std::jmp_buf recover;
  char reason[JMSG_LENGTH_MAX];
};

// jpeg_error_mgr::error_exit, which must not return.
[[noreturn]] void leave_libjpeg(j_common_ptr info) {
  auto* failure = static_cast<Failure*>(info->client_data);
  info->err->format_message(info, failure->reason);
  std::longjmp(failure->recover, 1);
}

// jpeg_error_mgr::emit_message. Of its warnings, a file that ends too early and codes that do not
// exist are errors here. libjpeg repairs the others, and cv2.imread shows what comes out.
void judge_message(j_common_ptr info, int level) {
  constexpr int kWarning = -1;
  if (level != kWarning) return;
  const int code = info->err->msg_code;
  if (code == JWRN_JPEG_EOF || code == JWRN_HUFF_BAD_CODE || code == JWRN_ARITH_BAD_CODE) {
    leave_libjpeg(info);
  }
}

// jpeg_error_mgr::output_message: libraries do not print.
void print_nothing(j_common_ptr) {}

// A decompressor on a file in memory.
class Decompressor {
 public:
  Decompressor() {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = leave_libjpeg;
    errors_.emit_message = judge_message;
    errors_.output_message = print_nothing;
    info_.client_data = &failure_;
  }
  ~Decompressor() { jpeg_destroy_decompress(&info_); }
  Decompressor(const Decompressor&) = delete;  // libjpeg keeps pointers into it
  Decompressor& operator=(const Decompressor&) = delete;

  const jpeg_decompress_struct& info() const { return info_; }

  // Runs step(info), in which libjpeg may fail. Its way out is a longjmp, which skips destructors:
  // neither `step` nor anything it calls may have any to run.
  template <typename Step>
  Status attempt(Step step) {
    static_assert(std::is_trivially_destructible_v<Step>, "a longjmp would skip its destructor");
    if (setjmp(failure_.recover) != 0) return corrupt(failure_.reason);
    step(&info_);
    return {};
  }

 private:
  jpeg_decompress_struct info_ = {};
  jpeg_error_mgr errors_ = {};
  Failure failure_ = {};
};

Status read_header(Decompressor& decompressor, std::span<const std::byte> file) {
  const auto* data = reinterpret_cast<const unsigned char*>(file.data());
  const auto size = static_cast<unsigned long>(file.size());
  return decompressor.attempt([data, size](j_decompress_ptr info) {
    jpeg_create_decompress(info);
    info->mem->max_memory_to_use = static_cast<long>(max_decoder_bytes(0));
    jpeg_mem_src(info, data, size);
    jpeg_read_header(info, TRUE);
  });
}

// Decodes into `rows`, of output_width * channels bytes each.
Status read_rows(Decompressor& decompressor, uint8_t* rows, size_t channels) {
  return decompressor.attempt([rows, channels](j_decompress_ptr info) {
    while (info->output_scanline < info->output_height) {
      JSAMPROW row = rows + size_t{info->output_scanline} * info->output_width * channels;
      jpeg_read_scanlines(info, &row, 1);
    }
    jpeg_finish_decompress(info);  // up to the end of the file, which may be missing
  });
}

// Adobe's inverted CMYK (255 is no ink) to RGB, as cv2.imread computes it: ink * k / 256, k what
// black leaves.
std::vector<uint8_t> rgb_of_cmyk(const std::vector<uint8_t>& cmyk) {
  std::vector<uint8_t> rgb;
  rgb.reserve(cmyk.size() / kCmyk * kRgb);
  for (size_t i = 0; i + kCmyk <= cmyk.size(); i += kCmyk) {
    const int k = cmyk[i + 3];
    for (size_t channel = 0; channel < kRgb; ++channel) {
      rgb.push_back(static_cast<uint8_t>(k - ((255 - cmyk[i + channel]) * k >> 8)));
    }
  }
  return rgb;
}

// Letterboxing scales by min(network / picture) over both directions: one that is not enlarged is
// enough.
int64_t largest_reduction(int64_t width, int64_t height, const NetworkSize& network) {
  for (const int64_t reduction : {8, 4, 2}) {
    if (network.width * reduction <= width || network.height * reduction <= height) {
      return reduction;
    }
  }
  return 1;
}

// Sets the output and starts: all scans of a progressive file are read here.
Status start(Decompressor& decompressor, int64_t reduction, J_COLOR_SPACE colours) {
  const int64_t width = decompressor.info().image_width;
  const int64_t height = decompressor.info().image_height;
  const size_t memory = max_decoder_bytes(width * height);
  return decompressor.attempt([reduction, colours, memory](j_decompress_ptr info) {
    info->mem->max_memory_to_use = static_cast<long>(memory);
    info->scale_num = 1;
    info->scale_denom = static_cast<unsigned>(reduction);
    info->out_color_space = colours;
    jpeg_start_decompress(info);
  });
}

}  // namespace

Result<StoredPicture> decode_jpeg(std::span<const std::byte> file,
                                  const std::optional<NetworkSize>& network) {
  Decompressor decompressor;
  YOLOCU_RETURN_IF_ERROR(read_header(decompressor, file));
  const jpeg_decompress_struct& info = decompressor.info();
  const int64_t width = info.image_width, height = info.image_height;
  YOLOCU_RETURN_IF_ERROR(check_picture_size(width, height));
  const int64_t reduction = network ? largest_reduction(width, height, *network) : 1;
  const bool cmyk = info.num_components == static_cast<int>(kCmyk);
  YOLOCU_RETURN_IF_ERROR(start(decompressor, reduction, cmyk ? JCS_CMYK : JCS_RGB));
  Image image{{}, info.output_width, info.output_height};
  const size_t channels = cmyk ? kCmyk : kRgb;
  image.pixels.resize(static_cast<size_t>(image.width * image.height) * channels);
  YOLOCU_RETURN_IF_ERROR(read_rows(decompressor, image.pixels.data(), channels));
  if (cmyk) image.pixels = rgb_of_cmyk(image.pixels);
  return StoredPicture{std::move(image), width, height, reduction};
}

std::string jpeg_decoder_name() {
  constexpr int kVersion = LIBJPEG_TURBO_VERSION_NUMBER;  // 2.1.5 is 2001005
  return str_cat("libjpeg-turbo ", kVersion / 1000000, ".", kVersion / 1000 % 1000, ".",
                 kVersion % 1000);
}

}  // namespace yolocu
