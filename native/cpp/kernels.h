// The functions that each instruction set implements. The result of a row depends on that row only, to the last bit:
// not on the other rows of the pass, and not on the number of threads.
#pragma once
#include "abi.h"

enum { BLOCK = 64 };  // activations that share a scale
enum { PACK = 16 };   // rows of a matrix that are multiplied together
// The memory for activations is padded to a multiple of this many rows: those of an AMX tile.
enum { TILE = 16 };
// The queries of this many neighbouring tokens use each key while it is in a register.
enum { TOKENS_AT_ONCE = 4 };
enum { WIDEST = 512 };  // the largest head_dim; `WIDEST_HEAD` in native_library.py

// Activations in int8. `scale` and `excess` have the shape (rows, columns / BLOCK). The instructions need one unsigned
// factor, so weights are stored as value + 128. `excess` corrects the sums for that: it is -128 times the sum of a
// block's activations. For int4, which is stored as value + 8, a sixteenth of it is used.
struct Quantized {
    int8_t *values;
    float *scale;
    int32_t *excess;
    int64_t columns;
};

// Attention of a few tokens to the keys and values of one key-value head of one sequence. `queries` are those of the
// query heads that share it, for the first token: shape (group, width), already divided by the square root of head_dim.
// `out` has the shape (group, head_dim).
struct Attention {
    const float *queries;
    int64_t query_stride;  // to the next token
    float *out;
    int64_t out_stride;
    const uint16_t *keys, *values;
    int64_t width, head_dim, group;
    int64_t tokens;   // at most TOKENS_AT_ONCE
    int64_t visible;  // number of positions that the first token attends to
    float *scores;    // working memory: tokens * group rows of `score_stride`
    int64_t score_stride;
};

// Applies the rotary embedding to the queries and keys of one token in one layer, divides the queries by the square
// root of head_dim, and writes keys and values to the KV cache.
struct Placing {
    const float *from;  // the projections: queries, keys, values, one head after another
    const float *cosines, *sines;  // (head_dim / 2)
    int64_t heads, kv_heads, head_dim, width;
    float *queries;           // (heads, width)
    uint16_t *keys, *values;  // the KV cache of the first head
    int64_t kept_stride;      // to the cache of the next head
    int64_t position;
};

struct Kernels {
    const char *name;
    bool (*here)();  // whether this processor and system can run it
    // RMS norm of one row.
    void (*norm)(const float *x, const float *gain, int64_t columns, float eps, float *out);
    // Quantizes one row to int8. Writes `out.columns` numbers, with zeros from `columns` on.
    void (*quantize)(const float *x, int64_t columns, const Quantized &out, int64_t row);
    // Multiplies `packs` packs of `matrix`, from `first` on, by all rows of `x`. Writes the results to `out`, whose
    // stride is in floats, or adds them to it.
    void (*multiply)(
        const Matrix &matrix, int64_t first, int64_t packs, const Quantized &x, int64_t rows, float *out,
        int64_t stride, bool add);
    // Computes block `block` of silu(gate) * up for all rows, in int8.
    void (*swiglu)(const Matrix &gate_up, int64_t block, const Quantized &x, int64_t rows, const Quantized &out);
    void (*place)(const Placing &);
    void (*attend)(const Attention &);
};

extern const Kernels kernels_plain;
#if defined(__x86_64__)
extern const Kernels kernels_avx2, kernels_avxvnni, kernels_avx512, kernels_amx;
#endif
