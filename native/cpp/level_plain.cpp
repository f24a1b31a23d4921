// Any processor that GCC or Clang knows.
#include "kernels.h"
#include "vectors.h"

namespace {

#define MOST_ROWS 4
#define ONE_ROW_PACKS 1
#define PV_HEADS 1
#define MULTIPLY multiply

typedef V16i Dots;
struct Weights {
    const uint8_t *at;
};

inline Dots start(int32_t) { return V16i{}; }

inline Weights load(const uint8_t *at) { return {at}; }

inline void dot(Dots &sums, Weights w, const int8_t *x) {
    for (int row = 0; row < PACK; row++)
        for (int k = 0; k < 4; k++) sums[row] += ((int)w.at[4 * row + k] - 128) * x[k];
}

inline V16i finish(Dots sums) { return sums; }

inline V16 fma(V16 a, V16 b, V16 c) {
#if defined(__aarch64__)
    for (int i = 0; i < 16; i++) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
#else
    return a * b + c;  // two roundings: without the instruction, a fused one is a call for each number
#endif
}

#include "kernels.inl"

bool here() { return true; }

}  // namespace

const Kernels kernels_plain = {"plain", here, norm, quantize, multiply, swiglu, attend};
