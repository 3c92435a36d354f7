// Kernels with what cmake/kernel_report.py must find. Only kernel_report_test.py compiles this.
#include <cstdint>

// 128 bytes of static shared memory, no stack.
__global__ void reverse(float* y, const float* x) {
  __shared__ float staged[32];
  staged[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = staged[31 - threadIdx.x];
}

// An array with an index that is not known when compiling.
__global__ void has_stack(uint32_t* y, const uint32_t* x) {
  uint32_t values[64];
  for (int i = 0; i < 64; ++i) values[i] = x[i] * x[threadIdx.x];
  for (int i = 0; i < 64; ++i) values[values[i] % 64] += i;
  y[threadIdx.x] = values[x[0] % 64];
}

// More values at a time than the 64 registers hold that 1024 threads leave each other.
__global__ void __launch_bounds__(1024, 1) spills(float* y, const float* x) {
  float values[96];
#pragma unroll
  for (int i = 0; i < 96; ++i) values[i] = x[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 96; ++i) y[i * 1024 + threadIdx.x] = values[i] * values[(i + 37) % 96];
}

// What is left of a kernel whose body an #if took out.
__global__ void does_nothing(float*) {}

// What a primitive does that the architecture lacks.
__global__ void traps(float* y) {
  asm volatile("trap;");
  y[threadIdx.x] = 1.0f;
}
