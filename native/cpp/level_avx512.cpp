// x86-64 with AVX512-VNNI (Intel's servers since 2019, AMD since Zen 4).
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

namespace {

#define REGISTER 64
#include "vectors.inl"

#define MULTIPLY multiply
#include "avx512.inl"
#include "kernels.inl"

bool here() { return has_avx512(); }

}  // namespace

const Kernels kernels_avx512 = {"avx512", here, norm, quantize, multiply, swiglu, place, attend};
#endif
