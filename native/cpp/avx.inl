// What AVX2 and AVX-VNNI share: a vector of 16 is two registers.

struct Dots {
    __m256i low, high;
};
struct Weights {
    __m256i low, high;
};

static inline Weights load(const uint8_t *at) {
    return {_mm256_loadu_si256((const __m256i *)at), _mm256_loadu_si256((const __m256i *)(at + 32))};
}

static inline __m256i four(const int8_t *x) {
    int32_t together;
    __builtin_memcpy(&together, x, 4);
    return _mm256_set1_epi32(together);
}

static inline V16i finish(Dots dots) {
    return {{(I)dots.low, (I)dots.high}};
}

static inline V16 fma(V16 a, V16 b, V16 c) {
    for (int p = 0; p < PARTS; p++)
        c.part[p] = (F)_mm256_fmadd_ps((__m256)a.part[p], (__m256)b.part[p], (__m256)c.part[p]);
    return c;
}
