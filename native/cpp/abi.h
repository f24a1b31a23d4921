// The C interface of the library. `tabspec/models/decoders/native_library.py` declares the same structures for ctypes.
// A change here needs the same change there, and a new ABI_VERSION in both files.
#pragma once
#include <stdint.h>

enum { ABI_VERSION = 3 };

// A weight matrix in int8 or int4, stored in packs of 16 rows. `rows` is padded with zeros to a multiple of 16, and
// `columns` to a multiple of 64.
// int8: a pack is [columns / 4][16][4] bytes of value + 128. A register of 64 bytes holds four columns of sixteen rows.
// Each row has a scale.
// int4: a pack is [columns / 64][8][16][4] bytes of value + 8. A register holds eight columns of sixteen rows: four
// columns in the low four bits of its bytes, and in the high four bits those 32 columns further on. Each 64 columns of
// a row have a scale.
struct Matrix {
    const uint8_t *packed;
    const float *scale;           // int8: one for each row; null for int4
    const uint16_t *block_scale;  // int4: bfloat16, for each pack [columns / 64][16]; null for int8
    const float *bias;            // one for each row, or null
    int64_t rows, columns;
};

// `gate_up` alternates between 64 rows of the gate matrix and the corresponding 64 rows of the up matrix.
struct Layer {
    Matrix qkv, out, gate_up, down;
    const float *norm, *mlp_norm;
};

// A Llama model. `cosines` and `sines` have the shape (positions, head_dim / 2). `embedding` is bfloat16 of shape
// (vocabulary, hidden). It is null if the embedding is tied: then the int8 rows of `logits` are used.
struct Model {
    int64_t vocabulary, hidden, layers, heads, kv_heads, head_dim, mlp;
    double eps;
    const float *cosines, *sines;
    const Layer *layer;
    const float *norm;
    Matrix logits;
    const uint16_t *embedding;
};

// The new tokens of one sequence. `kv` is its KV cache: bfloat16 of shape (layers, 2, kv_heads, capacity, width), where
// `width` is head_dim padded to a multiple of 32, and `capacity` a multiple of 16. Keys are stored in blocks of 16
// positions as [width / 2][16][2]. Of each 32 numbers of a value, the first 16 are at even indices and the others at
// odd ones.
struct Sequence {
    uint16_t *kv;
    int64_t capacity;
    int64_t start;  // positions in the cache before the new tokens
    int64_t count;  // new tokens
    int64_t want;   // of how many of the last tokens logits are computed
};

#define PUBLIC __attribute__((visibility("default")))

extern "C" {
PUBLIC int tabspec_abi(void);
// The name of a level that this processor can run: 0 is the fastest. Null after the last one.
PUBLIC const char *tabspec_level(int index);
// Run one pass. `tokens` are those of all sequences, one sequence after another. Writes logits of shape (sum of `want`,
// rows of Model.logits). Returns 0 on success, 1 if memory is short, 2 for an unknown level.
PUBLIC int tabspec_forward(
    const Model *model, const Sequence *sequences, int64_t count, const int32_t *tokens, float *logits,
    const char *level, int threads);
}
