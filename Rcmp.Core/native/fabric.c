/* The one API over the backends, and what they share: registrations, guard slots of session 0, addresses. */
#define _GNU_SOURCE
#include "fabric.h"

#include <linux/membarrier.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

void rcmp_fail(char *error, size_t size, const char *format, ...) {
    if (error == NULL || size == 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, size, format, arguments);
    va_end(arguments);
}

/* Guard slots in use, per session header: a region may be served over two backends at once. */
#define SLOTS_TRACKED 1024
struct slot_owner {
    struct rcmp_session_header *session;
    uint8_t used[SLOTS_TRACKED];
    uint32_t in_use;
    struct slot_owner *next;
};
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot_owner *slot_owners;

static struct slot_owner *slot_owner_of(struct rcmp_session_header *session) {
    struct slot_owner *owner = slot_owners;
    while (owner != NULL && owner->session != session)
        owner = owner->next;
    if (owner == NULL && (owner = calloc(1, sizeof *owner)) != NULL) {
        owner->session = session;
        owner->next = slot_owners;
        slot_owners = owner;
    }
    return owner;
}

/* Takes count neighbouring slots; returns the first or -1. */
static int slots_take(const struct rcmp_region_view *view, uint32_t count) {
    int first = -1;
    uint32_t end = view->slot_count < SLOTS_TRACKED ? view->slot_count : SLOTS_TRACKED;
    pthread_mutex_lock(&slots_lock);
    struct slot_owner *owner = slot_owner_of(view->session);
    for (uint32_t at = view->first_slot, run = 0; owner != NULL && at < end && first < 0; at++) {
        run = owner->used[at] ? 0 : run + 1;
        if (run == count)
            first = (int)(at + 1 - count);
    }
    if (first >= 0) {
        memset(owner->used + first, 1, count);
        owner->in_use += count;
        /* The daemon scans no further than this. */
        uint32_t used = __atomic_load_n(&view->session->slots_used, __ATOMIC_RELAXED);
        uint32_t need = (uint32_t)first + count;
        while (used < need &&
               !__atomic_compare_exchange_n(&view->session->slots_used, &used, need, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        }
    }
    pthread_mutex_unlock(&slots_lock);
    return first;
}

static void slots_give(struct rcmp_session_header *session, uint32_t first, uint32_t count) {
    pthread_mutex_lock(&slots_lock);
    for (struct slot_owner **at = &slot_owners; *at != NULL; at = &(*at)->next) {
        struct slot_owner *owner = *at;
        if (owner->session != session)
            continue;
        memset(owner->used + first, 0, count);
        owner->in_use -= count;
        if (owner->in_use == 0) {
            *at = owner->next;
            free(owner);
        }
        break;
    }
    pthread_mutex_unlock(&slots_lock);
}

int rcmp_server_init(struct rcmp_server *server, const struct rcmp_server_ops *ops, const struct rcmp_server_options *options,
                     const struct rcmp_region_view *view, uint32_t slots, char *error, size_t error_size) {
    int first = slots_take(view, slots);
    if (first < 0) {
        rcmp_fail(error, error_size, "%u service threads need as many free guard slots in session 0, which has %u", slots, view->slot_count);
        return RCMP_NO_RESOURCES;
    }
    /* The movers' barrier orders our service threads too, or they pay for a fence on each operation. */
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) != 0)
        __atomic_store_n(&view->session->uses_fence, 1, __ATOMIC_SEQ_CST);
    server->ops = ops;
    server->view = *view;
    memcpy(server->key, options->key, RCMP_KEY_BYTES);
    server->spin_ns = options->spin_ns;
    server->threads = options->service_threads;
    server->max_connections = options->max_connections;
    server->slot_first = (uint32_t)first;
    server->slot_count = slots;
    pthread_mutex_init(&server->lock, NULL);
    return RCMP_EXPOSED;
}

void rcmp_server_fini(struct rcmp_server *server) {
    slots_give(server->view.session, server->slot_first, server->slot_count);
    pthread_mutex_destroy(&server->lock);
}

struct rcmp_guard_slot *rcmp_server_slot(struct rcmp_server *server, uint32_t index) {
    return (struct rcmp_guard_slot *)(server->view.session + 1) + server->slot_first + index;
}

void rcmp_hello_fill(struct rcmp_hello *hello, const struct rcmp_connect_options *options) {
    memset(hello, 0, sizeof *hello);
    memcpy(hello->key, options->key, RCMP_KEY_BYTES);
    hello->name = options->name;
    hello->registration = options->link.registration;
    hello->holder_generation = options->link.holder_generation;
    hello->owner_generation = options->link.owner_generation;
    hello->holder_rack = (uint16_t)options->link.holder_rack;
    hello->owner_rack = (uint16_t)options->link.owner_rack;
    hello->magic = RCMP_HELLO_MAGIC;
    hello->version = RCMP_FABRIC_VERSION;
    hello->role = (uint8_t)options->role;
}

/* In time that does not depend on where they differ. */
bool rcmp_key_equal(const uint8_t *a, const uint8_t *b) {
    uint8_t difference = 0;
    for (int i = 0; i < RCMP_KEY_BYTES; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}

enum rcmp_refusal rcmp_admit(struct rcmp_server *server, const struct rcmp_hello *hello) {
    if (hello->magic != RCMP_HELLO_MAGIC)
        return RCMP_NOT_OURS;
    if (hello->version != RCMP_FABRIC_VERSION)
        return RCMP_WRONG_VERSION;
    if (!rcmp_key_equal(hello->key, server->key))
        return RCMP_WRONG_KEY;
    if (hello->holder_rack >= RCMP_RACKS || hello->name == 0 || (hello->role != RCMP_CLIENT && hello->role != RCMP_DAEMON))
        return RCMP_NOT_OURS;
    pthread_mutex_lock(&server->lock);
    struct rcmp_registration current = server->registrations[hello->holder_rack];
    pthread_mutex_unlock(&server->lock);
    if (!current.active || current.link.holder_generation != hello->holder_generation ||
        current.link.registration != hello->registration)
        return RCMP_NOT_REGISTERED;
    return current.link.owner_rack == hello->owner_rack && current.link.owner_generation == hello->owner_generation ? RCMP_ADMITTED
                                                                                                                    : RCMP_WRONG_OWNER;
}

const char *rcmp_refusal_text(enum rcmp_refusal refusal) {
    switch (refusal) {
    case RCMP_ADMITTED:
        return "admitted";
    case RCMP_NOT_OURS:
        return "the owner did not understand the introduction";
    case RCMP_WRONG_VERSION:
        return "the owner speaks another version of the fabric protocol";
    case RCMP_WRONG_KEY:
        return "the key is not the owner's";
    case RCMP_WRONG_OWNER:
        return "another rack, or another generation of it, answers there";
    case RCMP_NOT_REGISTERED:
        return "the registration is not, or no longer, the current one";
    case RCMP_TOO_MANY:
        return "the owner has no room for another connection (its rcmp.fabric.max-connections)";
    }
    return "refused";
}

bool rcmp_filter_matches(const struct rcmp_filter *filter, const struct rcmp_hello *hello) {
    switch (filter->kind) {
    case RCMP_FILTER_ALL:
        return true;
    case RCMP_FILTER_RACK:
        return hello->holder_rack == filter->rack && !(filter->keep && hello->holder_generation == filter->keep_generation &&
                                                       hello->registration == filter->keep_registration);
    case RCMP_FILTER_NAMES:
        for (int i = 0; i < filter->count; i++) {
            if (filter->names[i] == hello->name)
                return true;
        }
        return false;
    }
    return false;
}

bool rcmp_split_address(const char *rest, char *host, size_t host_size, char *port, size_t port_size) {
    const char *colon = strrchr(rest, ':');
    if (colon == NULL || colon == rest || colon[1] == 0 || strlen(colon + 1) >= port_size)
        return false;
    const char *start = rest, *end = colon;
    if (*start == '[' && end[-1] == ']') {
        start++;
        end--;
    }
    if (end <= start || (size_t)(end - start) >= host_size)
        return false;
    char *stop;
    long number = strtol(colon + 1, &stop, 10);
    if (*stop != 0 || number < 0 || number > 65535)
        return false;
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = 0;
    strcpy(port, colon + 1);
    return true;
}

typedef int (*expose_call)(const struct rcmp_server_options *, const struct rcmp_region_view *, struct rcmp_server **, char *, size_t,
                           char *, size_t);
typedef int (*connect_call)(const struct rcmp_connect_options *, struct rcmp_connection **, char *, size_t);

static const struct backend {
    const char *scheme;
    expose_call expose;
    connect_call connect;
} backends[] = {
    {"tcp://", rcmp_tcp_expose, rcmp_tcp_connect},
    {"verbs://", rcmp_verbs_expose, rcmp_verbs_connect},
    {"local://", rcmp_local_expose, rcmp_local_connect},
};

static const struct backend *backend_of(const char *address) {
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        if (strncmp(address, backends[i].scheme, strlen(backends[i].scheme)) == 0)
            return &backends[i];
    }
    return NULL;
}

int rcmp_expose(const struct rcmp_server_options *options, const struct rcmp_region_view *view, struct rcmp_server **server,
                char *address_out, size_t address_size, char *error, size_t error_size) {
    *server = NULL;
    const struct backend *backend = backend_of(options->address);
    if (backend == NULL) {
        rcmp_fail(error, error_size, "the address must begin with tcp://, verbs:// or local://");
        return RCMP_BAD_ADDRESS;
    }
    return backend->expose(options, view, server, address_out, address_size, error, error_size);
}

void rcmp_server_accept(struct rcmp_server *server, const struct rcmp_link *link) {
    if (link->holder_rack >= RCMP_RACKS)
        return;
    struct rcmp_registration *current = &server->registrations[link->holder_rack];
    pthread_mutex_lock(&server->lock);
    bool known = current->active && memcmp(&current->link, link, sizeof *link) == 0;
    if (!known)
        current->active = false;
    pthread_mutex_unlock(&server->lock);
    if (known)
        return;
    struct rcmp_filter older = {.kind = RCMP_FILTER_RACK,
                                .rack = link->holder_rack,
                                .keep = true,
                                .keep_generation = link->holder_generation,
                                .keep_registration = link->registration};
    server->ops->destroy(server, &older);
    pthread_mutex_lock(&server->lock);
    *current = (struct rcmp_registration){true, *link};
    pthread_mutex_unlock(&server->lock);
}

void rcmp_server_fence(struct rcmp_server *server, uint32_t rack) {
    if (rack >= RCMP_RACKS)
        return;
    pthread_mutex_lock(&server->lock);
    server->registrations[rack].active = false;
    pthread_mutex_unlock(&server->lock);
    struct rcmp_filter filter = {.kind = RCMP_FILTER_RACK, .rack = rack};
    server->ops->destroy(server, &filter);
}

void rcmp_server_destroy(struct rcmp_server *server, const uint64_t *names, int count) {
    struct rcmp_filter filter = {.kind = RCMP_FILTER_NAMES, .names = names, .count = count};
    if (count > 0)
        server->ops->destroy(server, &filter);
}

void rcmp_server_counters(struct rcmp_server *server, struct rcmp_counters *counters) {
    const int64_t *from = (const int64_t *)&server->counters;
    int64_t *to = (int64_t *)counters;
    for (size_t i = 0; i < sizeof *counters / sizeof *to; i++)
        to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
}

void rcmp_server_close(struct rcmp_server *server) { server->ops->close(server); }

int rcmp_connect(const struct rcmp_connect_options *options, struct rcmp_connection **connection, char *error, size_t error_size) {
    *connection = NULL;
    const struct backend *backend = backend_of(options->address);
    if (backend == NULL) {
        rcmp_fail(error, error_size, "the address must begin with tcp://, verbs:// or local://");
        return RCMP_NOT_SUPPORTED;
    }
    return backend->connect(options, connection, error, error_size);
}

int rcmp_post(struct rcmp_connection *connection, const struct rcmp_request *request) { return connection->ops->post(connection, request); }

void rcmp_flush(struct rcmp_connection *connection) { connection->ops->flush(connection); }

int rcmp_wait(struct rcmp_connection *connection, struct rcmp_completion *completions, int max, int64_t spin_ns, int64_t timeout_ns) {
    return connection->ops->wait(connection, completions, max, spin_ns, timeout_ns);
}

int rcmp_exchange(struct rcmp_connection *connection, const struct rcmp_request *requests, int count, int *posted,
                  struct rcmp_completion *completions, int max, int64_t spin_ns, int64_t timeout_ns) {
    for (*posted = 0; *posted < count && connection->ops->post(connection, requests + *posted) != 0; (*posted)++) {
    }
    return connection->ops->wait(connection, completions, max, spin_ns, timeout_ns);
}

int rcmp_usable(struct rcmp_connection *connection) { return connection->ops->usable(connection); }

void rcmp_close(struct rcmp_connection *connection) { connection->ops->close(connection); }
