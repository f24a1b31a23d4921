// The C interface of the library. `tabspec/models/decoders/native_library.py` has the same structures for ctypes; whoever
// changes one changes the other, and ABI_VERSION in both.
#pragma once
#include <stdint.h>

enum { ABI_VERSION = 3 };

// A weight matrix in eight bits or four. Packs of 16 rows. `rows` is a multiple of 16 and `columns` of 64, filled up
// with zeros.
// Eight bits: a pack is [columns / 4][16][4] bytes, value + 128: a register of 64 bytes holds four columns of sixteen
// rows. Each row has a scale.
// Four bits: a pack is [columns / 64][8][16][4] bytes, value + 8: a register holds eight columns of sixteen rows, four
// in its low halves of bytes and, 32 columns further on, four in the high ones. Each 64 columns of a row have a scale.
struct Matrix {
    const uint8_t *packed;
    const float *scale;           // eight bits: one for each row; else null
    const uint16_t *block_scale;  // four bits: bfloat16, for each pack [columns / 64][16]; else null
    const float *bias;            // one for each row, or null
    int64_t rows, columns;
};

// `gate_up` holds 64 rows of the gate, the 64 of "up" that belong to them, the next 64 of the gate, and so on.
struct Layer {
    Matrix qkv, out, gate_up, down;
    const float *norm, *mlp_norm;
};

// A Llama. `cosines` and `sines`: (positions, head_dim / 2). `embedding` holds bfloat16, (vocabulary, hidden); null if
// the rows of `logits`, in eight bits, are the embedding.
struct Model {
    int64_t vocabulary, hidden, layers, heads, kv_heads, head_dim, mlp;
    double eps;
    const float *cosines, *sines;
    const Layer *layer;
    const float *norm;
    Matrix logits;
    const uint16_t *embedding;
};

// New tokens of one sequence. `kv` holds bfloat16, (layers, 2, kv_heads, capacity, width), with `width` the head_dim
// filled up to a multiple of 32, and `capacity` the positions, to one of 16. Keys lie in blocks of 16 positions as
// [width / 2][16][2]; of each 32 values of a position, the first 16 stand at even places and the others at odd ones.
struct Sequence {
    uint16_t *kv;
    int64_t capacity;
    int64_t start;  // positions that are there
    int64_t count;  // new tokens
    int64_t want;   // logits of so many of the last ones
};

#define PUBLIC __attribute__((visibility("default")))

extern "C" {
PUBLIC int tabspec_abi(void);
// Names of what this processor can run, the best first; null behind the last one.
PUBLIC const char *tabspec_level(int index);
// Run the tokens of all sequences, one after the other in `tokens`; logits to (all wanted, rows of Model.logits).
// 0; 1 if there is not enough memory; 2 for a level that is not known.
PUBLIC int tabspec_forward(
    const Model *model, const Sequence *sequences, int64_t count, const int32_t *tokens, float *logits,
    const char *level, int threads);
}
