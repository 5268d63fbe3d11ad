/* Random requests against the tcp server, in one process, to be built with sanitizers: fuzz SEED CONNECTIONS PAGE_SHIFT.
   The region's parts are allocated apart and to the byte, so that an access beside one of them is found. */
#define _GNU_SOURCE
#include "tcp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAMES 8
#define ENTRIES 64
#define SLOTS 32

static uint64_t state;

static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint32_t below(uint32_t limit) { return (uint32_t)(next() >> 33) % limit; }

static void check(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static void *aligned(size_t bytes) {
    void *memory = aligned_alloc(64, bytes);
    check(memory != NULL, "memory");
    memset(memory, 0, bytes);
    return memory;
}

static int dial(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    check(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect");
    struct timeval patience = {.tv_usec = 20000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

static bool push(int fd, const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    while (length != 0) {
        size_t piece = below(3) == 0 ? 1 + below(97) : length;
        ssize_t sent = send(fd, at, piece < length ? piece : length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* What leaves together: nothing, one request or many, in any case when it is full. */
static uint8_t gathered[256 << 10];
static size_t gathered_bytes;

static bool push_gathered(int fd) {
    size_t length = gathered_bytes;
    gathered_bytes = 0;
    return push(fd, gathered, length);
}

static bool gather(int fd, const void *bytes, size_t length, bool often) {
    if (gathered_bytes + length > sizeof gathered && !push_gathered(fd))
        return false;
    if (length > sizeof gathered)
        return push(fd, bytes, length);
    memcpy(gathered + gathered_bytes, bytes, length);
    gathered_bytes += length;
    return (often ? below(2) : below(20)) != 0 || push_gathered(fd);
}

static void drain(int fd) {
    uint8_t bytes[65536];
    for (int i = 0; i < 40 && recv(fd, bytes, sizeof bytes, 0) > 0; i++) {
    }
}

static struct tcp_greeting greeting_of(const uint8_t *key) {
    struct tcp_greeting greeting = {.magic = TCP_MAGIC};
    memcpy(greeting.hello.key, key, RCMP_KEY_BYTES);
    greeting.hello.name = next() | 1;
    greeting.hello.registration = 1;
    greeting.hello.holder_generation = 3;
    greeting.hello.owner_generation = 7;
    greeting.hello.holder_rack = 2;
    greeting.hello.owner_rack = 1;
    greeting.hello.magic = RCMP_HELLO_MAGIC;
    greeting.hello.version = RCMP_FABRIC_VERSION;
    greeting.hello.role = (uint8_t)(1 + below(2));
    return greeting;
}

static void damage(void *bytes, size_t from, size_t size) { ((uint8_t *)bytes)[from + below((uint32_t)(size - from))] ^= (uint8_t)(1u << below(8)); }

static void one_connection(int port, const uint8_t *key, uint32_t page_size) {
    int fd = dial(port);
    struct tcp_greeting greeting = greeting_of(key);
    if (below(8) == 0)
        damage(&greeting, 0, sizeof greeting);
    bool often = below(2) == 0;
    gathered_bytes = 0;
    bool open = push(fd, &greeting, below(20) == 0 ? below(sizeof greeting) : sizeof greeting);
    uint8_t *payload = malloc((size_t)page_size + 64);
    check(payload != NULL, "memory");
    memset(payload, 0x5A, (size_t)page_size + 64);
    for (uint32_t count = 1 + below(60); open && count != 0; count--) {
        uint32_t lengths[] = {8, below(page_size + 64), page_size, (uint32_t)next()};
        uint32_t offsets[] = {0, below(page_size + 64), (uint32_t)next()};
        struct tcp_request request = {.op = below(9), .length = lengths[below(4)], .offset = offsets[below(3)], .page = below(12), .frame = below(10)};
        request.epoch_low = (uint32_t)request.page;
        request.tag = count;
        request.operand = next();
        memcpy(request.key, key, RCMP_KEY_BYTES);
        if (below(6) == 0)
            damage(&request, RCMP_KEY_BYTES, sizeof request);
        if (below(80) == 0)
            damage(&request, 0, RCMP_KEY_BYTES);
        open = gather(fd, &request, sizeof request, often);
        if (open && request.op == RCMP_WRITE && request.length <= page_size + 64)
            open = gather(fd, payload, below(12) == 0 ? below(page_size) : request.length, often);
        if (below(4) == 0)
            drain(fd);
    }
    /* All of the rest, or half of it. */
    if (open && below(4) == 0)
        gathered_bytes /= 2;
    if (open)
        push_gathered(fd);
    if (below(2) == 0)
        drain(fd);
    free(payload);
    close(fd);
}

/* A right request is answered: the server lives, and lets others in. */
static void verify(const char *address, const uint8_t *key, const struct rcmp_link *link) {
    struct rcmp_connect_options options = {.address = address, .link = *link, .name = next() | 1, .timeout_ns = 5000000000ll, .role = RCMP_CLIENT};
    memcpy(options.key, key, RCMP_KEY_BYTES);
    struct rcmp_connection *connection;
    char error[256] = "";
    check(rcmp_connect(&options, &connection, error, sizeof error) == RCMP_CONNECTED, error);
    uint8_t bytes[64];
    struct rcmp_request request = {.op = RCMP_READ, .page = 2, .epoch_low = 2, .frame = 1, .length = sizeof bytes, .buffer = bytes, .token = 9};
    struct rcmp_completion completion;
    check(rcmp_post(connection, &request) == 1, "post");
    check(rcmp_wait(connection, &completion, 1, 0, 5000000000ll) == 1 && completion.status == RCMP_OK, "a right request was not served");
    rcmp_close(connection);
}

int main(int count, char **arguments) {
    check(count == 4, "usage: fuzz SEED CONNECTIONS PAGE_SHIFT");
    state = strtoull(arguments[1], NULL, 10) | 1;
    int connections = atoi(arguments[2]);
    uint32_t page_shift = (uint32_t)atoi(arguments[3]);
    struct rcmp_region_view view = {
        .session = aligned(sizeof(struct rcmp_session_header) + SLOTS * sizeof(struct rcmp_guard_slot)),
        .page_table = aligned(ENTRIES * sizeof(struct rcmp_page_entry)),
        .references = aligned(ENTRIES),
        .frame_table = aligned(FRAMES * sizeof(struct rcmp_frame_row)),
        .frames = aligned((size_t)FRAMES << page_shift),
        .page_table_mask = ENTRIES - 1,
        .frame_count = FRAMES,
        .page_shift = page_shift,
        .slot_count = SLOTS,
    };
    for (uint64_t page = 1; page <= FRAMES; page++) {
        struct rcmp_page_entry *entry = &view.page_table[rcmp_natural_entry(page, ENTRIES - 1)];
        entry->page = page;
        entry->location = RCMP_LOCATION_RESIDENT_BIT | (uint64_t)RCMP_RESIDENT << RCMP_LOCATION_KIND_SHIFT | page << RCMP_LOCATION_EPOCH_SHIFT | (page - 1);
    }
    struct rcmp_server_options options = {.address = "tcp://127.0.0.1:0", .spin_ns = 10000, .service_threads = 2, .max_connections = 16};
    for (int i = 0; i < RCMP_KEY_BYTES; i++)
        options.key[i] = (uint8_t)next();
    struct rcmp_server *server;
    char address[128], error[256] = "";
    check(rcmp_expose(&options, &view, &server, address, sizeof address, error, sizeof error) == RCMP_EXPOSED, error);
    struct rcmp_link link = {.owner_generation = 7, .holder_generation = 3, .registration = 1, .owner_rack = 1, .holder_rack = 2};
    rcmp_server_accept(server, &link);
    int port = atoi(strrchr(address, ':') + 1);
    for (int i = 0; i < connections; i++) {
        one_connection(port, options.key, 1u << page_shift);
        if (i % 100 == 0)
            verify(address, options.key, &link);
    }
    verify(address, options.key, &link);
    rcmp_server_close(server);
    free(view.session);
    free(view.page_table);
    free(view.references);
    free(view.frame_table);
    free(view.frames);
    return 0;
}
