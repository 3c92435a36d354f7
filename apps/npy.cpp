#include "apps/npy.h"

#include <cstring>
#include <optional>
#include <string_view>

#include "engine/base/checked.h"
#include "engine/base/half.h"
#include "engine/base/str_cat.h"
#include "weights/format/file_io.h"

namespace yolocu {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);

// The text after `key` in the header's Python dictionary, up to `terminator`.
std::optional<std::string> field(std::string_view header, std::string_view key, char terminator) {
  const size_t at = header.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const size_t begin = at + key.size();
  const size_t end = header.find(terminator, begin);
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(header.substr(begin, end - begin));
}

// "(2, 3,)" without the parentheses -> {2, 3}; nullopt if it is anything else.
std::optional<std::vector<int64_t>> parse_shape(const std::string& text) {
  std::vector<int64_t> shape;
  int64_t value = -1;
  for (const char c : text + ",") {
    if (c >= '0' && c <= '9') {
      value = (value < 0 ? 0 : value) * 10 + (c - '0');
      if (value > (int64_t{1} << 40)) return std::nullopt;
    } else if (c == ',') {
      if (value >= 0) shape.push_back(value);
      value = -1;
    } else if (c != ' ') {
      return std::nullopt;
    }
  }
  return shape;
}

template <typename Stored, typename Convert>
void widen(std::vector<float>& values, const std::byte* data, Convert convert) {
  for (size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, data + i * sizeof(Stored), sizeof(Stored));
    values[i] = convert(stored);
  }
}

Result<NpyArray> parse_npy(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.size() < 12 || text.substr(0, 6) != kMagic) return corrupt("not an .npy file");
  const bool wide = text[6] >= 2;
  const auto length_at = [&](size_t i) { return size_t{static_cast<uint8_t>(text[8 + i])}; };
  const size_t header_begin = wide ? 12 : 10;
  size_t header_size = length_at(0) | length_at(1) << 8;
  if (wide) header_size |= length_at(2) << 16 | length_at(3) << 24;
  if (header_size > text.size() - header_begin) return corrupt("truncated .npy header");
  const std::string_view header = text.substr(header_begin, header_size);

  const auto type = field(header, "'descr': '", '\'');
  const auto fortran = field(header, "'fortran_order': ", ',');
  const auto extents = field(header, "'shape': (", ')');
  if (!type || !fortran || !extents) return corrupt("bad .npy header");
  if (*fortran != "False") return unsupported("Fortran-ordered .npy; save it in C order");
  const int64_t item = *type == "<f4" ? 4 : *type == "<f2" ? 2 : *type == "<f8" ? 8 : 0;
  if (item == 0) return unsupported(str_cat("dtype '", *type, "' (expected float32 '<f4')"));

  NpyArray array;
  const auto shape = parse_shape(*extents);
  if (!shape) return corrupt("bad shape in .npy header");
  array.shape = *shape;
  const auto count = checked_element_count(array.shape);
  const auto size = count ? checked_mul(*count, item) : std::nullopt;
  const std::span<const std::byte> data = bytes.subspan(header_begin + header_size);
  if (!size || *size != static_cast<int64_t>(data.size())) {
    return corrupt(str_cat("shape ", shape_text(array.shape), " does not match ", data.size(),
                           " bytes of data"));
  }
  array.values.resize(static_cast<size_t>(*count));
  if (item == 4) widen<float>(array.values, data.data(), [](float v) { return v; });
  if (item == 2) widen<uint16_t>(array.values, data.data(), half_to_float);
  if (item == 8) {
    widen<double>(array.values, data.data(), [](double v) { return static_cast<float>(v); });
  }
  return array;
}

}  // namespace

Result<NpyArray> read_npy(const std::string& path) {
  YOLOCU_ASSIGN_OR_RETURN(const MappedFile file, map_file(path));
  Result<NpyArray> array = parse_npy(file.bytes());
  if (!array.ok()) return array.status().with_context(path);
  return array;
}

Status write_npy(const std::string& path, std::span<const int64_t> shape,
                 std::span<const float> values) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (const int64_t extent : shape) header += std::to_string(extent) + ", ";
  header += "), }";
  header.resize(static_cast<size_t>(round_up(static_cast<int64_t>(header.size()) + 11, 64)) - 11,
                ' ');
  header += '\n';
  std::string bytes(kMagic);
  bytes += '\x01';
  bytes += '\x00';
  bytes += static_cast<char>(header.size() & 0xFF);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return write_file(path, std::as_bytes(std::span(bytes)));
}

}  // namespace yolocu
