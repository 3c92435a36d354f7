// The one place where stb's single-header libraries are compiled. image_io.cpp uses them.
#include <cstdlib>

#include "apps/stb_limits.h"

namespace yolocu {
namespace {

thread_local size_t max_allocation_bytes = 0;

}  // namespace

void limit_stb_allocations(size_t bytes) {
  max_allocation_bytes = bytes;
}

}  // namespace yolocu

namespace {

// Zeroed: for a JPEG file that uses a table it has not defined, this stb reads its memory as it is.
void* limited_malloc(size_t size) {
  return size <= yolocu::max_allocation_bytes ? std::calloc(1, size) : nullptr;
}

void* limited_realloc(void* old, size_t size) {
  return size <= yolocu::max_allocation_bytes ? std::realloc(old, size) : nullptr;
}

}  // namespace

#define STBI_MALLOC(size) limited_malloc(size)
#define STBI_REALLOC(old, size) limited_realloc(old, size)
#define STBI_FREE(pointer) std::free(pointer)
// Its assertions can be triggered by damaged files; what follows them is bounded all the same.
#define STBI_ASSERT(condition) static_cast<void>(0)

// Formats that are told by their first bytes (TGA would match almost anything). Not PNM: the stb of
// Debian 12 returns uninitialised pixels for a truncated one and reads past a 16-bit one.
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_NO_STDIO
#define STB_IMAGE_IMPLEMENTATION
#include <stb_image.h>

#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>
