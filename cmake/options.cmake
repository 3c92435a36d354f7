# Switches of the build, and the flags every target of the project compiles with.
option(YOLOCU_BUILD_TESTS "Build the tests" ON)
option(YOLOCU_BUILD_BENCH "Build the benchmarks" ON)
option(YOLOCU_WARNINGS_AS_ERRORS "Warnings are errors" OFF)
option(YOLOCU_ASSERTIONS "Keep assert() in every build type" OFF)
option(YOLOCU_PORTABLE "Link archives where they exist and copy other libraries beside the program" OFF)
set(YOLOCU_CUDA AUTO CACHE STRING "Compile CUDA kernels: AUTO (if nvcc is found), ON or OFF")
set(YOLOCU_LIBJPEG AUTO CACHE STRING "JPEG by libjpeg-turbo: AUTO (if found), ON or OFF (stb_image)")
set(YOLOCU_SANITIZER "" CACHE STRING "Empty, address (with undefined) or thread")

# The emulated device. AddressSanitizer follows its switches between fibers; ThreadSanitizer is not
# told of them.
set(YOLOCU_HAS_EMULATION ON)
if(YOLOCU_SANITIZER STREQUAL "thread")
  set(YOLOCU_HAS_EMULATION OFF)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Interface target: warnings, sanitizers, assertions.
add_library(yolocu_options INTERFACE)
target_compile_options(yolocu_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${YOLOCU_WARNINGS_AS_ERRORS}>>:-Werror>)
# GCC 12 warns about its own std::string (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(yolocu_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
# A remark about GCC before 4.6, at every kernel that takes a tensor map by value.
target_compile_options(yolocu_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-psabi>)
if(YOLOCU_ASSERTIONS)
  target_compile_options(yolocu_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-UNDEBUG>)
endif()
if(YOLOCU_SANITIZER STREQUAL "address")
  target_compile_options(yolocu_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=address,undefined -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer>)
  target_link_options(yolocu_options INTERFACE -fsanitize=address,undefined)
elseif(YOLOCU_SANITIZER STREQUAL "thread")
  target_compile_options(yolocu_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=thread>)
  target_link_options(yolocu_options INTERFACE -fsanitize=thread)
elseif(YOLOCU_SANITIZER)
  message(FATAL_ERROR "YOLOCU_SANITIZER must be empty, address or thread, not '${YOLOCU_SANITIZER}'")
endif()

find_program(YOLOCU_CCACHE ccache)
if(YOLOCU_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${YOLOCU_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${YOLOCU_CCACHE})
endif()
