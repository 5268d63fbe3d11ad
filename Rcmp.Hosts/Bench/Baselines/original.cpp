// A client cache of the shape of the C++ original's hit path (Rcmp, ACM TACO 2024): a flat hash map of the thread from page to an object with the page's mutex, from there
// to an object with the page's place and its heats, which decay exponentially with the time since the last access (time stamp counter), a copy under the mutex.
// Its statistics' timers are left out. 64 bytes from uniformly random lines of a populated file in /dev/shm.
//
//   original FILE RANGE_BYTES ADDRESSES   prints the mean nanoseconds of a read, of the median of many batches. Removes FILE at once.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <random>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>
#include <x86intrin.h>

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kLine = 64;
constexpr size_t kBatch = 4096;
constexpr uint64_t kTicksPerHeatTime = 1000; // the original divides the time stamp counter by 1000
constexpr double kHalfLife = 1000;           // of those
constexpr auto kWarmUp = std::chrono::milliseconds(500);
constexpr auto kMeasured = std::chrono::seconds(1);

struct Heat {
    uint64_t time = 0;
    float value = 0;
};

struct Page {
    Heat read;
    Heat written;
    uint64_t offset;
};

struct PageMeta {
    std::mutex lock;
    Page *page = nullptr;
};

class PageCache {
public:
    PageCache(char *base, uint64_t pages) : base_(base) {
        while (slots_.size() < 2 * pages)
            slots_.resize(std::max<size_t>(64, 2 * slots_.size()));
        for (uint64_t page = 1; page <= pages; page++) {
            size_t at = Hash(page);
            while (slots_[at].key != 0)
                at = (at + 1) & (slots_.size() - 1);
            slots_[at] = Slot{page, new PageMeta};
            slots_[at].meta->page = new Page{{}, {}, (page - 1) * kPage};
        }
        for (int i = 0; i < 4 * kHalfLife; i++)
            decays_.push_back(static_cast<float>(std::exp(-std::log(2) / kHalfLife * i)));
    }

    void Read(uint64_t address, char *to) {
        PageMeta *meta = Find(address / kPage);
        if (meta == nullptr)
            std::abort();
        std::lock_guard<std::mutex> lock(meta->lock);
        Page *page = meta->page;
        if (page == nullptr)
            std::abort();
        Add(page->read, __rdtsc() / kTicksPerHeatTime);
        std::memcpy(to, base_ + page->offset + address % kPage, kLine);
    }

private:
    struct Slot {
        uint64_t key = 0;
        PageMeta *meta = nullptr;
    };

    size_t Hash(uint64_t page) const { return (page * 0x9E3779B97F4A7C15ull >> 32) & (slots_.size() - 1); }

    PageMeta *Find(uint64_t page) const {
        for (size_t at = Hash(page); slots_[at].key != 0; at = (at + 1) & (slots_.size() - 1)) {
            if (slots_[at].key == page)
                return slots_[at].meta;
        }
        return nullptr;
    }

    void Add(Heat &heat, uint64_t now) const {
        uint64_t since = now - heat.time;
        float decay = since < decays_.size() ? decays_[since] : std::pow(decays_[1], static_cast<float>(since));
        heat.value = heat.value * decay + 1;
        heat.time = now;
    }

    char *base_;
    std::vector<Slot> slots_;
    std::vector<float> decays_;
};

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
    PageCache cache(static_cast<char *>(memory), range / kPage);
    std::mt19937_64 random(42);
    std::vector<uint64_t> addresses(count);
    for (auto &address : addresses)
        address = kPage + random() % (range / kLine) * kLine;

    alignas(64) char buffer[kLine];
    std::vector<double> batches;
    auto started = std::chrono::steady_clock::now();
    for (size_t at = 0;; at = (at + kBatch) % count) {
        auto begin = std::chrono::steady_clock::now();
        if (begin - started > kWarmUp + kMeasured)
            break;
        for (size_t i = 0; i < kBatch; i++) {
            cache.Read(addresses[at + i], buffer);
            asm volatile("" ::"r"(buffer) : "memory");
        }
        auto end = std::chrono::steady_clock::now();
        if (begin - started > kWarmUp)
            batches.push_back(std::chrono::duration<double, std::nano>(end - begin).count() / kBatch);
    }
    std::nth_element(batches.begin(), batches.begin() + static_cast<long>(batches.size() / 2), batches.end());
    std::printf("%.2f\n", batches[batches.size() / 2]);
}
