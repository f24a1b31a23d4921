// Code for AVX2 and AVX-VNNI: a vector of 16 numbers is two registers.

struct Pair {
    __m256i low, high;
};

static inline Pair splat_pair(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }

static inline Pair load_pair(const uint8_t *at) {
    return {_mm256_loadu_si256((const __m256i *)at), _mm256_loadu_si256((const __m256i *)(at + 32))};
}

static inline __m256i four(const int8_t *x) {
    int32_t together;
    __builtin_memcpy(&together, x, 4);
    return _mm256_set1_epi32(together);
}

// The low four bits of bytes, and the high four bits.
struct Halves {
    Pair low, high;
};

static inline Halves load_halves(const uint8_t *at) {
    const Pair both = load_pair(at);
    const __m256i low = _mm256_set1_epi8(15);
    return {
        {_mm256_and_si256(both.low, low), _mm256_and_si256(both.high, low)},
        {_mm256_and_si256(_mm256_srli_epi16(both.low, 4), low), _mm256_and_si256(_mm256_srli_epi16(both.high, 4), low)}};
}

// int8 and int4 weights, without the products, which differ.
struct EightOf {
    enum { COLUMNS = 4 };
    typedef Pair Dots;
    typedef Pair Weights;

    static inline Weights load(const uint8_t *at) { return load_pair(at); }

    static inline V16i finish(Dots dots) { return {{(I)dots.low, (I)dots.high}}; }
};

struct FourOf {
    enum { COLUMNS = 8 };
    typedef Pair Dots;
    typedef Halves Weights;

    static inline Dots start(int32_t excess) { return splat_pair(excess / 16); }

    static inline Weights load(const uint8_t *at) { return load_halves(at); }

    static inline V16i finish(Dots dots) { return EightOf::finish(dots); }
};

static inline V16 fma(V16 a, V16 b, V16 c) {
    for (int p = 0; p < PARTS; p++)
        c.part[p] = (F)_mm256_fmadd_ps((__m256)a.part[p], (__m256)b.part[p], (__m256)c.part[p]);
    return c;
}

static inline void narrow(V16i x, int8_t *to) {
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32((__m256i)x.part[0], (__m256i)x.part[1]), 0xD8);
    _mm_storeu_si128((__m128i *)to, _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}
