// The boundary between code that may throw (the standard library, other libraries) and callers
// that are promised a Status.
#pragma once

#include <exception>
#include <new>

#include "yolocu/status.h"

namespace yolocu {

// body(), which returns a Status or Result; an exception becomes an error of that type:
// kResourceExhausted for memory, kUnavailable with the exception's text for all else.
template <typename Body>
auto guarded(const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return resource_exhausted("out of memory");
  } catch (const std::exception& error) {
    return unavailable(error.what());
  }
}

}  // namespace yolocu
