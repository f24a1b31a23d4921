// Vectors of 16 numbers, as registers of REGISTER bytes. GCC and Clang support such vectors on all processors, but
// split vectors that are wider than a register into single numbers.

enum { LANES = REGISTER / 4, PARTS = 16 / LANES };

typedef float F __attribute__((vector_size(REGISTER)));
typedef int32_t I __attribute__((vector_size(REGISTER)));
typedef uint32_t U __attribute__((vector_size(REGISTER)));
typedef uint16_t Half __attribute__((vector_size(REGISTER / 2)));

struct V16 {
    F part[PARTS];
};
struct V16i {
    I part[PARTS];
};

#define INLINE static inline __attribute__((always_inline))
#define EACH for (int p = 0; p < PARTS; p++)
#define BINARY(TYPE, OP)                        \
    INLINE TYPE operator OP(TYPE a, TYPE b) {   \
        EACH a.part[p] = a.part[p] OP b.part[p]; \
        return a;                               \
    }
BINARY(V16, +)
BINARY(V16, -)
BINARY(V16, *)
BINARY(V16, /)
BINARY(V16i, +)
#undef BINARY

INLINE V16 splat(float x) {
    V16 all;
    EACH all.part[p] = x - F{};  // (for x + 0 the compiler would emit an addition, because of -0)
    return all;
}

INLINE V16i splat(int32_t x) {
    V16i all;
    EACH all.part[p] = I{} + x;
    return all;
}

INLINE V16 read(const float *from) {
    V16 x;
    EACH __builtin_memcpy(&x.part[p], from + p * LANES, REGISTER);  // (GCC would copy a whole V16 in pieces of 16 bytes)
    return x;
}

INLINE void write(int32_t *to, V16i x) {
    EACH __builtin_memcpy(to + p * LANES, &x.part[p], REGISTER);
}

INLINE void write(float *to, V16 x) {
    EACH __builtin_memcpy(to + p * LANES, &x.part[p], REGISTER);
}

INLINE V16 read_bfloat16(const uint16_t *from) {
    V16 x;
#if REGISTER == 64
    x.part[0] = (F)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from)), 16);
#else
    EACH {
        Half half;
        __builtin_memcpy(&half, from + p * LANES, sizeof half);
        x.part[p] = (F)(__builtin_convertvector(half, U) << 16);
    }
#endif
    return x;
}

// Rounds to bfloat16, in the upper halves: to nearest, ties to even. All NaNs become the same NaN.
INLINE V16i rounded(V16 x) {
    V16i y;
    EACH {
        const U exact = (U)x.part[p];
        const U near = (exact + 0x7FFF + (exact >> 16 & 1)) & 0xFFFF0000u;
        y.part[p] = (exact & 0x7FFFFFFF) > 0x7F800000u ? (I)(U{} + 0x7FC00000u) : (I)near;
    }
    return y;
}

// Writes two results of `rounded` as 32 bfloat16 numbers: `even` at even indices, `odd` at odd ones.
INLINE void write_bfloat16s(uint16_t *to, V16i even, V16i odd) {
    EACH {
        const U both = (U)even.part[p] >> 16 | (U)odd.part[p];
        __builtin_memcpy(to + p * 2 * LANES, &both, REGISTER);
    }
}

// 32 bfloat16 numbers, by even and odd indices. Reading them so takes two instructions a register, not four.
struct Two {
    V16 even, odd;
};

INLINE Two read_bfloat16s(const uint16_t *from) {
    Two x;
    EACH {
        U both;
        __builtin_memcpy(&both, from + p * 2 * LANES, REGISTER);
        x.even.part[p] = (F)(both << 16);
        x.odd.part[p] = (F)(both & 0xFFFF0000u);
    }
    return x;
}

// The larger one, or `b` if one of them is NaN.
INLINE V16 larger(V16 a, V16 b) {
#if REGISTER == 64
    a.part[0] = (F)_mm512_max_ps((__m512)a.part[0], (__m512)b.part[0]);
#elif REGISTER == 32
    EACH a.part[p] = (F)_mm256_max_ps((__m256)a.part[p], (__m256)b.part[p]);
#else
    EACH a.part[p] = a.part[p] > b.part[p] ? a.part[p] : b.part[p];
#endif
    return a;
}

INLINE V16i larger(V16i a, V16i b) {
    EACH a.part[p] = a.part[p] > b.part[p] ? a.part[p] : b.part[p];
    return a;
}

INLINE V16 to_float(V16i x) {
    V16 y;
    EACH y.part[p] = __builtin_convertvector(x.part[p], F);
    return y;
}

// Reinterprets the bits as integers, and back.
INLINE V16i bits(V16 x) {
    V16i y;
    EACH y.part[p] = (I)x.part[p];
    return y;
}

INLINE V16 floats(V16i x) {
    V16 y;
    EACH y.part[p] = (F)x.part[p];
    return y;
}

// The bits of the absolute values. As integers they have the same order; infinity and NaN are the largest.
INLINE V16i sizes(V16 x) {
    V16i y = bits(x);
    EACH y.part[p] &= 0x7FFFFFFF;
    return y;
}

INLINE V16i shift_left(V16i x, int by) {
    EACH x.part[p] = x.part[p] << by;
    return x;
}

// The first `count` of x, then those of y.
INLINE V16 first(int count, V16 x, V16 y) {
    V16i lane;
    for (int i = 0; i < 16; i++) lane.part[i / LANES][i % LANES] = i;
    EACH x.part[p] = lane.part[p] < count ? x.part[p] : y.part[p];
    return x;
}

// Reductions, in the same order for all instruction sets: i with i + 8, then i with i + 4, i + 2, i + 1.
#if REGISTER >= 32

INLINE __m256i half(V16i x, int which) {
#if REGISTER == 64
    return which ? _mm512_extracti64x4_epi64((__m512i)x.part[0], 1) : _mm512_castsi512_si256((__m512i)x.part[0]);
#else
    return (__m256i)x.part[which];
#endif
}

// `op` takes vectors of four numbers and of eight.
template <class Op>
INLINE __m128i reduced(V16i x, Op op) {
    const __m256i eight = op(half(x, 0), half(x, 1));
    const __m128i four = op(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    const __m128i two = op(four, _mm_unpackhi_epi64(four, four));
    return op(two, _mm_shuffle_epi32(two, 1));
}

struct Sum {
    __m256i operator()(__m256i a, __m256i b) const { return (__m256i)_mm256_add_ps((__m256)a, (__m256)b); }
    __m128i operator()(__m128i a, __m128i b) const { return (__m128i)_mm_add_ps((__m128)a, (__m128)b); }
};
struct WholeSum {
    __m256i operator()(__m256i a, __m256i b) const { return _mm256_add_epi32(a, b); }
    __m128i operator()(__m128i a, __m128i b) const { return _mm_add_epi32(a, b); }
};
struct Most {
    __m256i operator()(__m256i a, __m256i b) const { return (__m256i)_mm256_max_ps((__m256)a, (__m256)b); }
    __m128i operator()(__m128i a, __m128i b) const { return (__m128i)_mm_max_ps((__m128)a, (__m128)b); }
};
struct WholeMost {
    __m256i operator()(__m256i a, __m256i b) const { return _mm256_max_epi32(a, b); }
    __m128i operator()(__m128i a, __m128i b) const { return _mm_max_epi32(a, b); }
};

INLINE float total(V16 x) { return _mm_cvtss_f32((__m128)reduced(bits(x), Sum{})); }
INLINE float largest(V16 x) { return _mm_cvtss_f32((__m128)reduced(bits(x), Most{})); }
INLINE int32_t total(V16i x) { return _mm_cvtsi128_si32(reduced(x, WholeSum{})); }
INLINE int32_t largest(V16i x) { return _mm_cvtsi128_si32(reduced(x, WholeMost{})); }

#else

template <class T, class V, class Op>
INLINE T reduced(V x, Op op) {
    T all[16];
    __builtin_memcpy(all, &x, sizeof all);
    for (int n = 8; n; n /= 2)
        for (int i = 0; i < n; i++) all[i] = op(all[i], all[i + n]);
    return all[0];
}

INLINE float total(V16 x) {
    return reduced<float>(x, [](float a, float b) { return a + b; });
}

INLINE int32_t total(V16i x) {
    return reduced<int32_t>(x, [](int32_t a, int32_t b) { return a + b; });
}

INLINE float largest(V16 x) {
    return reduced<float>(x, [](float a, float b) { return a > b ? a : b; });
}

INLINE int32_t largest(V16i x) {
    return reduced<int32_t>(x, [](int32_t a, int32_t b) { return a > b ? a : b; });
}

#endif

#undef EACH
