// Threads that share the pieces of one job at a time.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

// Pieces are taken one by one, by whoever is free. So the caller never waits for a thread that the system has not let
// run (torch's threads do: where another program holds a core, each operation waits for the scheduler); at worst it
// does all of the work itself. Threads wait for the next job in a loop for a moment, then asleep.
//
// Each calling thread has a pool of its own, whose threads begin with the caller's priority and live as long as the
// process: for a few callers that stay.
class Pool {
public:
    // Run `piece(i, thread)` for all i below `count` on up to `threads` threads: number 0 is the caller.
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

    static Pool &mine();  // the calling thread's

private:
    using Call = void (*)(void *, uint32_t, int);

    void start(uint32_t count, int threads, Call call, void *what);
    bool take(uint32_t &seen, int thread);
    uint32_t number() const { return (uint32_t)(ticket_.load(std::memory_order_seq_cst) >> 32); }
    void work(int thread);

    // The upper half is a number that grows, the lower the next piece. A thread that has fallen behind finds another
    // number there when it wants to take a piece of a job that is over. Between two jobs the ticket is closed (no
    // count is as large as `CLOSED`) while the fields below change.
    static constexpr uint64_t CLOSED = 0xFFFFFFFF;
    std::atomic<uint64_t> ticket_{0};
    std::atomic<uint32_t> done_{0};
    std::atomic<uint32_t> count_{0};
    std::atomic<Call> call_{nullptr};
    std::atomic<void *> what_{nullptr};
    std::atomic<int> allowed_{1};  // threads of this job
    std::atomic<int> asleep_{0};   // those that take part and sleep
    std::mutex mutex_;
    std::condition_variable wake_;
    int made_ = 1;  // threads there are, the caller's among them
};
