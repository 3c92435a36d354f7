# Distribution packages, found and never fetched. A missing one is named with what to install.
function(yolocu_require found package purpose)
  if(NOT ${found})
    message(FATAL_ERROR
      "${purpose} was not found: install the package ${package} "
      "(Debian, Ubuntu: apt-get install ${package}), or run ./quickstart, which installs all")
  endif()
endfunction()

# Shared in every build: an archive of libzip would not bring the libraries it was built with.
find_package(LibZip QUIET)
yolocu_require(LibZip_FOUND libzip-dev "libzip (checkpoints are zip archives)")

if(YOLOCU_PORTABLE)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a ${CMAKE_FIND_LIBRARY_SUFFIXES})
  set(OPENSSL_USE_STATIC_LIBS ON)
endif()

find_package(Threads REQUIRED)
find_package(nlohmann_json 3.9 QUIET)
yolocu_require(nlohmann_json_FOUND nlohmann-json3-dev "nlohmann-json (graph as JSON)")
find_package(ZLIB QUIET)
yolocu_require(ZLIB_FOUND zlib1g-dev "zlib (checksum of the packed file)")
find_package(OpenSSL QUIET COMPONENTS Crypto)
yolocu_require(OPENSSL_FOUND libssl-dev "OpenSSL's libcrypto (SHA-256 of checkpoints)")
find_package(Boost QUIET COMPONENTS context)
yolocu_require(Boost_FOUND libboost-context-dev "Boost.Context (fibers of the emulated kernels)")
find_package(CLI11 QUIET)
yolocu_require(CLI11_FOUND libcli11-dev "CLI11 (command line)")

# stb has headers only, and no CMake package.
find_path(STB_INCLUDE_DIR stb_image.h PATH_SUFFIXES stb)
yolocu_require(STB_INCLUDE_DIR libstb-dev "stb (picture files)")
add_library(yolocu_stb INTERFACE)
target_include_directories(yolocu_stb SYSTEM INTERFACE ${STB_INCLUDE_DIR})

# Only of libjpeg-turbo: the IJG's own library has the same names and computes other pixels.
set(YOLOCU_HAS_LIBJPEG OFF)
if(NOT YOLOCU_LIBJPEG STREQUAL "OFF")
  find_package(JPEG QUIET)
  if(JPEG_FOUND)
    include(CheckSymbolExists)
    set(CMAKE_REQUIRED_INCLUDES ${JPEG_INCLUDE_DIRS})
    check_symbol_exists(LIBJPEG_TURBO_VERSION_NUMBER "stdio.h;jpeglib.h" YOLOCU_HAS_LIBJPEG_TURBO)
    unset(CMAKE_REQUIRED_INCLUDES)
    set(YOLOCU_HAS_LIBJPEG ${YOLOCU_HAS_LIBJPEG_TURBO})
  endif()
  if(NOT YOLOCU_HAS_LIBJPEG)
    if(YOLOCU_LIBJPEG STREQUAL "ON")
      yolocu_require(YOLOCU_HAS_LIBJPEG libjpeg-dev
        "libjpeg-turbo (JPEG; -DYOLOCU_LIBJPEG=OFF does without)")
    endif()
    message(STATUS "libjpeg-turbo was not found: stb_image decodes JPEG, slower. Install the package "
      "libjpeg-dev to have it")
  endif()
endif()

if(YOLOCU_BUILD_TESTS)
  find_package(GTest QUIET)
  yolocu_require(GTest_FOUND libgtest-dev "GoogleTest (-DYOLOCU_BUILD_TESTS=OFF does without)")
endif()
if(YOLOCU_BUILD_BENCH)
  find_package(benchmark QUIET)
  yolocu_require(benchmark_FOUND libbenchmark-dev
    "Google Benchmark (-DYOLOCU_BUILD_BENCH=OFF does without)")
endif()
