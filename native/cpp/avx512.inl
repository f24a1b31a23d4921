// Code for the levels with AVX512.

#define MOST_ROWS 8
#define PACKS(rows) ((rows) <= 2 ? 4 : (rows) <= 6 ? 2 : 1)
#define UNROLLED _Pragma("GCC unroll 16")
#define SUMS 16

struct Eight {
    enum { COLUMNS = 4 };
    typedef __m512i Dots;
    typedef __m512i Weights;

    static inline Dots start(int32_t excess) { return _mm512_set1_epi32(excess); }

    static inline Weights load(const uint8_t *at) { return _mm512_loadu_si512(at); }

    static inline void dot(Dots &dots, Weights w, const int8_t *x) {
        int32_t together;
        __builtin_memcpy(&together, x, 4);
        dots = _mm512_dpbusd_epi32(dots, w, _mm512_set1_epi32(together));
    }

    static inline V16i finish(Dots dots) { return {{(I)dots}}; }
};

struct Four : Eight {
    enum { COLUMNS = 8 };
    struct Weights {
        __m512i low, high;
    };

    static inline Dots start(int32_t excess) { return Eight::start(excess / 16); }

    static inline Weights load(const uint8_t *at) {
        const __m512i both = Eight::load(at), low = _mm512_set1_epi8(15);
        return {_mm512_and_si512(both, low), _mm512_and_si512(_mm512_srli_epi16(both, 4), low)};
    }

    static inline void dot(Dots &dots, Weights w, const int8_t *x) {
        Eight::dot(dots, w.low, x);
        Eight::dot(dots, w.high, x + BLOCK / 2);
    }
};

static inline V16 fma(V16 a, V16 b, V16 c) {
    return {{(F)_mm512_fmadd_ps((__m512)a.part[0], (__m512)b.part[0], (__m512)c.part[0])}};
}

static inline void narrow(V16i x, int8_t *to) {
    _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8((__m512i)x.part[0]));
}

static inline bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}
