// A thread pool that runs the pieces of one job at a time.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

// Free threads take the pieces one by one. So the caller never waits for a thread that the scheduler does not run: in
// the worst case it computes all pieces itself. (torch's threads each have a fixed share of the work. If another
// program uses a core, each operation waits for the scheduler.) After a job, threads spin for a moment, then they
// sleep.
//
// Each calling thread has its own pool, whose threads inherit its priority and live as long as the process. This is
// meant for a few callers that live long.
class Pool {
public:
    // Runs `piece(i, thread)` for all i below `count`, on up to `threads` threads. Thread 0 is the caller.
    template <class Piece>
    void run(int64_t count, int threads, Piece &&piece) {
        if (count <= 1 || threads <= 1) {
            for (int64_t i = 0; i < count; i++) piece(i, 0);
            return;
        }
        start((uint32_t)count, threads, [](void *what, uint32_t i, int thread) {
            (*static_cast<std::remove_reference_t<Piece> *>(what))((int64_t)i, thread);
        }, &piece);
    }

    static Pool &mine();  // the pool of the calling thread

private:
    using Call = void (*)(void *, uint32_t, int);

    void start(uint32_t count, int threads, Call call, void *what);
    bool take(uint32_t &seen, int thread);
    uint32_t number() const { return (uint32_t)(ticket_.load(std::memory_order_seq_cst) >> 32); }
    void work(int thread);

    // The upper half is the number of the job, which grows, the lower half the next piece. So a late thread that tries
    // to take a piece of a finished job finds another number and fails. While the fields below change between two jobs,
    // the lower half is `CLOSED`, which is larger than any count.
    static constexpr uint64_t CLOSED = 0xFFFFFFFF;
    std::atomic<uint64_t> ticket_{0};
    std::atomic<uint32_t> done_{0};
    std::atomic<uint32_t> count_{0};
    std::atomic<Call> call_{nullptr};
    std::atomic<void *> what_{nullptr};
    std::atomic<int> allowed_{1};  // number of threads that this job may use
    std::atomic<int> asleep_{0};   // how many of them sleep
    std::mutex mutex_;
    std::condition_variable wake_;
    int made_ = 1;  // number of threads, including the caller
};
