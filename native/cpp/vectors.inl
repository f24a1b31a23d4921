// Vectors of 16 numbers, made of registers of REGISTER bytes: GCC and Clang know such vectors for every processor, but
// take wider ones than the processor has apart number by number.

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
    EACH all.part[p] = x - F{};  // (x + 0 would be computed, for the sake of -0)
    return all;
}

INLINE V16i splat(int32_t x) {
    V16i all;
    EACH all.part[p] = I{} + x;
    return all;
}

INLINE V16 read(const float *from) {
    V16 x;
    __builtin_memcpy(&x, from, sizeof x);
    return x;
}

INLINE void write(float *to, V16 x) { __builtin_memcpy(to, &x, sizeof x); }

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

INLINE V16 larger(V16 a, V16 b) {
    EACH a.part[p] = a.part[p] > b.part[p] ? a.part[p] : b.part[p];
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

// The bits as they are, and back.
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

// The bits of the numbers without their signs: in the order of their sizes, infinity and what is no number above all.
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

// Reductions, in one order for all instruction sets.
template <class T, class V, class Op>
INLINE T reduced(V x, Op op) {
    T all[16];
    __builtin_memcpy(all, &x, sizeof all);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) all[i] = op(all[i], all[i + 8]);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) all[i] = op(all[i], all[i + 4]);
    all[0] = op(all[0], all[2]);
    all[1] = op(all[1], all[3]);
    return op(all[0], all[1]);
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

#undef EACH
