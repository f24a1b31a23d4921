// x86-64 with AVX2 and FMA (Intel since 2013, AMD since 2015).
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

namespace {

#define REGISTER 32
#include "vectors.inl"

#define MOST_ROWS 4
#define ONE_ROW_PACKS 2
#define PV_HEADS 1
#define MULTIPLY multiply

#include "avx.inl"

inline Dots start(int32_t) { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }

// Pairs are added in 16 bits with saturation, so no factor may be 255: the sign of x goes to the weight. Neither is
// -128 ever, so that a pair is 2 * 127 * 127 at most.
inline __m256i pairs(__m256i w, __m256i x) {
    const __m256i weight = _mm256_xor_si256(w, _mm256_set1_epi8((char)0x80));
    const __m256i both = _mm256_maddubs_epi16(_mm256_abs_epi8(x), _mm256_sign_epi8(weight, x));
    return _mm256_madd_epi16(both, _mm256_set1_epi16(1));
}

inline void dot(Dots &dots, Weights w, const int8_t *x) {
    const __m256i values = four(x);
    dots.low = _mm256_add_epi32(dots.low, pairs(w.low, values));
    dots.high = _mm256_add_epi32(dots.high, pairs(w.high, values));
}

#include "kernels.inl"

bool here() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace

const Kernels kernels_avx2 = {"avx2", here, norm, quantize, multiply, swiglu, attend};
#endif
