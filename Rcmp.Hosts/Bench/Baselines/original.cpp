// A client cache of the shape of the C++ original's hit path (PDS-Lab/Rcmp; ACM TACO 2024), written anew from a reading of its sources; nothing is copied. What a read of a page
// in the rack does there, in this order, and where it says so:
//
//   a look at the clock                                  PoolContext::Read (rcmp.cc), SysStatistics (impl.hpp): five a read, CLOCK_REALTIME; compiled in as it ships (RCMP_PERF_ON 1)
//   the thread's table, by a guarded thread-local        PageThreadLocalCache::getInstance (page_table.hpp)
//   page -> object with mutex and pointer                PageCacheTable::FindOrCreateCacheMeta: a flat Robin Hood map, information bytes apart from its nodes, four fifths full at most
//   lock that mutex (std::mutex)                         LocalPageCacheMeta::ref_lock
//   pointer -> object with heat and place                LocalPageCache, three cache lines: FreqStats holds an unused std::deque between its count and its times
//   count and time the access, decayed                   LocalPageCache::Update, FreqStats::add (stats.cc): time stamp counter / 1000, a table of factors for 100 such ticks
//   copy, unlock                                         memcpy of the caller's size
//
// page_table.cc and stats.cc are other files than rcmp.cc in a shared library built without link-time optimization: their functions are calls here too. Its process always has a
// second thread (the poller of its message queue), so that the mutex takes atomic instructions, which glibc leaves out in a process of one thread: here one that sleeps, so that the
// core is free. Pages are of 4 KiB as in the pool it is compared with (the original's are of 2 MiB as it ships, so it has fewer objects to find).
//
//   original FILE RANGE_BYTES ADDRESSES   64 bytes from uniformly random lines of a populated file in /dev/shm; removes FILE at once. Prints the mean nanoseconds of a read, of the
//   median of many batches, without the looks at the clock, and with them.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fcntl.h>
#include <mutex>
#include <random>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>
#include <x86intrin.h>

#define OTHER_FILE __attribute__((noinline, noclone))

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kLine = 64;
constexpr size_t kBatch = 4096;
constexpr uint64_t kTicksPerHeatTime = 1000;
constexpr uint64_t kHeatTimes = 100;
constexpr auto kWarmUp = std::chrono::milliseconds(250);
constexpr auto kMeasured = std::chrono::milliseconds(750);

class Heat {
public:
    Heat() {
        std::lock_guard<std::mutex> lock(lock_);
        while (decays_.size() < kHeatTimes)
            decays_.push_back(std::exp(-lambda_ * static_cast<float>(decays_.size())));
    }

    OTHER_FILE size_t Add(uint64_t now) {
        uint64_t since = now - last_;
        size_t before = 1;
        if (since >= kept_)
            first_ = now;
        else
            before = static_cast<size_t>(static_cast<float>(count_) * decays_[since] + 1);
        count_++;
        last_ = now;
        return before;
    }

private:
    size_t count_ = 0;
    size_t recent_ = 8;
    std::deque<uint64_t> times_;
    uint64_t last_ = 0;
    uint64_t first_ = 0;
    uint64_t kept_ = kHeatTimes;
    float lambda_ = 0; // as it is for pages of the rack

    static std::mutex lock_;
    static std::vector<float> decays_;
};

std::mutex Heat::lock_;
std::vector<float> Heat::decays_;

struct Page {
    Heat heat;
    uint64_t offset = 0;
};

struct PageMeta {
    std::mutex lock;
    Page *page = nullptr;
};

// The information byte of a node: how far it is from where its hash says, from 1 on, above two bits of the hash; 0 if the node is free.
class PageMap {
public:
    PageMap() { Resize(8); }

    void Insert(uint64_t page, PageMeta *meta) {
        if (++count_ > (mask_ + 1) * 4 / 5)
            Resize(2 * (mask_ + 1));
        Put({page, meta});
    }

    PageMeta *Find(uint64_t page) const {
        uint64_t hash = Mix(page);
        size_t at = hash >> kHashBits & mask_;
        for (uint8_t info = Info(hash); info <= infos_[at]; at++, info += kInfoStep) {
            if (info == infos_[at] && nodes_[at].page == page)
                return nodes_[at].meta;
        }
        return nullptr;
    }

private:
    static constexpr int kHashBits = 5;
    static constexpr uint8_t kInfoStep = 4;
    static constexpr size_t kOverflow = 64;

    struct Node {
        uint64_t page;
        PageMeta *meta;
    };

    static uint64_t Mix(uint64_t page) {
        page *= 0x9E3779B97F4A7C15ull;
        return page ^ page >> 33;
    }

    static uint8_t Info(uint64_t hash) { return static_cast<uint8_t>(kInfoStep + (hash & (kInfoStep - 1))); }

    void Put(Node node) {
        uint64_t hash = Mix(node.page);
        size_t at = hash >> kHashBits & mask_;
        uint8_t info = Info(hash);
        for (; infos_[at] != 0; at++, info += kInfoStep) {
            // Who is farther from home stays; the other moves on.
            if (infos_[at] < info) {
                std::swap(infos_[at], info);
                std::swap(nodes_[at], node);
            }
            if (at + 1 == infos_.size() || info > UINT8_MAX - kInfoStep)
                std::abort();
        }
        infos_[at] = info;
        nodes_[at] = node;
    }

    void Resize(size_t size) {
        std::vector<Node> nodes(size + kOverflow);
        std::vector<uint8_t> infos(size + kOverflow);
        nodes.swap(nodes_);
        infos.swap(infos_);
        mask_ = size - 1;
        for (size_t i = 0; i < nodes.size(); i++) {
            if (infos[i] != 0)
                Put(nodes[i]);
        }
    }

    size_t mask_ = 0;
    size_t count_ = 0;
    std::vector<Node> nodes_;
    std::vector<uint8_t> infos_;
};

class ThreadCache {
public:
    static ThreadCache &Instance() {
        static thread_local ThreadCache instance;
        return instance;
    }

    OTHER_FILE PageMeta *FindMeta(uint64_t page) {
        PageMeta *meta = pages_.Find(page);
        if (meta == nullptr)
            pages_.Insert(page, meta = new PageMeta);
        return meta;
    }

    OTHER_FILE Page *FindPage(PageMeta *meta) const { return meta->page; }

private:
    ThreadCache() { made_++; }
    ~ThreadCache() { made_--; }

    static int made_;
    PageMap pages_;
};

int ThreadCache::made_;

OTHER_FILE uint64_t NowNs() {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<uint64_t>(static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec));
}

class Pool {
public:
    explicit Pool(char *base) : base_(base) {}

    void Fill(uint64_t pages) {
        // As the first reads would: one page after the other.
        for (uint64_t page = 1; page <= pages; page++) {
            PageMeta *meta = ThreadCache::Instance().FindMeta(page);
            meta->page = new Page;
            meta->page->offset = (page - 1) * kPage;
        }
    }

    template <bool kTimed> OTHER_FILE void Read(uint64_t address, size_t size, void *to) {
        uint64_t timer = kTimed ? NowNs() : 0, started = timer;
        ThreadCache &cache = ThreadCache::Instance();
        PageMeta *meta = cache.FindMeta(address / kPage);
        std::unique_lock<std::mutex> lock(meta->lock);
        Page *page = cache.FindPage(meta);
        Sample<kTimed>(search_, timer);
        if (page == nullptr)
            std::abort();
        if (kTimed)
            hits_++;
        page->heat.Add(__rdtsc() / kTicksPerHeatTime);
        Sample<kTimed>(update_, timer);
        std::memcpy(to, base_ + page->offset + address % kPage, size);
        if (kTimed) {
            reads_++;
            bytes_ += size;
        }
        Sample<kTimed>(copy_, timer);
        Sample<kTimed>(all_, started);
    }

private:
    template <bool kTimed> static void Sample(uint64_t &sum, uint64_t &timer) {
        if (!kTimed)
            return;
        uint64_t now = NowNs();
        sum += now - timer;
        timer = now;
    }

    char *base_;
    uint64_t hits_ = 0, search_ = 0, update_ = 0, reads_ = 0, bytes_ = 0, copy_ = 0, all_ = 0;
};

template <bool kTimed> double Measure(Pool &pool, const std::vector<uint64_t> &addresses) {
    alignas(64) char buffer[kLine];
    std::vector<double> batches;
    auto started = std::chrono::steady_clock::now();
    for (size_t at = 0;; at = (at + kBatch) % addresses.size()) {
        auto begin = std::chrono::steady_clock::now();
        if (begin - started > kWarmUp + kMeasured)
            break;
        for (size_t i = 0; i < kBatch; i++) {
            pool.Read<kTimed>(addresses[at + i], kLine, buffer);
            asm volatile("" ::"r"(buffer) : "memory");
        }
        auto end = std::chrono::steady_clock::now();
        if (begin - started > kWarmUp)
            batches.push_back(std::chrono::duration<double, std::nano>(end - begin).count() / kBatch);
    }
    std::nth_element(batches.begin(), batches.begin() + static_cast<long>(batches.size() / 2), batches.end());
    return batches[batches.size() / 2];
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    uint64_t range = std::strtoull(argv[2], nullptr, 10);
    size_t count = std::max<size_t>(kBatch, std::strtoull(argv[3], nullptr, 10) / kBatch * kBatch);
    int fd = open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return 3;
    unlink(argv[1]);
    if (ftruncate(fd, static_cast<off_t>(range)) != 0)
        return 3;
    void *memory = mmap(nullptr, range, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return 3;
    std::memset(memory, 1, range);
    std::mutex end_lock;
    std::condition_variable end;
    bool ended = false;
    std::thread second([&] {
        std::unique_lock<std::mutex> lock(end_lock);
        end.wait(lock, [&] { return ended; });
    });
    Pool pool(static_cast<char *>(memory));
    pool.Fill(range / kPage);
    std::mt19937_64 random(42);
    std::vector<uint64_t> addresses(count);
    for (auto &address : addresses)
        address = kPage + random() % (range / kLine) * kLine;
    double untimed = Measure<false>(pool, addresses), timed = Measure<true>(pool, addresses);
    std::printf("%.2f %.2f\n", untimed, timed);
    {
        std::lock_guard<std::mutex> lock(end_lock);
        ended = true;
    }
    end.notify_one();
    second.join();
}
