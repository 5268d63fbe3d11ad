/* What the backends of the fabric share. Internal to the shim. */
#ifndef RCMP_FABRIC_H
#define RCMP_FABRIC_H

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "rcmpshim.h"

#define RCMP_RACKS 4096
#define RCMP_HELLO_MAGIC 0x5243u
#define RCMP_FABRIC_VERSION 1
#define RCMP_CACHE_LINE 64

/* The introduction of a connection: the first bytes over tcp, the private data of a connection request over verbs (56 bytes are what
   RDMA_PS_TCP leaves). */
struct rcmp_hello {
    uint8_t key[RCMP_KEY_BYTES];
    uint64_t name;
    uint64_t registration;
    uint64_t holder_generation;
    uint64_t owner_generation;
    uint16_t holder_rack;
    uint16_t owner_rack;
    uint16_t magic;
    uint8_t version;
    uint8_t role;
};
_Static_assert(sizeof(struct rcmp_hello) == 56, "private data of rdma_connect");

enum rcmp_refusal {
    RCMP_ADMITTED = 0,
    RCMP_NOT_OURS,
    RCMP_WRONG_VERSION,
    RCMP_WRONG_KEY,
    RCMP_WRONG_OWNER,
    RCMP_NOT_REGISTERED,
    RCMP_TOO_MANY,
};

/* Which connections to destroy. */
struct rcmp_filter {
    enum { RCMP_FILTER_ALL, RCMP_FILTER_RACK, RCMP_FILTER_NAMES } kind;
    uint32_t rack;
    bool keep; /* of the rack, spare those of this generation and registration */
    uint64_t keep_generation;
    uint64_t keep_registration;
    const uint64_t *names;
    int count;
};

struct rcmp_registration {
    bool active;
    struct rcmp_link link;
};

struct rcmp_server_ops {
    void (*destroy)(struct rcmp_server *server, const struct rcmp_filter *filter);
    void (*close)(struct rcmp_server *server);
};

/* The head of every backend's server. */
struct rcmp_server {
    const struct rcmp_server_ops *ops;
    struct rcmp_region_view view;
    uint8_t key[RCMP_KEY_BYTES];
    int64_t spin_ns;
    uint32_t threads;
    uint32_t max_connections;
    uint32_t slot_first; /* the guard slots taken, by index in session 0 */
    uint32_t slot_count;
    pthread_mutex_t lock; /* registrations */
    struct rcmp_registration registrations[RCMP_RACKS];
    struct rcmp_counters counters;
};

struct rcmp_connection_ops {
    void (*flush)(struct rcmp_connection *connection);
    int (*post)(struct rcmp_connection *connection, const struct rcmp_request *request);
    int (*wait)(struct rcmp_connection *connection, struct rcmp_completion *completions, int max, int64_t spin_ns, int64_t timeout_ns);
    int (*usable)(struct rcmp_connection *connection);
    void (*close)(struct rcmp_connection *connection);
};

/* The head of every backend's connection. */
struct rcmp_connection {
    const struct rcmp_connection_ops *ops;
};

/* One operation as the owner executes it. */
struct rcmp_operation {
    uint32_t op;
    uint32_t role;
    uint64_t page;
    uint32_t epoch_low;
    uint32_t frame;
    uint32_t offset;
    uint32_t length;
    uint64_t operand;
    uint64_t comparand;
};

/* fabric.c */
void rcmp_fail(char *error, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int rcmp_server_init(struct rcmp_server *server, const struct rcmp_server_ops *ops, const struct rcmp_server_options *options,
                     const struct rcmp_region_view *view, uint32_t slots, char *error, size_t error_size);
void rcmp_server_fini(struct rcmp_server *server);
struct rcmp_guard_slot *rcmp_server_slot(struct rcmp_server *server, uint32_t index);
void rcmp_hello_fill(struct rcmp_hello *hello, const struct rcmp_connect_options *options);
enum rcmp_refusal rcmp_admit(struct rcmp_server *server, const struct rcmp_hello *hello);
const char *rcmp_refusal_text(enum rcmp_refusal refusal);
bool rcmp_key_equal(const uint8_t *a, const uint8_t *b);
bool rcmp_filter_matches(const struct rcmp_filter *filter, const struct rcmp_hello *hello);
/* host:port of an address behind its scheme; IPv6 in brackets. */
bool rcmp_split_address(const char *rest, char *host, size_t host_size, char *port, size_t port_size);

/* guarded.c */
uint32_t rcmp_execute(struct rcmp_server *server, struct rcmp_guard_slot *slot, const struct rcmp_operation *operation, uint8_t *buffer,
                      uint64_t *result);
uint32_t rcmp_check(const struct rcmp_operation *operation, uint64_t frame_count, uint32_t page_shift);
/* The bytes of a READ or PULL_FRAME where they are. With RCMP_OK the guard is set until rcmp_take_back, and nobody may look at them after it. */
struct rcmp_lent {
    uint8_t *memory;
    int64_t entry; /* of the page table; -1: there is no guard */
};
uint32_t rcmp_lend(struct rcmp_server *server, struct rcmp_guard_slot *slot, const struct rcmp_operation *operation, struct rcmp_lent *lent);
void rcmp_take_back(struct rcmp_server *server, struct rcmp_guard_slot *slot, const struct rcmp_lent *lent);
void rcmp_copy_out(uint8_t *to, const uint8_t *from, uint32_t length);

/* The backends. */
int rcmp_tcp_expose(const struct rcmp_server_options *options, const struct rcmp_region_view *view, struct rcmp_server **server,
                    char *address_out, size_t address_size, char *error, size_t error_size);
int rcmp_tcp_connect(const struct rcmp_connect_options *options, struct rcmp_connection **connection, char *error, size_t error_size);
int rcmp_local_expose(const struct rcmp_server_options *options, const struct rcmp_region_view *view, struct rcmp_server **server,
                      char *address_out, size_t address_size, char *error, size_t error_size);
int rcmp_local_connect(const struct rcmp_connect_options *options, struct rcmp_connection **connection, char *error, size_t error_size);
int rcmp_verbs_expose(const struct rcmp_server_options *options, const struct rcmp_region_view *view, struct rcmp_server **server,
                      char *address_out, size_t address_size, char *error, size_t error_size);
int rcmp_verbs_connect(const struct rcmp_connect_options *options, struct rcmp_connection **connection, char *error, size_t error_size);

static inline int64_t rcmp_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline void rcmp_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static inline void rcmp_count(int64_t *counter, int64_t by) { __atomic_fetch_add(counter, by, __ATOMIC_RELAXED); }

static inline bool rcmp_is_atomic(uint32_t op) { return op >= RCMP_EXCHANGE && op <= RCMP_FETCH_ADD; }

/* Bytes that follow an OK answer. */
static inline uint32_t rcmp_answer_bytes(uint32_t op, uint32_t length) {
    return op == RCMP_READ || op == RCMP_PULL_FRAME || op == RCMP_READ_ROW ? length : 0;
}

/* A deadline that does not wrap, however long the wait. */
static inline int64_t rcmp_deadline(int64_t now, int64_t timeout_ns) {
    return timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

#endif
