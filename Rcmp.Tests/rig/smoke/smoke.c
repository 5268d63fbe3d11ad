#define _GNU_SOURCE
#include "smoke.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool one_sided;
static const char *device;
static struct region region;
static int failures;

static void __attribute__((format(printf, 3, 4))) check(bool good, const char *name, const char *format, ...) {
    printf("%s %s: %s", good ? "PASS" : "FAIL", backend, name);
    if (!good) {
        va_list arguments;
        va_start(arguments, format);
        printf(" (");
        vprintf(format, arguments);
        printf(")");
        va_end(arguments);
        failures++;
    }
    printf("\n");
    fflush(stdout);
}

static uint64_t *word_of(uint64_t page) { return (uint64_t *)(region_page(&region, page) + 64); }

static void fill(uint8_t *bytes, size_t count, uint32_t seed) {
    for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)((seed += 0x9E3779B9u) >> 24);
}

static void check_connecting(void) {
    uint8_t wrong[RCMP_KEY_BYTES];
    memcpy(wrong, owner.key, sizeof wrong);
    wrong[RCMP_KEY_BYTES - 1] ^= 1;
    check(refused(registration, wrong), "a wrong key is refused", "it was not");
    check(refused(registration - 1, owner.key), "an older registration is refused", "it was not");
}

static const struct {
    uint32_t offset, length;
} ranges[] = {{0, 8}, {8, 1}, {3, 5}, {64, 64}, {61, 200}, {0, PAGE_BYTES}, {PAGE_BYTES - 8, 8}, {PAGE_BYTES - 1, 1}};

static void check_transfers(void) {
    struct rcmp_connection *connection = connect_as(RCMP_CLIENT);
    static uint8_t buffer[PAGE_BYTES], wanted[PAGE_BYTES];
    int wrong = 0;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        fill(region_page(&region, 1 + i), PAGE_BYTES, (uint32_t)i);
        memset(buffer, 0, sizeof buffer);
        uint32_t status = transfer(connection, RCMP_READ, 1 + i, ranges[i].offset, ranges[i].length, buffer);
        wrong += status != RCMP_OK || memcmp(buffer, region_page(&region, 1 + i) + ranges[i].offset, ranges[i].length) != 0;
    }
    check(wrong == 0, "READ brings what the owner stored", "%d of the ranges are wrong", wrong);

    wrong = 0;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        fill(buffer, ranges[i].length, 77 + (uint32_t)i);
        memcpy(wanted, region_page(&region, 1 + i), PAGE_BYTES);
        memcpy(wanted + ranges[i].offset, buffer, ranges[i].length);
        uint32_t status = transfer(connection, RCMP_WRITE, 1 + i, ranges[i].offset, ranges[i].length, buffer);
        wrong += status != RCMP_OK || memcmp(wanted, region_page(&region, 1 + i), PAGE_BYTES) != 0;
    }
    check(wrong == 0, "WRITE is in place when it is acknowledged, and touches nothing else", "%d of the ranges are wrong", wrong);

    static uint8_t many[32][256];
    int posted = 0, good = 0;
    for (uint64_t i = 0; i < 32; i++) {
        struct rcmp_request write = request(RCMP_WRITE, 10 + i, 512, 256, many[i]);
        fill(many[i], 256, (uint32_t)(900 + i));
        posted += rcmp_post(connection, &write);
    }
    struct rcmp_completion completions[32];
    for (int count, left = posted; left > 0 && (count = rcmp_wait(connection, completions, left, 50000, PATIENCE)) > 0; left -= count)
        for (int i = 0; i < count; i++) good += completions[i].status == RCMP_OK;
    for (uint64_t i = 0; i < 32; i++) good -= memcmp(region_page(&region, 10 + i) + 512, many[i], 256) != 0;
    check(posted == 32 && good == 32, "thirty-two WRITEs at once all arrive", "%d posted, %d good", posted, good);
    rcmp_close(connection);
}

#define ADDITIONS 20000
#define REMOTE_ADDITIONS 200

static void *add_here(void *page) {
    uint64_t *word = word_of((uint64_t)(uintptr_t)page);
    for (int i = 0; i < ADDITIONS; i++) __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void check_atomics(void) {
    struct rcmp_connection *connection = connect_as(RCMP_CLIENT);
    *word_of(1) = 40;
    struct rcmp_completion exchange = atomic(connection, RCMP_EXCHANGE, 1, 41, 0);
    struct rcmp_completion miss = atomic(connection, RCMP_COMPARE_EXCHANGE, 1, 99, 40);
    struct rcmp_completion hit = atomic(connection, RCMP_COMPARE_EXCHANGE, 1, 42, 41);
    struct rcmp_completion add = atomic(connection, RCMP_FETCH_ADD, 1, 8, 0);
    check(exchange.status == RCMP_OK && exchange.result == 40 && miss.result == 41 && hit.result == 41 && add.result == 42 && *word_of(1) == 50,
          "atomics return what was there", "status %u, results %lu %lu %lu %lu, then %lu", exchange.status, exchange.result, miss.result,
          hit.result, add.result, *word_of(1));

    pthread_t thread;
    *word_of(2) = 0;
    pthread_create(&thread, NULL, add_here, (void *)2);
    int lost = 0;
    for (int i = 0; i < REMOTE_ADDITIONS; i++) {
        if (i % 2 == 0) {
            lost += atomic(connection, RCMP_FETCH_ADD, 2, 1, 0).status != RCMP_OK;
            continue;
        }
        uint64_t seen = __atomic_load_n(word_of(2), __ATOMIC_SEQ_CST);
        for (struct rcmp_completion swap;; seen = swap.result) {
            swap = atomic(connection, RCMP_COMPARE_EXCHANGE, 2, seen + 1, seen);
            if (swap.status != RCMP_OK) lost++;
            if (swap.status != RCMP_OK || swap.result == seen) break;
        }
    }
    pthread_join(thread, NULL);
    check(lost == 0 && *word_of(2) == ADDITIONS + REMOTE_ADDITIONS, "remote atomics and the owner's own sum exactly", "%lu, lost %d",
          *word_of(2), lost);

    region_set_location(&region, 3, RCMP_MOVING);
    uint64_t before = *word_of(3);
    uint32_t moving = atomic(connection, RCMP_FETCH_ADD, 3, 1, 0).status;
    region_set_location(&region, 3, RCMP_RESIDENT);
    check(moving == RCMP_RETRY && *word_of(3) == before, "an atomic on a page that moves is told to try again", "status %u", moving);

    struct rcmp_request stale = request(RCMP_FETCH_ADD, 3, 64, 8, NULL);
    stale.epoch_low = EPOCH + 1;
    uint32_t status = perform(connection, stale, PATIENCE).status;
    check(status == RCMP_STALE && *word_of(3) == before, "an atomic of another epoch is stale", "status %u", status);
    rcmp_close(connection);
}

static void check_bounds(void) {
    struct rcmp_connection *connection = connect_as(RCMP_CLIENT);
    static uint8_t buffer[PAGE_BYTES];
    memset(buffer, 0xEE, sizeof buffer);
    uint8_t next = *region_page(&region, 6);
    uint32_t past_page = transfer(connection, RCMP_WRITE, 5, PAGE_BYTES - 8, 64, buffer);
    check(past_page != RCMP_OK && *region_page(&region, 6) == next, "a WRITE beyond the page does not reach its neighbour", "status %u", past_page);
    rcmp_close(connection);

    connection = connect_as(RCMP_CLIENT);
    struct rcmp_request far = request(RCMP_READ, 5, 0, 64, buffer);
    far.frame = 1u << 24;
    uint32_t past_region = perform(connection, far, PATIENCE).status;
    if (one_sided) check(past_region != RCMP_OK, "a READ beyond the region fails", "status %u", past_region);
    rcmp_close(connection);

    connection = connect_as(RCMP_CLIENT);
    uint32_t pull = transfer(connection, RCMP_PULL_FRAME, 5, 0, PAGE_BYTES, buffer);
    check(pull == RCMP_REFUSED, "a client may not pull a frame", "status %u", pull);
    rcmp_close(connection);

    connection = connect_as(RCMP_DAEMON);
    pull = transfer(connection, RCMP_PULL_FRAME, 5, 0, PAGE_BYTES, buffer);
    bool same = memcmp(buffer, region_page(&region, 5), PAGE_BYTES) == 0;
    uint64_t row[8] = {0};
    uint32_t read_row = transfer(connection, RCMP_READ_ROW, 5, 0, sizeof row, row);
    check(pull == RCMP_OK && same && read_row == RCMP_OK && memcmp(row, &region.view.frame_table[5], sizeof row) == 0,
          "a daemon pulls a frame and reads its row", "pull %u, %s, row %u", pull, same ? "equal" : "different", read_row);
    rcmp_close(connection);
}

static void check_stopped_owner(void) {
    struct rcmp_connection *connection = connect_as(RCMP_CLIENT);
    uint8_t out[64], in[64];
    fill(out, sizeof out, 4711);
    owner_stop(&owner);
    if (one_sided) {
        uint32_t write = transfer(connection, RCMP_WRITE, 8, 128, sizeof out, out);
        uint32_t read = transfer(connection, RCMP_READ, 8, 128, sizeof in, in);
        check(write == RCMP_OK && read == RCMP_OK && memcmp(in, out, sizeof in) == 0, "a stopped owner delays neither READ nor WRITE",
              "write %u, read %u", write, read);
    }
    int64_t start = now_ns();
    struct rcmp_request add = request(RCMP_FETCH_ADD, 8, 64, 8, NULL);
    uint32_t status = perform(connection, add, SECOND).status;
    int64_t took = now_ns() - start;
    check(status == RCMP_DEADLINE_PASSED && took < PROMPT && !rcmp_usable(connection), "an atomic on a stopped owner ends at its deadline",
          "status %u after %lld ms", status, (long long)(took / 1000000));
    kill(owner.pid, SIGCONT);
    rcmp_close(connection);
}

static void check_fences(void) {
    struct rcmp_connection *one = connect_as(RCMP_CLIENT);
    uint64_t name = last_name;
    struct rcmp_connection *other = connect_as(RCMP_CLIENT);
    uint8_t bytes[64], kept[64];
    memset(bytes, 0x5A, sizeof bytes);
    memcpy(kept, region_page(&region, 9), sizeof kept);
    owner_tell(&owner, "destroy", name);
    uint32_t gone = transfer(one, RCMP_WRITE, 9, 0, sizeof bytes, bytes);
    bool untouched = memcmp(kept, region_page(&region, 9), sizeof kept) == 0;
    uint32_t left = transfer(other, RCMP_READ, 9, 0, sizeof bytes, bytes);
    check(gone != RCMP_OK && untouched && left == RCMP_OK, "a destroyed connection does nothing more, and its neighbour goes on",
          "destroyed %u, %s, neighbour %u", gone, untouched ? "untouched" : "written", left);
    rcmp_close(one);

    memset(bytes, 0x5A, sizeof bytes);
    owner_tell(&owner, "fence", HOLDER_RACK);
    gone = transfer(other, RCMP_WRITE, 9, 0, sizeof bytes, bytes);
    untouched = memcmp(kept, region_page(&region, 9), sizeof kept) == 0;
    bool closed = refused(registration, owner.key);
    check(gone != RCMP_OK && untouched && closed, "a fenced rack does nothing more", "write %u, %s, %s", gone,
          untouched ? "untouched" : "written", closed ? "refused" : "connected again");
    rcmp_close(other);

    owner_tell(&owner, "accept", ++registration);
    check(refused(registration - 1, owner.key), "after a fence the old registration stays refused", "it was not");
    other = connect_as(RCMP_CLIENT);
    left = transfer(other, RCMP_READ, 9, 0, sizeof bytes, bytes);
    check(left == RCMP_OK && memcmp(bytes, kept, sizeof kept) == 0, "a new registration connects", "status %u", left);
    rcmp_close(other);
}

/* smoke writer ...: writes until it is killed. */
static void write_for_ever(void) {
    struct rcmp_connection *connection = connect_as(RCMP_CLIENT);
    static uint8_t bytes[PAGE_BYTES];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (bool told = false;; told = true) {
        if (transfer(connection, RCMP_WRITE, 11, 0, sizeof bytes, bytes) != RCMP_OK) exit(3);
        if (!told && write(1, "w", 1) != 1) exit(3);
    }
}

static void check_killed_client(void) {
    int out[2];
    char under[24], generation[24], byte;
    snprintf(under, sizeof under, "%lu", registration);
    snprintf(generation, sizeof generation, "%lu", owner.generation);
    if (pipe(out) != 0) die("pipe failed");
    pid_t writer = vfork();
    if (writer == 0) {
        dup2(out[1], 1);
        close(out[0]);
        execl("/proc/self/exe", "smoke", "writer", backend, owner.address, generation, under, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    bool wrote = read(out[0], &byte, 1) == 1 && byte == 'w';
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    close(out[0]);
    struct rcmp_connection *connection = connect_as(RCMP_CLIENT);
    uint8_t bytes[64];
    uint32_t status = transfer(connection, RCMP_READ, 11, 0, sizeof bytes, bytes);
    bool clear = false;
    struct rcmp_guard_slot *slots = (struct rcmp_guard_slot *)(region.view.session + 1);
    for (int64_t start = now_ns(); !clear && now_ns() - start < PROMPT; usleep(1000)) {
        clear = true;
        for (uint32_t i = 0; i < region.view.slot_count; i++) clear &= __atomic_load_n(&slots[i].page, __ATOMIC_SEQ_CST) == 0;
    }
    check(wrote && status == RCMP_OK && clear, "a killed client harms nobody and leaves no guard", "%s, read %u, guards %s",
          wrote ? "it wrote" : "it did not write", status, clear ? "clear" : "set");
    rcmp_close(connection);
}

struct waiter {
    struct rcmp_connection *connection;
    struct rcmp_completion completion;
};

static void *wait_for_answer(void *argument) {
    struct waiter *waiter = argument;
    waiter->completion = perform(waiter->connection, request(RCMP_FETCH_ADD, 8, 64, 8, NULL), PATIENCE);
    return NULL;
}

static void check_killed_owner(void) {
    struct waiter waiter = {.connection = connect_as(RCMP_CLIENT)};
    struct rcmp_connection *idle = connect_as(RCMP_CLIENT);
    pthread_t thread;
    owner_stop(&owner);
    pthread_create(&thread, NULL, wait_for_answer, &waiter);
    usleep(300000); /* the request is on its way, or it is not and the check is an easier one */
    owner_kill(&owner);
    int64_t start = now_ns();
    pthread_join(thread, NULL);
    int64_t took = now_ns() - start;
    check(took < PROMPT && waiter.completion.status == RCMP_CONNECTION_LOST, "what waits on a killed owner ends soon, outcome unknown",
          "status %u after %lld ms", waiter.completion.status, (long long)(took / 1000000));
    uint8_t bytes[64];
    start = now_ns();
    uint32_t status = transfer(idle, RCMP_READ, 8, 0, sizeof bytes, bytes);
    took = now_ns() - start;
    check(status != RCMP_OK && took < PROMPT && !rcmp_usable(idle), "a READ from a killed owner fails soon", "status %u after %lld ms", status,
          (long long)(took / 1000000));
    rcmp_close(waiter.connection);
    rcmp_close(idle);

    struct rcmp_connection *connection;
    char error[256];
    int unreachable = try_connect(RCMP_CLIENT, registration, owner.key, &connection, error, sizeof error);
    check(unreachable == RCMP_UNREACHABLE || unreachable == RCMP_CONNECT_REFUSED, "nobody connects to a killed owner", "status %d", unreachable);
}

static void check_restarted_owner(const char *address) {
    struct owner dead = owner;
    uint64_t word = *word_of(2);
    owner_start(&owner, device, address, dead.generation + 1);
    owner_tell(&owner, "accept", ++registration);
    check(refused(registration, dead.key), "the key of an earlier start is refused", "it was not");
    struct rcmp_connection *connection = connect_as(RCMP_CLIENT);
    struct rcmp_completion add = atomic(connection, RCMP_FETCH_ADD, 2, 1, 0);
    check(add.status == RCMP_OK && add.result == word && *word_of(2) == word + 1, "a restarted owner has every byte", "status %u, %lu for %lu",
          add.status, add.result, word);
    rcmp_close(connection);
    owner_kill(&owner);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "owner") == 0) return owner_main(argc, argv);
    if (argc == 6 && strcmp(argv[1], "writer") == 0) {
        backend = argv[2];
        snprintf(owner.address, sizeof owner.address, "%s", argv[3]);
        owner.generation = strtoull(argv[4], NULL, 10);
        memset(owner.key, (int)owner.generation, sizeof owner.key);
        registration = strtoull(argv[5], NULL, 10);
        last_name = 5000;
        write_for_ever();
    }
    if (argc != 3) {
        fprintf(stderr, "usage: smoke DEVICE|FILE ADDRESS (tcp://host:port or verbs://address:port)\n");
        return 2;
    }
    device = argv[1];
    one_sided = strncmp(argv[2], "verbs", 5) == 0;
    backend = one_sided ? "verbs" : "tcp";
    signal(SIGPIPE, SIG_IGN);
    if (one_sided) {
        char why[256] = "";
        int available = rcmp_verbs_available(why, sizeof why);
        check(available == 1, "the backend is available", "%s", why);
        if (available != 1) return 1;
    }
    region_map(&region, device);
    region_format(&region);
    owner_start(&owner, device, argv[2], 3);
    owner_tell(&owner, "accept", registration);
    check_connecting();
    check_transfers();
    check_atomics();
    check_bounds();
    check_stopped_owner();
    check_fences();
    check_killed_client();
    check_killed_owner();
    check_restarted_owner(argv[2]);
    return failures == 0 ? 0 : 1;
}
