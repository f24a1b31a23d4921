// x86-64 with AVX2 and FMA (Intel since 2013, AMD since 2015).
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

namespace {

#define REGISTER 32
#include "vectors.inl"

#define MOST_ROWS 4
// With one row, four packs at a time make a step 10 % faster than two (AMD EPYC; 30 and 164 MB of weights; int8, int4).
#define PACKS(rows) ((rows) == 1 ? 4 : (rows) == 2 ? 2 : 1)
#define UNROLLED _Pragma("GCC unroll 4")
#define SUMS 4
#define MULTIPLY multiply

#include "avx.inl"

inline __m256i pairs_added(__m256i pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }

struct Eight : EightOf {
    static inline Dots start(int32_t) { return splat_pair(0); }

    // Pairs of products are added in 16 bits with saturation, so neither factor may exceed 127. Therefore |x| is used,
    // and its sign is given to the weight. Neither is ever -128, so a pair is at most 2 * 127 * 127.
    static inline __m256i products(__m256i w, __m256i x) {
        const __m256i weight = _mm256_xor_si256(w, _mm256_set1_epi8((char)0x80));
        return pairs_added(_mm256_maddubs_epi16(_mm256_abs_epi8(x), _mm256_sign_epi8(weight, x)));
    }

    static inline void dot(Dots &dots, Weights w, const int8_t *x) {
        const __m256i values = four(x);
        dots.low = _mm256_add_epi32(dots.low, products(w.low, values));
        dots.high = _mm256_add_epi32(dots.high, products(w.high, values));
    }
};

// With weights from 0 to 15, the sum of two pairs is at most 4 * 15 * 127, which fits into 16 bits.
struct Four : FourOf {
    static inline __m256i products(__m256i low, __m256i x, __m256i high, __m256i y) {
        return pairs_added(_mm256_add_epi16(_mm256_maddubs_epi16(low, x), _mm256_maddubs_epi16(high, y)));
    }

    static inline void dot(Dots &dots, Weights w, const int8_t *x) {
        const __m256i near = four(x), far = four(x + BLOCK / 2);
        dots.low = _mm256_add_epi32(dots.low, products(w.low.low, near, w.high.low, far));
        dots.high = _mm256_add_epi32(dots.high, products(w.low.high, near, w.high.high, far));
    }
};

#include "kernels.inl"

bool here() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace

const Kernels kernels_avx2 = {"avx2", here, norm, quantize, multiply, swiglu, place, attend};
#endif
