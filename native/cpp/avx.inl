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
    V16i all;
    __builtin_memcpy(&all, &dots.low, 32);
    __builtin_memcpy((char *)&all + 32, &dots.high, 32);
    return all;
}

static inline V16 fma(V16 a, V16 b, V16 c) {
    __m256 x[2], y[2], z[2];
    __builtin_memcpy(x, &a, 64);
    __builtin_memcpy(y, &b, 64);
    __builtin_memcpy(z, &c, 64);
    z[0] = _mm256_fmadd_ps(x[0], y[0], z[0]);
    z[1] = _mm256_fmadd_ps(x[1], y[1], z[1]);
    __builtin_memcpy(&c, z, 64);
    return c;
}
