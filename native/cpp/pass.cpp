// One pass of new tokens through all layers.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>

#include "abi.h"
#include "kernels.h"
#include "pool.h"

namespace {

const Kernels *const ALL[] = {
#if defined(__x86_64__)
    &kernels_amx, &kernels_avx512, &kernels_avxvnni, &kernels_avx2,
#endif
    &kernels_plain,
};
constexpr int LEVELS = sizeof ALL / sizeof *ALL;

// Packs in a piece of a product. With hidden = 512 their 64 rows are 32 KiB, which stay in the L1 cache for all tokens.
constexpr int64_t PACKS_A_PIECE = 4;
// Tokens in a piece of work on single tokens. With fewer tokens the caller does it alone, because waking a thread costs
// more.
constexpr int64_t TOKENS_A_PIECE = 8;

int64_t filled(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

// Working memory that only grows, aligned to 64 bytes: a register, and a cache line.
class Room {
public:
    template <class T>
    T *get(int64_t count) {
        const size_t wanted = (size_t)filled(count * (int64_t)sizeof(T), 64);
        if (wanted > size_) {
            std::free(memory_);
            memory_ = std::aligned_alloc(64, wanted);
            size_ = memory_ ? wanted : 0;
            if (!memory_) throw std::bad_alloc();
            std::memset(memory_, 0, wanted);  // the padding rows of a tile are read
        }
        return static_cast<T *>(memory_);
    }

private:
    void *memory_ = nullptr;
    size_t size_ = 0;
};

struct QuantizedRoom {
    Room values, scale, excess;
    Quantized get(int64_t rows, int64_t columns) {
        const int64_t all = filled(rows, TILE), blocks = columns / BLOCK;
        return {values.get<int8_t>(all * columns), scale.get<float>(all * blocks), excess.get<int32_t>(all * blocks), columns};
    }
};

struct Rooms {
    Room token, run, x, normed, qkv, queries, seen, scores;
    QuantizedRoom hidden, heads, mlp;
};

struct Token {
    int32_t id;
    const Sequence *sequence;
    int64_t position;
};

// Neighbouring tokens of one sequence, which attend to its keys together.
struct Run {
    int64_t first, tokens;
};

class Pass {
public:
    Pass(const Model &model, const Kernels &kernels, int threads, Rooms &rooms)
        : m(model), k(kernels), threads_(threads), rooms(rooms), width(filled(model.head_dim, 32)) {}

    void run(const Sequence *sequences, int64_t count, const int32_t *ids, float *logits) {
        rows = 0;
        int64_t wanted = 0;
        for (int64_t s = 0; s < count; s++) rows += sequences[s].count, wanted += sequences[s].want;
        tokens = rooms.token.get<Token>(rows);
        for (int64_t s = 0, row = 0; s < count; s++)
            for (int64_t i = 0; i < sequences[s].count; i++, row++)
                tokens[row] = {ids[row], &sequences[s], sequences[s].start + i};
        find_runs();
        x_stride = filled(m.hidden, PACK);  // whole packs are written, so the next row begins after one
        x = rooms.x.get<float>(rows * x_stride);
        normed = rooms.normed.get<float>(rows * m.hidden);
        qkv_stride = m.layer[0].qkv.rows;
        qkv = rooms.qkv.get<float>(rows * qkv_stride);
        queries = rooms.queries.get<float>(rows * m.heads * width);
        seen = rooms.seen.get<float>(rows * m.heads * m.head_dim);
        hidden_q = rooms.hidden.get(rows, m.layer[0].qkv.columns);
        heads_q = rooms.heads.get(rows, m.layer[0].out.columns);
        mlp_q = rooms.mlp.get(rows, m.layer[0].down.columns);

        each_row([&](int64_t row) { embed(tokens[row].id, x + row * x_stride); });
        for (int64_t l = 0; l < m.layers; l++) layer(m.layer[l], l);

        int64_t to = 0, row = 0;
        for (int64_t s = 0; s < count; s++) {
            row += sequences[s].count - sequences[s].want;
            for (int64_t i = 0; i < sequences[s].want; i++, row++, to++) {
                k.norm(x + row * x_stride, m.norm, m.hidden, (float)m.eps, normed);
                k.quantize(normed, m.hidden, hidden_q, to);
            }
        }
        multiply(m.logits, hidden_q, wanted, logits, m.logits.rows, false);
    }

private:
    const Model &m;
    const Kernels &k;
    const int threads_;
    Rooms &rooms;
    const int64_t width;
    int64_t rows = 0, run_count = 0, x_stride = 0, qkv_stride = 0;
    Token *tokens = nullptr;
    Run *runs = nullptr;
    float *x = nullptr, *normed = nullptr, *qkv = nullptr, *queries = nullptr, *seen = nullptr;
    Quantized hidden_q{}, heads_q{}, mlp_q{};

    template <class Work>
    void each_row(Work &&work) {
        const int64_t pieces = rows <= TOKENS_A_PIECE ? 1 : (rows + TOKENS_A_PIECE - 1) / TOKENS_A_PIECE;
        Pool::mine().run(pieces, threads_, [&](int64_t piece, int) {
            const int64_t first = piece * TOKENS_A_PIECE;
            for (int64_t row = first; row < rows && row < first + TOKENS_A_PIECE; row++) work(row);
        });
    }

    void multiply(const Matrix &matrix, const Quantized &by, int64_t count, float *out, int64_t stride, bool add) {
        const int64_t packs = matrix.rows / PACK;
        Pool::mine().run((packs + PACKS_A_PIECE - 1) / PACKS_A_PIECE, threads_, [&](int64_t piece, int) {
            const int64_t first = piece * PACKS_A_PIECE;
            const int64_t some = packs - first < PACKS_A_PIECE ? packs - first : PACKS_A_PIECE;
            k.multiply(matrix, first, some, by, count, out + first * PACK, stride, add);
        });
    }

    void embed(int32_t id, float *to) const {
        if (m.embedding) {
            for (int64_t i = 0; i < m.hidden; i++) {
                const uint32_t bits = (uint32_t)m.embedding[id * m.hidden + i] << 16;
                std::memcpy(to + i, &bits, 4);
            }
            return;
        }
        const uint8_t *pack = m.logits.packed + id / PACK * PACK * m.logits.columns + id % PACK * 4;
        const float scale = m.logits.scale[id];
        for (int64_t i = 0; i < m.hidden; i++) to[i] = (float)((int)pack[i / 4 * 64 + i % 4] - 128) * scale;
    }

    void layer(const Layer &layer, int64_t number) {
        each_row([&](int64_t row) {
            k.norm(x + row * x_stride, layer.norm, m.hidden, (float)m.eps, normed + row * m.hidden);
            k.quantize(normed + row * m.hidden, m.hidden, hidden_q, row);
        });
        multiply(layer.qkv, hidden_q, rows, qkv, qkv_stride, false);
        each_row([&](int64_t row) { place(row, number); });
        attention(number);
        each_row([&](int64_t row) { k.quantize(seen + row * m.heads * m.head_dim, m.heads * m.head_dim, heads_q, row); });
        multiply(layer.out, heads_q, rows, x, x_stride, true);
        each_row([&](int64_t row) {
            k.norm(x + row * x_stride, layer.mlp_norm, m.hidden, (float)m.eps, normed + row * m.hidden);
            k.quantize(normed + row * m.hidden, m.hidden, hidden_q, row);
        });
        Pool::mine().run(layer.gate_up.rows / (2 * BLOCK), threads_, [&](int64_t block, int) {
            k.swiglu(layer.gate_up, block, hidden_q, rows, mlp_q);
        });
        multiply(layer.down, mlp_q, rows, x, x_stride, true);
    }

    uint16_t *kept(const Sequence &sequence, int64_t layer, int which, int64_t head) const {
        return sequence.kv + ((layer * 2 + which) * m.kv_heads + head) * sequence.capacity * width;
    }

    void place(int64_t row, int64_t layer) const {
        const Token &token = tokens[row];
        const int64_t half = m.head_dim / 2;
        k.place({
            qkv + row * qkv_stride, m.cosines + token.position * half, m.sines + token.position * half, m.heads,
            m.kv_heads, m.head_dim, width, queries + row * m.heads * width, kept(*token.sequence, layer, 0, 0),
            kept(*token.sequence, layer, 1, 0), token.sequence->capacity * width, token.position,
        });
    }

    void find_runs() {
        runs = rooms.run.get<Run>(rows);
        run_count = 0;
        for (int64_t row = 0; row < rows; row++) {
            Run *last = run_count ? &runs[run_count - 1] : nullptr;
            if (last && last->tokens < TOKENS_AT_ONCE && tokens[last->first].sequence == tokens[row].sequence)
                last->tokens++;
            else
                runs[run_count++] = {row, 1};
        }
    }

    void attention(int64_t layer) {
        const int64_t group = m.heads / m.kv_heads;
        int64_t most = 0;
        for (int64_t row = 0; row < rows; row++) most = std::max(most, tokens[row].position + 1);
        const int64_t stride = filled(most, 16), room = TOKENS_AT_ONCE * group * stride;
        float *scores = rooms.scores.get<float>(room * threads_);
        Pool::mine().run(run_count * m.kv_heads, threads_, [&](int64_t piece, int thread) {
            // The last tokens first: they attend to the most positions, and the last pieces should be the smallest.
            const Run run = runs[run_count - 1 - piece / m.kv_heads];
            const int64_t head = piece % m.kv_heads;
            const Token &token = tokens[run.first];
            k.attend({
                queries + (run.first * m.heads + head * group) * width, m.heads * width,
                seen + (run.first * m.heads + head * group) * m.head_dim, m.heads * m.head_dim,
                kept(*token.sequence, layer, 0, head), kept(*token.sequence, layer, 1, head),
                width, m.head_dim, group, run.tokens, token.position + 1, scores + thread * room, stride,
            });
        });
    }
};

}  // namespace

int tabspec_abi(void) { return ABI_VERSION; }

const char *tabspec_level(int index) {
    for (const Kernels *kernels : ALL)
        if (kernels->here() && index-- == 0) return kernels->name;
    return nullptr;
}

int tabspec_forward(
    const Model *model, const Sequence *sequences, int64_t count, const int32_t *tokens, float *logits,
    const char *level, int threads) {
    static std::mutex one_at_a_time;
    static Rooms *rooms = new Rooms;  // like the pools, it lives as long as the process
    const std::lock_guard lock(one_at_a_time);
    for (const Kernels *kernels : ALL)
        if (!std::strcmp(kernels->name, level)) try {
                Pass(*model, *kernels, std::max(threads, 1), *rooms).run(sequences, count, tokens, logits);
                return 0;
            } catch (const std::exception &) {  // out of memory, or no further thread can be started
                return 1;
            }
    return 2;
}
