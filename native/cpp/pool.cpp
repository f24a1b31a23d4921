#include "pool.h"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

// The next decode step begins within one or two tenths of a millisecond. Waking a sleeping thread takes about as long
// as its share of a step (estimated, not measured). Spinning for longer would take the core from other programs.
constexpr auto WATCH = std::chrono::microseconds(300);

inline void pause() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

Pool &Pool::mine() {
    static thread_local Pool *pool = new Pool;  // never destroyed: its threads may run until the process ends
    return *pool;
}

void Pool::start(uint32_t count, int threads, Call call, void *what) {
    for (; made_ < threads; made_++) std::thread([this, thread = made_] { work(thread); }).detach();
    const uint64_t number = ticket_.load(std::memory_order_relaxed) >> 32;
    ticket_.store((number + 1) << 32 | CLOSED, std::memory_order_relaxed);
    // All pieces of the last job are done. Release: a thread that sees one of these stores also sees the closed ticket.
    done_.store(0, std::memory_order_release);
    count_.store(count, std::memory_order_release);
    call_.store(call, std::memory_order_release);
    what_.store(what, std::memory_order_release);
    const bool more = threads > allowed_.exchange(threads, std::memory_order_acq_rel);
    ticket_.store((number + 2) << 32, std::memory_order_seq_cst);
    if (more || asleep_.load(std::memory_order_seq_cst)) {
        std::lock_guard lock(mutex_);
        wake_.notify_all();
    }
    uint32_t seen = 0;
    while (take(seen, 0)) {}
    for (int tries = 0; done_.load(std::memory_order_acquire) != count; tries++) {
        pause();
        if (tries > 2000) std::this_thread::yield();  // the thread with the last piece may be waiting for a core
    }
}

// Takes a piece of the current job and runs it. False if the job, whose number is then in `seen`, has none for this
// thread.
bool Pool::take(uint32_t &seen, int thread) {
    uint64_t ticket = ticket_.load(std::memory_order_acquire);
    for (;;) {
        const uint32_t count = count_.load(std::memory_order_acquire);
        const Call call = call_.load(std::memory_order_acquire);
        void *const what = what_.load(std::memory_order_acquire);
        const uint32_t next = (uint32_t)ticket;
        const int allowed = allowed_.load(std::memory_order_acquire);
        seen = (uint32_t)(ticket >> 32);
        if (next >= count || thread >= allowed) return false;
        // If this succeeds, the fields above are those of the current job: it cannot end before this piece is done.
        if (ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
            call(what, next, thread);
            done_.fetch_add(1, std::memory_order_release);
            return true;
        }
    }
}

void Pool::work(int thread) {
    uint32_t seen = 0;
    for (;;) {
        if (thread >= allowed_.load(std::memory_order_acquire)) {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return thread < allowed_.load(std::memory_order_acquire); });
        }
        while (take(seen, thread)) {}
        const auto until = std::chrono::steady_clock::now() + WATCH;
        while (number() == seen && std::chrono::steady_clock::now() < until)
            for (int i = 0; i < 16 && number() == seen; i++) pause();
        if (number() != seen) continue;
        std::unique_lock lock(mutex_);
        asleep_.fetch_add(1, std::memory_order_seq_cst);
        wake_.wait(lock, [&] { return number() != seen; });
        asleep_.fetch_sub(1, std::memory_order_seq_cst);
    }
}
