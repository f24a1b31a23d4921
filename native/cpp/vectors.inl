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
    EACH all.part[p] = F{} + x;
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
    EACH {
        Half bits;
        __builtin_memcpy(&bits, from + p * LANES, sizeof bits);
        x.part[p] = (F)(__builtin_convertvector(bits, U) << 16);
    }
    return x;
}

INLINE V16 larger(V16 a, V16 b) {
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

// Both reductions in one order for all instruction sets.
INLINE float total(V16 x) {
    float all[16];
    write(all, x);
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) all[i] += all[i + half];
    return all[0];
}

INLINE float largest(V16 x) {
    float all[16];
    write(all, x);
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) all[i] = all[i] > all[i + half] ? all[i] : all[i + half];
    return all[0];
}

#undef EACH
