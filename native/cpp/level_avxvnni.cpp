// x86-64 with AVX-VNNI (Intel's processors without AVX512 since 2021, AMD's since Zen 5).
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#include "kernels.h"

namespace {

#define REGISTER 32
#include "vectors.inl"

#define MOST_ROWS 4
#define PACKS(rows) ((rows) == 1 ? 2 : 1)
#define UNROLLED _Pragma("GCC unroll 4")
#define SUMS 4
#define MULTIPLY multiply

#include "avx.inl"

struct Eight : EightOf {
    static inline Dots start(int32_t excess) { return splat_pair(excess); }

    static inline void dot(Dots &dots, Weights w, const int8_t *x) {
        const __m256i values = four(x);
        dots.low = _mm256_dpbusd_avx_epi32(dots.low, w.low, values);
        dots.high = _mm256_dpbusd_avx_epi32(dots.high, w.high, values);
    }
};

struct Four : FourOf {
    static inline void dot(Dots &dots, Weights w, const int8_t *x) {
        Eight::dot(dots, w.low, x);
        Eight::dot(dots, w.high, x + BLOCK / 2);
    }
};

#include "kernels.inl"

bool here() {
    unsigned a = 0, b = 0, c = 0, d = 0;  // leaf 7, subleaf 1, EAX bit 4 (Intel's manual, volume 2, CPUID)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __get_cpuid_count(7, 1, &a, &b, &c, &d) &&
           (a >> 4 & 1);
}

}  // namespace

const Kernels kernels_avxvnni = {"avxvnni", here, norm, quantize, multiply, swiglu, place, attend};
#endif
