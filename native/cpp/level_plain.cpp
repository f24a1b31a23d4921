// Any processor that GCC or Clang supports. For tests.
#include "kernels.h"

namespace {

#define REGISTER 16
#include "vectors.inl"

#define MOST_ROWS 4
#define PACKS(rows) 1
#define UNROLLED _Pragma("GCC unroll 4")
#define SUMS 4
#define MULTIPLY multiply

struct Eight {
    enum { COLUMNS = 4 };
    struct Dots {
        int32_t sum[PACK];
    };
    typedef const uint8_t *Weights;

    static inline Dots start(int32_t) { return {}; }

    static inline Weights load(const uint8_t *at) { return at; }

    static inline void dot(Dots &dots, Weights w, const int8_t *x) {
        for (int row = 0; row < PACK; row++)
            for (int k = 0; k < 4; k++) dots.sum[row] += ((int)w[4 * row + k] - 128) * x[k];
    }

    static inline V16i finish(Dots dots) {
        V16i all;
        __builtin_memcpy(&all, &dots, sizeof all);
        return all;
    }
};

struct Four : Eight {
    enum { COLUMNS = 8 };

    static inline void dot(Dots &dots, Weights w, const int8_t *x) {
        for (int row = 0; row < PACK; row++)
            for (int k = 0; k < 4; k++) {
                const int both = w[4 * row + k];
                dots.sum[row] += ((both & 15) - 8) * x[k] + ((both >> 4) - 8) * x[BLOCK / 2 + k];
            }
    }
};

inline V16 fma(V16 a, V16 b, V16 c) {
#if defined(__aarch64__)
    for (int p = 0; p < PARTS; p++)
        for (int i = 0; i < LANES; i++) c.part[p][i] = __builtin_fmaf(a.part[p][i], b.part[p][i], c.part[p][i]);
    return c;
#else
    return a * b + c;  // rounds twice: without the instruction, a fused multiply-add is a function call
#endif
}

inline void narrow(V16i x, int8_t *to) {
    for (int p = 0; p < PARTS; p++)
        for (int i = 0; i < LANES; i++) to[p * LANES + i] = (int8_t)x.part[p][i];
}

#include "kernels.inl"

bool here() { return true; }

}  // namespace

const Kernels kernels_plain = {"plain", here, norm, quantize, multiply, swiglu, place, attend};
