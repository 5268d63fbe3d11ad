/* The local backend: servers of this process by name. An operation runs in the asking thread, in rcmp_post, with a guard slot of the
   served region's session 0. */
#include "fabric.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_MAX_BYTES 128
/* As many operations run at once on one region; more take turns. */
#define SLOTS_MOST 16

struct local_connection;

struct local_server {
    struct rcmp_server base;
    char name[NAME_MAX_BYTES];
    struct local_server *next;
    struct local_connection *connections;
    uint32_t connected;
    uint32_t holders; /* the registry and each connection */
    struct {
        uint32_t busy;
        uint8_t padding[RCMP_CACHE_LINE - sizeof(uint32_t)];
    } slots[SLOTS_MOST];
};

struct local_connection {
    struct rcmp_connection base;
    struct local_server *server;
    struct local_connection *next, *previous;
    struct rcmp_hello hello;
    uint32_t busy, dead;
    uint64_t head, tail;
    struct rcmp_completion window[RCMP_WINDOW];
};

/* Guards the registry, the servers' lists and their counts; never held during an operation. */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct local_server *registry;

static void server_drop(struct local_server *server) {
    if (--server->holders == 0)
        free(server);
}

static struct local_server *server_find(const char *name) {
    struct local_server *server = registry;
    while (server != NULL && strcmp(server->name, name) != 0)
        server = server->next;
    return server;
}

static void connection_unlink(struct local_connection *connection) {
    struct local_server *server = connection->server;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else if (server->connections == connection)
        server->connections = connection->next;
    else
        return;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    connection->next = connection->previous = NULL;
    server->connected--;
}

/* Either the operation sees dead, or this sees busy: both stores and both loads are sequentially consistent. */
static void connection_kill(struct local_connection *connection) {
    __atomic_store_n(&connection->dead, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&connection->busy, __ATOMIC_SEQ_CST) != 0)
        sched_yield();
    connection_unlink(connection);
}

static void local_destroy(struct rcmp_server *base, const struct rcmp_filter *filter) {
    struct local_server *server = (struct local_server *)base;
    pthread_mutex_lock(&registry_lock);
    for (struct local_connection *connection = server->connections, *next; connection != NULL; connection = next) {
        next = connection->next;
        if (rcmp_filter_matches(filter, &connection->hello))
            connection_kill(connection);
    }
    pthread_mutex_unlock(&registry_lock);
}

static void local_close_server(struct rcmp_server *base) {
    struct local_server *server = (struct local_server *)base;
    local_destroy(base, &(struct rcmp_filter){.kind = RCMP_FILTER_ALL});
    pthread_mutex_lock(&registry_lock);
    for (struct local_server **at = &registry; *at != NULL; at = &(*at)->next) {
        if (*at == server) {
            *at = server->next;
            break;
        }
    }
    /* One that connected between the two locks. */
    while (server->connections != NULL)
        connection_kill(server->connections);
    rcmp_server_fini(base);
    server_drop(server);
    pthread_mutex_unlock(&registry_lock);
}

static const struct rcmp_server_ops local_server_ops = {local_destroy, local_close_server};

int rcmp_local_expose(const struct rcmp_server_options *options, const struct rcmp_region_view *view, struct rcmp_server **result,
                      char *address_out, size_t address_size, char *error, size_t error_size) {
    const char *name = options->address + strlen("local://");
    if (*name == 0 || strlen(name) >= NAME_MAX_BYTES) {
        rcmp_fail(error, error_size, "write local://name, with a name of 1 to %d bytes", NAME_MAX_BYTES - 1);
        return RCMP_BAD_ADDRESS;
    }
    struct local_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return RCMP_NO_RESOURCES;
    int status = RCMP_NO_RESOURCES;
    for (uint32_t slots = SLOTS_MOST; slots != 0 && status != RCMP_EXPOSED; slots /= 2)
        status = rcmp_server_init(&server->base, &local_server_ops, options, view, slots, error, error_size);
    if (status != RCMP_EXPOSED) {
        free(server);
        return status;
    }
    strcpy(server->name, name);
    pthread_mutex_lock(&registry_lock);
    bool taken = server_find(name) != NULL;
    if (!taken) {
        server->holders = 1;
        server->next = registry;
        registry = server;
    }
    pthread_mutex_unlock(&registry_lock);
    if (taken) {
        rcmp_fail(error, error_size, "another region of this process has that name");
        rcmp_server_fini(&server->base);
        free(server);
        return RCMP_ADDRESS_IN_USE;
    }
    snprintf(address_out, address_size, "%s", options->address);
    *result = &server->base;
    return RCMP_EXPOSED;
}

/* A free slot; operations are short, so one that is taken is soon free. */
static uint32_t slot_acquire(struct local_server *server, uint32_t start) {
    for (uint32_t tries = 0;; tries++) {
        uint32_t index = (start + tries) % server->base.slot_count;
        if (__atomic_load_n(&server->slots[index].busy, __ATOMIC_RELAXED) == 0 &&
            __atomic_exchange_n(&server->slots[index].busy, 1, __ATOMIC_ACQUIRE) == 0)
            return index;
        if (index + 1 == server->base.slot_count)
            sched_yield();
    }
}

static int local_post(struct rcmp_connection *base, const struct rcmp_request *request) {
    struct local_connection *connection = (struct local_connection *)base;
    struct local_server *server = connection->server;
    if (connection->tail - connection->head == RCMP_WINDOW)
        return 0;
    __atomic_store_n(&connection->busy, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&connection->dead, __ATOMIC_SEQ_CST) != 0) {
        __atomic_store_n(&connection->busy, 0, __ATOMIC_RELEASE);
        return 0;
    }
    struct rcmp_operation operation = {.op = request->op,
                                       .role = connection->hello.role,
                                       .page = request->page,
                                       .epoch_low = request->epoch_low,
                                       .frame = request->frame,
                                       .offset = request->offset,
                                       .length = request->length,
                                       .operand = request->operand,
                                       .comparand = request->comparand};
    struct rcmp_completion *completion = &connection->window[connection->tail++ % RCMP_WINDOW];
    completion->token = request->token;
    uint32_t slot = slot_acquire(server, (uint32_t)(connection->hello.name % server->base.slot_count));
    completion->status = rcmp_execute(&server->base, rcmp_server_slot(&server->base, slot), &operation, request->buffer, &completion->result);
    __atomic_store_n(&server->slots[slot].busy, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&connection->busy, 0, __ATOMIC_RELEASE);
    return 1;
}

static int local_wait(struct rcmp_connection *base, struct rcmp_completion *completions, int max, int64_t spin_ns, int64_t timeout_ns) {
    struct local_connection *connection = (struct local_connection *)base;
    int count = 0;
    (void)spin_ns;
    (void)timeout_ns;
    while (count < max && connection->head != connection->tail)
        completions[count++] = connection->window[connection->head++ % RCMP_WINDOW];
    return count;
}

static void local_flush(struct rcmp_connection *base) { (void)base; }

static int local_usable(struct rcmp_connection *base) {
    return __atomic_load_n(&((struct local_connection *)base)->dead, __ATOMIC_ACQUIRE) == 0;
}

static void local_close(struct rcmp_connection *base) {
    struct local_connection *connection = (struct local_connection *)base;
    pthread_mutex_lock(&registry_lock);
    connection_unlink(connection);
    server_drop(connection->server);
    pthread_mutex_unlock(&registry_lock);
    free(connection);
}

static const struct rcmp_connection_ops local_connection_ops = {local_flush, local_post, local_wait, local_usable, local_close};

int rcmp_local_connect(const struct rcmp_connect_options *options, struct rcmp_connection **result, char *error, size_t error_size) {
    const char *name = options->address + strlen("local://");
    struct local_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        rcmp_fail(error, error_size, "no memory");
        return RCMP_UNREACHABLE;
    }
    rcmp_hello_fill(&connection->hello, options);
    connection->base.ops = &local_connection_ops;
    pthread_mutex_lock(&registry_lock);
    struct local_server *server = server_find(name);
    enum rcmp_refusal refusal = RCMP_ADMITTED;
    if (server != NULL) {
        refusal = rcmp_admit(&server->base, &connection->hello);
        if (refusal == RCMP_ADMITTED && server->connected >= server->base.max_connections)
            refusal = RCMP_TOO_MANY;
        rcmp_count(refusal == RCMP_ADMITTED ? &server->base.counters.connections : &server->base.counters.refused, 1);
    }
    bool open = server != NULL && refusal == RCMP_ADMITTED;
    if (open) {
        connection->server = server;
        connection->next = server->connections;
        if (server->connections != NULL)
            server->connections->previous = connection;
        server->connections = connection;
        server->connected++;
        server->holders++;
    }
    pthread_mutex_unlock(&registry_lock);
    if (open) {
        *result = &connection->base;
        return RCMP_CONNECTED;
    }
    free(connection);
    rcmp_fail(error, error_size, "%s", server == NULL ? "no region of this process has that name" : rcmp_refusal_text(refusal));
    return server == NULL ? RCMP_UNREACHABLE : RCMP_CONNECT_REFUSED;
}
