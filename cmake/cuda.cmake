# Finds nvcc and enables the CUDA language. Afterwards YOLOCU_HAS_CUDA says whether kernels are
# compiled. Without nvcc the same tree builds and tests; the cuda device is then left out.
include(CheckLanguage)

# The oldest toolkit with C++20 and sm_90a.
set(YOLOCU_CUDA_MINIMUM 12.0)
set(YOLOCU_HAS_CUDA OFF)

# yolocu_nvcc_version(OUT): "13.0" of the nvcc that will be used (its path: YOLOCU_NVCC_PROGRAM), ""
# if there is none. Tells a
# toolkit that is too old before CMake's own checks fail with a message about flags.
function(yolocu_nvcc_version out)
  set(${out} "" PARENT_SCOPE)
  if(CMAKE_CUDA_COMPILER)
    set(nvcc ${CMAKE_CUDA_COMPILER})
  elseif(DEFINED ENV{CUDACXX})
    set(nvcc $ENV{CUDACXX})
  else()
    find_program(YOLOCU_NVCC nvcc PATHS /usr/local/cuda/bin)
    mark_as_advanced(YOLOCU_NVCC)
    set(nvcc ${YOLOCU_NVCC})
  endif()
  if(NOT nvcc)
    return()
  endif()
  execute_process(COMMAND ${nvcc} --version OUTPUT_VARIABLE text ERROR_QUIET)
  if(text MATCHES "release ([0-9]+\\.[0-9]+)")
    set(${out} ${CMAKE_MATCH_1} PARENT_SCOPE)
    set(YOLOCU_NVCC_PROGRAM ${nvcc} PARENT_SCOPE)
  endif()
endfunction()

# Why CUDA is not used, as YOLOCU_CUDA wants it: an error if ON, a remark if AUTO.
function(yolocu_without_cuda reason)
  if(YOLOCU_CUDA STREQUAL "ON")
    message(FATAL_ERROR "YOLOCU_CUDA is ON, but ${reason}")
  endif()
  message(STATUS "CUDA kernels are left out: ${reason}")
endfunction()

if(NOT YOLOCU_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "YOLOCU_CUDA must be AUTO, ON or OFF, not '${YOLOCU_CUDA}'")
elseif(YOLOCU_CUDA STREQUAL "OFF")
  message(STATUS "CUDA kernels are left out: YOLOCU_CUDA is OFF")
else()
  yolocu_nvcc_version(YOLOCU_NVCC_VERSION)
  if(NOT YOLOCU_NVCC_VERSION)
    yolocu_without_cuda("nvcc was not found in PATH or /usr/local/cuda/bin")
  elseif(YOLOCU_NVCC_VERSION VERSION_LESS YOLOCU_CUDA_MINIMUM)
    yolocu_without_cuda("nvcc is ${YOLOCU_NVCC_VERSION}, and ${YOLOCU_CUDA_MINIMUM} is needed")
  else()
    # sm_80 code and PTX, which the driver translates for every later card, and sm_90a, whose matrix
    # instructions have no such PTX.
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
      set(CMAKE_CUDA_ARCHITECTURES 80 90a)
    endif()
    # Tries the compiler, unless CMAKE_CUDA_COMPILER names one: then that is taken at its word.
    if(NOT DEFINED CMAKE_CUDA_COMPILER)
      set(ENV{CUDACXX} ${YOLOCU_NVCC_PROGRAM})
    endif()
    check_language(CUDA)
    if(CMAKE_CUDA_COMPILER)
      set(YOLOCU_HAS_CUDA ON)
    else()
      yolocu_without_cuda("nvcc ${YOLOCU_NVCC_VERSION} cannot compile with this host compiler; \
CMakeFiles/CMakeError.log or CMakeConfigureLog.yaml in the build folder says why")
    endif()
  endif()
endif()

if(YOLOCU_HAS_CUDA)
  enable_language(CUDA)
  find_package(CUDAToolkit REQUIRED)
  set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  set(CMAKE_CUDA_EXTENSIONS OFF)
  # CMake up to 3.25 does not know that nvcc has C++20.
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  endif()
  # Serialised wgmma is a remark of ptxas that no flag turns into an error.
  list(PREPEND CMAKE_CUDA_COMPILER_LAUNCHER
    ${PROJECT_SOURCE_DIR}/cmake/refuse_serialised_wgmma.sh)
  # No -Wpedantic here: it objects to the line markers that nvcc generates.
  target_compile_options(yolocu_options INTERFACE
    $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wshadow>
    $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${YOLOCU_WARNINGS_AS_ERRORS}>>:-Werror=all-warnings>)
  message(STATUS "CUDA kernels are compiled: nvcc ${CMAKE_CUDA_COMPILER_VERSION}, "
    "architectures ${CMAKE_CUDA_ARCHITECTURES}")
endif()
