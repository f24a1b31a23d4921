// x86-64 with AMX (Intel's servers since 2023): as AVX512, but many rows are multiplied with tiles. The sums of a block
// are integers in both cases, so the results are equal to the last bit.
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "kernels.h"

namespace {

#define REGISTER 64
#include "vectors.inl"

#define MULTIPLY multiply_tiled
#include "avx512.inl"

void multiply_tiled(
    const Matrix &matrix, int64_t first, int64_t packs, const Quantized &x, int64_t rows, float *out, int64_t stride,
    bool add);

#include "kernels.inl"

struct alignas(64) TileShapes {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t bytes[16] = {64, 64, 64, 64};  // 0: activations; 1: weights; 2 and 3: sums, alternating
    uint8_t rows[16] = {16, 16, 16, 16};
};

// Computes the sums of a block for TILE rows, and writes them to memory, which is the only way to read a tile.
#define BLOCK_TO(TILE_NUMBER, TO)             \
    _tile_zero(TILE_NUMBER);                  \
    _tile_dpbsud(TILE_NUMBER, 0, 1);          \
    _tile_stored(TILE_NUMBER, TO, 64)

// Multiplies one pack by TILE rows. The memory of `x` is padded to a multiple of TILE rows, so rows after `rows` may be
// read.
inline void tile(
    const Matrix &matrix, int64_t pack, const Quantized &x, int64_t row, int64_t rows, float *out, int64_t stride,
    bool add) {
    const int64_t blocks = matrix.columns / BLOCK;
    const uint8_t *weights = matrix.packed + pack * matrix.columns * PACK;
    const int8_t *values = x.values + row * x.columns;
    alignas(64) int32_t dots[2][TILE][16];
    V16 sums[TILE];
#pragma GCC unroll 16
    for (int r = 0; r < TILE; r++) sums[r] = V16{};
    for (int64_t b = 0; b < blocks; b++) {
        _tile_loadd(0, values + b * BLOCK, x.columns);
        _tile_loadd(1, weights + b * BLOCK * PACK, 64);
        if (b % 2) {  // alternating, so that the next block does not wait until this one has been read
            BLOCK_TO(3, dots[1]);
        } else {
            BLOCK_TO(2, dots[0]);
        }
        const int32_t(*exact)[16] = dots[b % 2];
        const float *scale = x.scale + row * blocks + b;
        const int32_t *excess = x.excess + row * blocks + b;
#pragma GCC unroll 16
        for (int r = 0; r < TILE; r++) {
            const __m512i whole = _mm512_add_epi32(_mm512_load_si512(exact[r]), _mm512_set1_epi32(excess[r * blocks]));
            sums[r] = fma({{(F)_mm512_cvtepi32_ps(whole)}}, splat(scale[r * blocks]), sums[r]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < TILE; r++)
        if (r < rows) store(sums[r], matrix, pack, out + (row + r) * stride, add);
}

// A tile multiplies 16 rows in the time of one. With fewer than nine rows, most of it would be empty (estimated, not
// measured). int4 weights use the AVX512 code: tiles are loaded from memory, so they would have to be unpacked there.
void multiply_tiled(
    const Matrix &matrix, int64_t first, int64_t packs, const Quantized &x, int64_t rows, float *out, int64_t stride,
    bool add) {
    if (rows <= MOST_ROWS || matrix.block_scale) return multiply(matrix, first, packs, x, rows, out, stride, add);
    const TileShapes shapes;
    _tile_loadconfig(&shapes);
    for (int64_t row = 0; row < rows; row += TILE)
        for (int64_t p = 0; p < packs; p++)
            tile(matrix, first + p, x, row, rows - row < TILE ? rows - row : TILE, out + p * PACK, stride, add);
    _tile_release();
}

// Whether the processor has AMX-INT8 and the kernel allows this process to use tiles
// (Documentation/arch/x86/xstate.rst).
bool here() {
#if defined(__linux__)
    unsigned a = 0, b = 0, c = 0, d = 0;  // leaf 7, EDX bits 24 and 25: tiles, int8
    if (!has_avx512() || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d >> 24 & 3) != 3) return false;
    const int request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
    return false;
#endif
}

}  // namespace

const Kernels kernels_amx = {"amx", here, norm, quantize, multiply_tiled, swiglu, place, attend};
#endif
