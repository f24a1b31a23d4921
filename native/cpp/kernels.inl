// The kernels, written once for vectors of 16 floats. One file for each instruction set includes this file and is
// compiled for that instruction set. Before, it defines the products of 64 bytes of weights with 4 or 8 activations, in
// the structures Eight and Four (for int8 and int4; see `Matrix`):
//
//     COLUMNS                                     columns in 64 bytes (of sixteen rows): four, or eight
//     Dots start(int32_t excess)                  initializes sixteen sums; see `Quantized`
//     Weights load(const uint8_t *)               loads 64 bytes
//     void dot(Dots &, Weights, const int8_t *)   adds four products to each sum, or eight
//     V16i finish(Dots)                           returns the sums
//
// and also
//
//     V16 fma(V16 a, V16 b, V16 c)                a * b + c
//     void narrow(V16i, int8_t *to)               writes sixteen numbers from -127 to 127 as bytes
//     MOST_ROWS                                   the most rows of activations whose sums fit into the registers
//     UNROLLED                                    a pragma for the loop over a block: with 16 registers and a fully
//                                                 unrolled loop, GCC 12 would keep sums in memory
//     SUMS                                        how many vectors of sums attention keeps in registers
//     PACKS(rows)                                 how many neighbouring packs are multiplied at a time. Each row and
//                                                 pack is a chain of dependent additions; about eight independent chains
//                                                 keep the processor busy
//
// Headers of the C++ library must not be included here. Their inline functions would be compiled for this instruction
// set, and the linker might use them for all others.

INLINE float lowest() { return -__builtin_huge_valf(); }

// e^x for x <= 88, with a relative error below 2e-7: x = n ln 2 + r with |r| <= ln 2 / 2, and a Taylor series in r.
INLINE V16 exponential(V16 x) {
    x = larger(x, splat(-87.0f));  // e^-87 is about the smallest normal number
    const V16 magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds a number to an integer
    V16 shifted = fma(x, splat(1.44269504f), magic);
    V16 n = shifted - magic;
    V16 r = fma(n, splat(-0.693359375f), x);  // ln 2 in two parts, the first with few digits
    r = fma(n, splat(2.12194440e-4f), r);
    V16 y = splat(1.0f / 720);
    y = fma(y, r, splat(1.0f / 120));
    y = fma(y, r, splat(1.0f / 24));
    y = fma(y, r, splat(1.0f / 6));
    y = fma(y, r, splat(0.5f));
    y = fma(y, r, splat(1.0f));
    y = fma(y, r, splat(1.0f));
    return floats(bits(y) + shift_left(bits(shifted) + splat(-0x4B400000), 23));
}

static void norm(const float *x, const float *gain, int64_t columns, float eps, float *out) {
    V16 sums = {};
    int64_t i = 0;
    for (; i + 16 <= columns; i += 16) sums = fma(read(x + i), read(x + i), sums);
    float sum = total(sums);
    for (int64_t j = i; j < columns; j++) sum += x[j] * x[j];
    const float factor = 1.0f / __builtin_sqrtf(sum / (float)columns + eps);
    for (i = 0; i + 16 <= columns; i += 16) write(out + i, read(x + i) * splat(factor) * read(gain + i));
    for (; i < columns; i++) out[i] = x[i] * factor * gain[i];
}

INLINE void quantize_block(const float *x, int8_t *values, float *scale, int32_t *excess) {
    V16i most = {};
    for (int i = 0; i < BLOCK; i += 16) most = larger(most, sizes(read(x + i)));
    const int32_t size_bits = largest(most);
    float size;
    __builtin_memcpy(&size, &size_bits, 4);
    if (size_bits >= 0x7F800000) {  // infinity or NaN: the scale becomes NaN, and so does every result
        __builtin_memset(values, 0, BLOCK);
        *scale = __builtin_nanf("");
        *excess = 0;
        return;
    }
    // Below 127 / 3.4e38 = 3.7e-37 the inverse would be infinite, so such small numbers count as 0.
    const float inverse = size > 1e-36f ? 127.0f / size : 0.0f;
    V16i all = {};
    for (int i = 0; i < BLOCK; i += 16) {
        const V16i near = bits(read(x + i) * splat(inverse) + splat(12582912.0f)) + splat(-0x4B400000);
        narrow(near, values + i);
        all = all + near;
    }
    *scale = size / 127.0f;
    *excess = -128 * total(all);
}

static void quantize(const float *x, int64_t columns, const Quantized &out, int64_t row) {
    const int64_t blocks = out.columns / BLOCK;
    for (int64_t b = 0; b < blocks; b++) {
        float padded[BLOCK] = {};
        const float *from = x + b * BLOCK;
        if (columns - b * BLOCK < BLOCK) {
            for (int64_t i = 0; i < columns - b * BLOCK; i++) padded[i] = from[i];
            from = padded;
        }
        quantize_block(
            from, out.values + row * out.columns + b * BLOCK, out.scale + row * blocks + b, out.excess + row * blocks + b);
    }
}

INLINE void store(V16 y, const Matrix &matrix, int64_t pack, float *to, bool add) {
    if (matrix.scale) y = y * read(matrix.scale + pack * PACK);
    if (matrix.bias) y = y + read(matrix.bias + pack * PACK);
    write(to, add ? read(to) + y : y);
}

// Multiplies R rows of activations by P neighbouring packs.
template <class Bits, int R, int P>
INLINE void multiply_some(
    const Matrix &matrix, int64_t pack, const Quantized &x, int64_t row, float *out, int64_t stride, bool add) {
    enum { STEPS = BLOCK / Bits::COLUMNS };
    const int64_t blocks = matrix.columns / BLOCK, pack_bytes = blocks * STEPS * 64;
    const uint8_t *weights = matrix.packed + pack * pack_bytes;
    const int8_t *values = x.values + row * x.columns;
    V16 sums[R][P] = {};
    for (int64_t b = 0; b < blocks; b++) {
        typename Bits::Dots dots[R][P];
        for (int r = 0; r < R; r++)
            for (int p = 0; p < P; p++) dots[r][p] = Bits::start(x.excess[(row + r) * blocks + b]);
        UNROLLED
        for (int k = 0; k < STEPS; k++)
            for (int p = 0; p < P; p++) {
                const auto w = Bits::load(weights + p * pack_bytes + (b * STEPS + k) * 64);
                for (int r = 0; r < R; r++) Bits::dot(dots[r][p], w, values + r * x.columns + b * BLOCK + 4 * k);
            }
        for (int p = 0; p < P; p++)
            for (int r = 0; r < R; r++) {
                V16 scale = splat(x.scale[(row + r) * blocks + b]);
                if (Bits::COLUMNS == Four::COLUMNS)
                    scale = scale * read_bfloat16(matrix.block_scale + ((pack + p) * blocks + b) * PACK);
                sums[r][p] = fma(to_float(Bits::finish(dots[r][p])), scale, sums[r][p]);
            }
    }
    for (int r = 0; r < R; r++)
        for (int p = 0; p < P; p++)
            store(sums[r][p], matrix, pack + p, out + (row + r) * stride + p * PACK, add);
}

template <class Bits, int R, int P>
INLINE void multiply_rows(
    const Matrix &matrix, int64_t first, int64_t packs, const Quantized &x, int64_t row, float *out, int64_t stride,
    bool add) {
    int64_t p = 0;
    for (; p + P <= packs; p += P) multiply_some<Bits, R, P>(matrix, first + p, x, row, out + p * PACK, stride, add);
    for (; p < packs; p++) multiply_some<Bits, R, 1>(matrix, first + p, x, row, out + p * PACK, stride, add);
}

// Multiplies all rows, in groups of up to MOST_ROWS.
template <class Bits>
static void multiply_all(
    const Matrix &matrix, int64_t first, int64_t packs, const Quantized &x, int64_t rows, float *out, int64_t stride,
    bool add) {
    for (int64_t row = 0; row < rows;) {
        const int64_t left = rows - row;
        const int some = left < MOST_ROWS ? (int)left : MOST_ROWS;
#define CASE(R) \
    case R: multiply_rows<Bits, R, PACKS(R)>(matrix, first, packs, x, row, out, stride, add); break;
        switch (some) {
            CASE(1)
            CASE(2)
            CASE(3)
            CASE(4)
#if MOST_ROWS > 4
            CASE(5)
            CASE(6)
            CASE(7)
            CASE(8)
#endif
        }
#undef CASE
        row += some;
    }
}

static void multiply(
    const Matrix &matrix, int64_t first, int64_t packs, const Quantized &x, int64_t rows, float *out, int64_t stride,
    bool add) {
    const auto all = matrix.block_scale ? multiply_all<Four> : multiply_all<Eight>;
    all(matrix, first, packs, x, rows, out, stride, add);
}

static void swiglu(const Matrix &gate_up, int64_t block, const Quantized &x, int64_t rows, const Quantized &out) {
    enum { PACKS = 2 * BLOCK / PACK };
    const int64_t blocks = x.columns / BLOCK, out_blocks = out.columns / BLOCK;
    for (int64_t row = 0; row < rows; row += TILE) {
        const int64_t some = rows - row < TILE ? rows - row : TILE;
        float both[TILE][2 * BLOCK];
        const Quantized part = {
            x.values + row * x.columns, x.scale + row * blocks, x.excess + row * blocks, x.columns};
        MULTIPLY(gate_up, block * PACKS, PACKS, part, some, both[0], 2 * BLOCK, false);
        for (int64_t r = 0; r < some; r++) {
            float made[BLOCK];
            for (int i = 0; i < BLOCK; i += 16) {
                const V16 gate = read(both[r] + i);
                write(made + i, gate / (exponential(V16{} - gate) + splat(1.0f)) * read(both[r] + BLOCK + i));
            }
            quantize_block(
                made, out.values + (row + r) * out.columns + block * BLOCK, out.scale + (row + r) * out_blocks + block,
                out.excess + (row + r) * out_blocks + block);
        }
    }
}

// Applies the rotary embedding to one head, and multiplies it by `factor`.
INLINE void turn(const float *x, const float *cosines, const float *sines, int64_t half, float factor, float *to) {
    int64_t i = 0;
    for (; i + 16 <= half; i += 16) {
        const V16 a = read(x + i), b = read(x + i + half), cosine = read(cosines + i), sine = read(sines + i);
        write(to + i, (a * cosine - b * sine) * splat(factor));
        write(to + i + half, (b * cosine + a * sine) * splat(factor));
    }
    for (; i < half; i++) {
        to[i] = (x[i] * cosines[i] - x[i + half] * sines[i]) * factor;
        to[i + half] = (x[i + half] * cosines[i] + x[i] * sines[i]) * factor;
    }
}

static void place(const Placing &p) {
    const int64_t half = p.head_dim / 2, filling = (p.width - p.head_dim) * (int64_t)sizeof(float);
    const float *from = p.from;
    const float root = 1.0f / __builtin_sqrtf((float)p.head_dim);
    for (int64_t head = 0; head < p.heads; head++, from += p.head_dim) {
        float *to = p.queries + head * p.width;
        turn(from, p.cosines, p.sines, half, root, to);
        __builtin_memset(to + p.head_dim, 0, filling);
    }
    float made[WIDEST];
    __builtin_memset(made + p.head_dim, 0, filling);
    for (int64_t head = 0; head < p.kv_heads; head++, from += p.head_dim) {
        turn(from, p.cosines, p.sines, half, 1.0f, made);
        uint16_t *to = p.keys + head * p.kept_stride + p.position / 16 * 16 * p.width + p.position % 16 * 2;
        for (int64_t i = 0; i < p.width; i += 16, to += 8 * 32) {
            uint32_t each[16];
            write((int32_t *)each, rounded(read(made + i)));
            for (int j = 0; j < 16; j += 2) {
                const uint32_t pair = each[j] >> 16 | each[j + 1];
                __builtin_memcpy(to + j / 2 * 32, &pair, sizeof pair);
            }
        }
    }
    for (int64_t head = 0; head < p.kv_heads; head++, from += p.head_dim) {
        __builtin_memcpy(made, from, p.head_dim * sizeof(float));
        uint16_t *to = p.values + head * p.kept_stride + p.position * p.width;
        for (int64_t i = 0; i < p.width; i += 32)
            write_bfloat16s(to + i, rounded(read(made + i)), rounded(read(made + i + 16)));
    }
}

// Scores of Q queries for B blocks of 16 positions.
template <int Q, int B>
INLINE void score(
    const float *const *queries, const uint16_t *keys, int64_t width, float *const *scores, int64_t block) {
    V16 sums[Q][B] = {};
    for (int64_t d = 0; d < width; d += 2) {
        Two key[B];
        for (int b = 0; b < B; b++) key[b] = read_bfloat16s(keys + ((block + b) * width + d) * 16);
        for (int q = 0; q < Q; q++) {
            const V16 one = splat(queries[q][d]), other = splat(queries[q][d + 1]);
            for (int b = 0; b < B; b++) sums[q][b] = fma(key[b].even, one, sums[q][b]);
            for (int b = 0; b < B; b++) sums[q][b] = fma(key[b].odd, other, sums[q][b]);
        }
    }
    for (int q = 0; q < Q; q++)
        for (int b = 0; b < B; b++) write(scores[q] + (block + b) * 16, sums[q][b]);
}

template <int Q>
INLINE void score_all(
    const float *const *queries, const uint16_t *keys, int64_t width, float *const *scores, int64_t blocks) {
    enum { B = SUMS / Q > 4 ? 4 : SUMS / Q > 0 ? SUMS / Q : 1 };
    int64_t block = 0;
    for (; block + B <= blocks; block += B) score<Q, B>(queries, keys, width, scores, block);
    for (; block < blocks; block++) score<Q, 1>(queries, keys, width, scores, block);
}

// Replaces the scores of `visible` positions by weights (the exponentials of softmax), and returns their sum. Positions
// after them in the last block get the weight 0.
INLINE float soften(float *scores, int64_t visible) {
    const int64_t blocks = (visible + 15) / 16;
    const int left = (int)(visible - (blocks - 1) * 16);
    float *end = scores + (blocks - 1) * 16;
    write(end, first(left, read(end), splat(lowest())));  // the memory after the sequence is not initialized
    V16 most = splat(lowest());
    for (int64_t b = 0; b < blocks; b++) most = larger(most, read(scores + b * 16));
    const float top = largest(most);
    V16 sums = {};
    for (int64_t b = 0; b < blocks; b++) {
        V16 weight = exponential(read(scores + b * 16) - splat(top));
        if (b == blocks - 1) weight = first(left, weight, V16{});
        sums = sums + weight;
        write(scores + b * 16, weight);
    }
    return total(sums);
}

// Computes 32 * C columns of the weighted sums of values, from `d` on. Query q attends to `visible[q]` positions, which
// ascend with q.
template <int Q, int C>
INLINE void gather(
    const float *const *weights, const uint16_t *values, int64_t width, const int64_t *visible, int64_t d,
    float (*out)[WIDEST]) {
    V16 sums[Q][2 * C] = {};
    int64_t at = 0;
    const auto add = [&](auto &&sees) __attribute__((always_inline)) {
        Two value[C];
        for (int c = 0; c < C; c++) value[c] = read_bfloat16s(values + at * width + d + c * 32);
        for (int q = 0; q < Q; q++) {
            if (!sees(q)) continue;
            const V16 weight = splat(weights[q][at]);
            for (int c = 0; c < C; c++) {
                sums[q][2 * c] = fma(value[c].even, weight, sums[q][2 * c]);
                sums[q][2 * c + 1] = fma(value[c].odd, weight, sums[q][2 * c + 1]);
            }
        }
    };
    for (; at < visible[0]; at++) add([](int) { return true; });
    for (; at < visible[Q - 1]; at++) add([&](int q) { return at < visible[q]; });
    for (int q = 0; q < Q; q++)
        for (int c = 0; c < 2 * C; c++) write(out[q] + d + c * 16, sums[q][c]);
}

// Computes the attention of Q queries from their scores.
template <int Q>
INLINE void see(const Attention &a, float *const *weights, const int64_t *visible, float *const *out) {
    enum { C = SUMS / (2 * Q) > 2 ? 2 : SUMS / (2 * Q) > 0 ? SUMS / (2 * Q) : 1 };
    alignas(64) float made[Q][WIDEST];
    float factor[Q];
    for (int q = 0; q < Q; q++) factor[q] = 1.0f / soften(weights[q], visible[q]);
    int64_t d = 0;
    for (; d + 32 * C <= a.width; d += 32 * C) gather<Q, C>(weights, a.values, a.width, visible, d, made);
    for (; d < a.width; d += 32) gather<Q, 1>(weights, a.values, a.width, visible, d, made);
    for (int q = 0; q < Q; q++) {
        int64_t i = 0;
        for (; i + 16 <= a.head_dim; i += 16) write(out[q] + i, read(made[q] + i) * splat(factor[q]));
        for (; i < a.head_dim; i++) out[q][i] = made[q][i] * factor[q];
    }
}

// At most eight queries of `a`, from `first` on.
struct Queries {
    int64_t count;
    const float *asked[8];
    float *scores[8], *out[8];
    int64_t visible[8];
};

static Queries queries_of(const Attention &a, int64_t first) {
    Queries some;
    const int64_t left = a.tokens * a.group - first;
    some.count = left < 8 ? left : 8;
    for (int64_t q = 0; q < some.count; q++) {
        const int64_t token = (first + q) / a.group, head = (first + q) % a.group;
        some.asked[q] = a.queries + token * a.query_stride + head * a.width;
        some.scores[q] = a.scores + (first + q) * a.score_stride;
        some.out[q] = a.out + token * a.out_stride + head * a.head_dim;
        some.visible[q] = a.visible + token;
    }
    return some;
}

static void attend(const Attention &a) {
    const int64_t queries = a.tokens * a.group, blocks = (a.visible + a.tokens - 1 + 15) / 16;
#define AT_ONCE(Q, SUMS_EACH, CALL)               \
    if (Q * SUMS_EACH <= SUMS && some.count >= Q) { \
        CALL;                                     \
        first += Q;                               \
        continue;                                 \
    }
#define SCORE(Q) AT_ONCE(Q, 1, score_all<Q>(some.asked, a.keys, a.width, some.scores, blocks))
#define GATHER(Q) AT_ONCE(Q, 2, see<Q>(a, some.scores, some.visible, some.out))
    for (int64_t first = 0; first < queries;) {
        const Queries some = queries_of(a, first);
        SCORE(8)
        SCORE(4)
        SCORE(2)
        SCORE(1)
    }
    for (int64_t first = 0; first < queries;) {
        const Queries some = queries_of(a, first);
        GATHER(8)
        GATHER(4)
        GATHER(2)
        GATHER(1)
    }
#undef GATHER
#undef SCORE
#undef AT_ONCE
}
