// A client cache of the shape of the C++ original's hit path (Rcmp, ACM TACO 2024): a mutex, a hash map from page to where it is, a heat that decays, a copy.
// Its timers are left out. 64 bytes from uniformly random lines of a populated file in /dev/shm.
//
//   original FILE RANGE_BYTES ADDRESSES   prints the mean nanoseconds of a read, of the median of many batches. Removes FILE at once.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <random>
#include <sys/mman.h>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kLine = 64;
constexpr size_t kBatch = 4096;
constexpr double kDecay = 0.04; // the seed's hot_decay
constexpr auto kWarmUp = std::chrono::milliseconds(500);
constexpr auto kMeasured = std::chrono::seconds(1);

struct PageMeta {
    uint64_t offset;
    double heat = 0;
    uint64_t tick = 0;
};

class PageCache {
public:
    PageCache(char *base, uint64_t pages) : base_(base) {
        for (uint64_t page = 0; page < pages; page++)
            map_.emplace(page + 1, PageMeta{page * kPage});
    }

    void Read(uint64_t address, char *to) {
        std::lock_guard<std::mutex> lock(mutex_);
        auto found = map_.find(address / kPage);
        if (found == map_.end())
            std::abort();
        PageMeta &meta = found->second;
        uint64_t now = ++tick_ >> 16;
        for (; meta.tick < now; meta.tick++)
            meta.heat *= 1 - kDecay;
        meta.heat += 1;
        std::memcpy(to, base_ + meta.offset + address % kPage, kLine);
    }

private:
    char *base_;
    std::mutex mutex_;
    std::unordered_map<uint64_t, PageMeta> map_;
    uint64_t tick_ = 0;
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
