// What each instruction set computes in its own way. Every function is a function of its own rows only: how many rows
// run together, and on how many threads, changes no bit of any of them.
#pragma once
#include "abi.h"

enum { BLOCK = 64 };  // activations that share a scale
enum { PACK = 16 };   // rows of a matrix that are computed side by side
// Rows of activations in memory come in multiples of this: a tile of AMX has so many.
enum { TILE = 16 };
// Queries of so many neighbouring tokens share the keys that are loaded.
enum { TOKENS_AT_ONCE = 4 };
enum { WIDEST = 512 };  // dimensions of a head; `WIDEST_HEAD` in native_library.py

// Rows of activations in eight bits. `scale` and `excess`: (rows, columns / BLOCK). Weights are stored with 128 added,
// as the instructions want one factor unsigned; `excess`, -128 times the sum of a block's values, takes it away again
// (a sixteenth of it where 8 is added).
struct Quantized {
    int8_t *values;
    float *scale;
    int32_t *excess;
    int64_t columns;
};

// Attention of some tokens to the keys and values of one head of one sequence. `queries`: the head's group for the
// first token, (group, width), already divided by the root of head_dim; `out` likewise, (group, head_dim).
struct Attention {
    const float *queries;
    int64_t query_stride;  // to the next token
    float *out;
    int64_t out_stride;
    const uint16_t *keys, *values;
    int64_t width, head_dim, group;
    int64_t tokens;   // at most TOKENS_AT_ONCE
    int64_t visible;  // positions that the first token sees
    float *scores;    // room for tokens * group rows of `score_stride`
    int64_t score_stride;
};

// What a token asks and keeps in one layer, from where its queries, keys and values were multiplied to, one head after
// the other: queries and keys are turned by the token's position, and queries divided by the root of head_dim.
struct Placing {
    const float *from;
    const float *cosines, *sines;  // (head_dim / 2)
    int64_t heads, kv_heads, head_dim, width;
    float *queries;           // (heads, width)
    uint16_t *keys, *values;  // where the sequence keeps those of the first head
    int64_t kept_stride;      // to the next head's
    int64_t position;
};

struct Kernels {
    const char *name;
    bool (*here)();  // whether this processor and system can run it
    // RMS norm of one row.
    void (*norm)(const float *x, const float *gain, int64_t columns, float eps, float *out);
    // One row to eight bits; `out.columns` are written, those from `columns` on as zeros.
    void (*quantize)(const float *x, int64_t columns, const Quantized &out, int64_t row);
    // Packs from `first` on of `matrix` times all rows: to `out` (where the first pack goes; stride in floats), or
    // added to what is there.
    void (*multiply)(
        const Matrix &matrix, int64_t first, int64_t packs, const Quantized &x, int64_t rows, float *out,
        int64_t stride, bool add);
    // Block `block` of silu(gate) * up, for all rows, in eight bits.
    void (*swiglu)(const Matrix &gate_up, int64_t block, const Quantized &x, int64_t rows, const Quantized &out);
    void (*place)(const Placing &);
    void (*attend)(const Attention &);
};

extern const Kernels kernels_plain;
#if defined(__x86_64__)
extern const Kernels kernels_avx2, kernels_avxvnni, kernels_avx512, kernels_amx;
#endif
