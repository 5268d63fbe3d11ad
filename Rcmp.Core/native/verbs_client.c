/* The asking side of verbs. Bytes go one-sided, through a registered bounce buffer of the connection; atomics, 8-byte accesses and rows go
   as messages to the owner's service thread. A write is followed by a read on the same queue pair, in one doorbell: when that read is
   back, the write is visible to the owner's CPU. */
#define _GNU_SOURCE
#include "verbs.h"

#ifdef RCMP_HAVE_VERBS

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>

#define BULK_BYTES_MAX (16u << 20)
#define BULK_SLOTS_MIN 4
#define READBACK_BYTES 8
/* Two per request, and as many again that have been answered but not reaped. */
#define SENDS (4 * RCMP_WINDOW)
#define COMPLETIONS (SENDS + RCMP_WINDOW)
#define POLL_BATCH 16
/* As in tcp: whether the owner has hung up is asked before the first request after a pause. */
#define PAUSE_NS 1000000ll

enum work { WORK_BULK = 1, WORK_WRITE, WORK_SEND, WORK_RECEIVE };
#define WORK_BITS 3

struct entry {
    bool used;
    bool message; /* answered by the service thread */
    uint32_t op;
    uint32_t length;
    uint32_t tag;
    int bulk;
    uint8_t *buffer;
    uint64_t token;
};

/* What the device reads and writes, in one registration. */
struct exchange {
    struct verbs_request requests[RCMP_WINDOW];
    struct verbs_answer answers[RCMP_WINDOW];
    uint8_t readback[RCMP_WINDOW][READBACK_BYTES];
    uint8_t bulk[];
};

struct verbs_client {
    struct rcmp_connection base;
    const struct verbs_library *verbs;
    struct rdma_event_channel *events;
    struct rdma_cm_id *id;
    struct ibv_pd *pd;
    struct ibv_comp_channel *channel;
    struct ibv_cq *cq;
    struct ibv_mr *mr;
    struct exchange *exchange;
    size_t exchange_bytes;
    struct verbs_welcome owner;
    uint32_t role;
    uint32_t inline_bytes;
    uint32_t bulk_slots;
    uint64_t bulk_used;
    bool broken;
    uint32_t break_status;
    uint32_t in_flight;
    uint32_t next_tag;
    int64_t last;
    struct entry window[RCMP_WINDOW];
    uint32_t refused_count;
    struct rcmp_completion refused[RCMP_WINDOW]; /* ended without being sent */
};

static uint8_t *bulk_at(struct verbs_client *client, int slot) {
    return client->exchange->bulk + ((size_t)slot << client->owner.page_shift);
}

static void break_off(struct verbs_client *client, uint32_t status) {
    if (client->broken)
        return;
    client->broken = true;
    client->break_status = status;
    verbs_qp_to_error(client->verbs, client->id->qp);
    client->verbs->disconnect(client->id);
}

static struct ibv_sge piece_of(struct verbs_client *client, void *start, uint32_t length) {
    return (struct ibv_sge){.addr = (uintptr_t)start, .length = length, .lkey = client->mr->lkey};
}

static bool post_receive(struct verbs_client *client, uint32_t index) {
    struct ibv_sge piece = piece_of(client, &client->exchange->answers[index], sizeof client->exchange->answers[index]);
    struct ibv_recv_wr work = {.wr_id = ((uint64_t)index << WORK_BITS) | WORK_RECEIVE, .sg_list = &piece, .num_sge = 1}, *bad;
    return ibv_post_recv(client->id->qp, &work, &bad) == 0;
}

static bool post_message(struct verbs_client *client, uint32_t index, const struct rcmp_request *request) {
    struct verbs_request *message = &client->exchange->requests[index];
    *message = (struct verbs_request){.op = request->op,
                                      .length = request->length,
                                      .page = request->page,
                                      .epoch_low = request->epoch_low,
                                      .offset = request->offset,
                                      .tag = client->window[index].tag,
                                      .frame = request->frame,
                                      .operand = request->operand,
                                      .comparand = request->comparand};
    if (request->op == RCMP_WRITE)
        memcpy(&message->operand, request->buffer, 8);
    struct ibv_sge piece = piece_of(client, message, sizeof *message);
    struct ibv_send_wr work = {.wr_id = ((uint64_t)index << WORK_BITS) | WORK_SEND,
                               .sg_list = &piece,
                               .num_sge = 1,
                               .opcode = IBV_WR_SEND,
                               .send_flags = IBV_SEND_SIGNALED | (client->inline_bytes >= sizeof *message ? IBV_SEND_INLINE : 0)},
                       *bad;
    return ibv_post_send(client->id->qp, &work, &bad) == 0;
}

static bool post_bulk(struct verbs_client *client, uint32_t index, const struct rcmp_request *request) {
    struct entry *entry = &client->window[index];
    uint8_t *local = bulk_at(client, entry->bulk);
    uint64_t remote = client->owner.frames + ((uint64_t)request->frame << client->owner.page_shift) + request->offset;
    bool write = request->op == RCMP_WRITE;
    if (write)
        memcpy(local, request->buffer, request->length);
    uint32_t back = write ? (request->length < READBACK_BYTES ? request->length : READBACK_BYTES) : request->length;
    struct ibv_sge out = piece_of(client, local, request->length);
    struct ibv_sge in = piece_of(client, write ? client->exchange->readback[index] : local, back);
    struct ibv_send_wr read = {.wr_id = ((uint64_t)index << WORK_BITS) | WORK_BULK,
                               .sg_list = &in,
                               .num_sge = 1,
                               .opcode = IBV_WR_RDMA_READ,
                               .send_flags = IBV_SEND_SIGNALED,
                               .wr.rdma = {remote, client->owner.rkey}};
    struct ibv_send_wr store = {.wr_id = ((uint64_t)index << WORK_BITS) | WORK_WRITE,
                                .next = &read,
                                .sg_list = &out,
                                .num_sge = 1,
                                .opcode = IBV_WR_RDMA_WRITE,
                                .send_flags = IBV_SEND_SIGNALED,
                                .wr.rdma = {remote, client->owner.rkey}};
    struct ibv_send_wr *bad;
    return ibv_post_send(client->id->qp, write ? &store : &read, &bad) == 0;
}

/* Whether the owner has hung up; nothing is waited for. */
static void look_at_events(struct verbs_client *client) {
    struct rdma_cm_event *event;
    while (client->verbs->get_cm_event(client->events, &event) == 0) {
        enum rdma_cm_event_type type = event->event;
        client->verbs->ack_cm_event(event);
        if (type == RDMA_CM_EVENT_DISCONNECTED || type == RDMA_CM_EVENT_DEVICE_REMOVAL)
            break_off(client, RCMP_CONNECTION_LOST);
    }
}

static int refuse(struct verbs_client *client, const struct rcmp_request *request, uint32_t status) {
    client->refused[client->refused_count++] = (struct rcmp_completion){.token = request->token, .status = status};
    return 1;
}

static int verbs_post(struct rcmp_connection *base, const struct rcmp_request *request) {
    struct verbs_client *client = (struct verbs_client *)base;
    if (client->in_flight + client->refused_count == RCMP_WINDOW)
        return 0;
    if (!client->broken && client->in_flight == 0 && rcmp_now_ns() - client->last > PAUSE_NS)
        look_at_events(client);
    if (client->broken)
        return 0;
    struct rcmp_operation operation = {
        .op = request->op, .role = client->role, .frame = request->frame, .offset = request->offset, .length = request->length};
    uint32_t status = rcmp_check(&operation, client->owner.frame_count, client->owner.page_shift);
    bool word = request->length == 8 && (request->offset & 7) == 0 && (request->op == RCMP_READ || request->op == RCMP_WRITE);
    bool message = word || rcmp_is_atomic(request->op) || request->op == RCMP_READ_ROW;
    if (status == RCMP_OK && !message && request->frame >= client->owner.frame_count)
        status = RCMP_OUT_OF_RANGE;
    if (status != RCMP_OK || (!message && request->length == 0))
        return refuse(client, request, status);

    uint32_t index = 0;
    while (client->window[index].used)
        index++;
    int bulk = -1;
    if (!message) {
        uint64_t usable = client->bulk_slots == 64 ? UINT64_MAX : (1ull << client->bulk_slots) - 1;
        uint64_t unused = ~client->bulk_used & usable;
        if (unused == 0)
            return 0;
        bulk = __builtin_ctzll(unused);
        client->bulk_used |= 1ull << bulk;
    }
    client->window[index] = (struct entry){.used = true,
                                           .message = message,
                                           .op = request->op,
                                           .length = request->length,
                                           .tag = (client->next_tag++ * RCMP_WINDOW) | index,
                                           .bulk = bulk,
                                           .buffer = request->buffer,
                                           .token = request->token};
    client->in_flight++;
    /* A post that fails may have left its first half on the queue: the request counts as sent, and the connection is done with. */
    if (!(message ? post_message(client, index, request) : post_bulk(client, index, request)))
        break_off(client, RCMP_CONNECTION_LOST);
    return 1;
}

static struct rcmp_completion finish(struct verbs_client *client, struct entry *entry, uint32_t status, uint64_t result) {
    if (entry->bulk >= 0)
        client->bulk_used &= ~(1ull << entry->bulk);
    entry->used = false;
    client->in_flight--;
    return (struct rcmp_completion){.token = entry->token, .status = status, .result = result};
}

/* An answer of the service thread; false if it fits no request. */
static bool take_answer(struct verbs_client *client, uint32_t index, uint32_t bytes, struct rcmp_completion *completion) {
    struct verbs_answer answer;
    memcpy(&answer, &client->exchange->answers[index], sizeof answer);
    if (!post_receive(client, index) || bytes < VERBS_ANSWER_HEAD)
        return false;
    struct entry *entry = &client->window[answer.tag % RCMP_WINDOW];
    if (!entry->used || !entry->message || entry->tag != answer.tag || answer.status > RCMP_REFUSED)
        return false;
    uint32_t data = answer.status == RCMP_OK ? rcmp_answer_bytes(entry->op, entry->length) : 0;
    if (bytes != VERBS_ANSWER_HEAD + data)
        return false;
    memcpy(entry->buffer, answer.data, data);
    *completion = finish(client, entry, answer.status, answer.result);
    return true;
}

/* Turns what the device has finished into completions. */
static int reap(struct verbs_client *client, struct rcmp_completion *completions, int max) {
    struct ibv_wc done[POLL_BATCH];
    int count = 0;
    while (count < max && !client->broken) {
        int room = max - count < POLL_BATCH ? max - count : POLL_BATCH;
        int got = ibv_poll_cq(client->cq, room, done);
        if (got < 0)
            break_off(client, RCMP_CONNECTION_LOST);
        if (got <= 0)
            break;
        for (int i = 0; i < got; i++) {
            uint32_t index = (uint32_t)(done[i].wr_id >> WORK_BITS);
            enum work work = (enum work)(done[i].wr_id & ((1 << WORK_BITS) - 1));
            if (done[i].status != IBV_WC_SUCCESS) {
                break_off(client, RCMP_CONNECTION_LOST);
                break;
            }
            if (work == WORK_RECEIVE) {
                if (take_answer(client, index, done[i].byte_len, &completions[count]))
                    count++;
                else
                    break_off(client, RCMP_CONNECTION_LOST);
            } else if (work == WORK_BULK) {
                struct entry *entry = &client->window[index];
                if (entry->op != RCMP_WRITE)
                    memcpy(entry->buffer, bulk_at(client, entry->bulk), entry->length);
                completions[count++] = finish(client, entry, RCMP_OK, 0);
            }
        }
    }
    return count;
}

static int complete_refused(struct verbs_client *client, struct rcmp_completion *completions, int max) {
    int count = client->refused_count < (uint32_t)max ? (int)client->refused_count : max;
    memcpy(completions, client->refused, sizeof *completions * (size_t)count);
    client->refused_count -= (uint32_t)count;
    memmove(client->refused, client->refused + count, sizeof *completions * client->refused_count);
    return count;
}

static int complete_broken(struct verbs_client *client, struct rcmp_completion *completions, int max) {
    int count = 0;
    for (uint32_t i = 0; i < RCMP_WINDOW && count < max; i++) {
        if (client->window[i].used)
            completions[count++] = finish(client, &client->window[i], client->break_status, 0);
    }
    return count;
}

/* Sleeps until the device or the connection manager has news, or the deadline passes. */
static void sleep_until(struct verbs_client *client, int64_t now, int64_t deadline) {
    int64_t left = deadline - now;
    struct timespec timeout = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    struct pollfd sources[] = {{.fd = client->channel->fd, .events = POLLIN}, {.fd = client->events->fd, .events = POLLIN}};
    ppoll(sources, 2, &timeout, NULL);
    struct ibv_cq *cq;
    void *context;
    while (client->verbs->get_cq_event(client->channel, &cq, &context) == 0)
        client->verbs->ack_cq_events(cq, 1);
    look_at_events(client);
}

static int verbs_wait(struct rcmp_connection *base, struct rcmp_completion *completions, int max, int64_t spin_ns, int64_t timeout_ns) {
    struct verbs_client *client = (struct verbs_client *)base;
    int count = complete_refused(client, completions, max);
    if (count != 0 || client->in_flight == 0)
        return count;
    int64_t start = rcmp_now_ns(), now = start, deadline = rcmp_deadline(start, timeout_ns);
    bool armed = false;
    for (;;) {
        count = client->broken ? complete_broken(client, completions, max) : reap(client, completions, max);
        if (count != 0) {
            client->last = now;
            return count;
        }
        if (client->broken)
            continue;
        now = rcmp_now_ns();
        if (now >= deadline) {
            break_off(client, RCMP_DEADLINE_PASSED);
        } else if (now - start < spin_ns) {
            rcmp_relax();
        } else if (!armed) {
            /* Asked for first, then looked again: what came in between would raise no event. */
            armed = ibv_req_notify_cq(client->cq, 0) == 0;
            if (!armed)
                break_off(client, RCMP_CONNECTION_LOST);
        } else {
            sleep_until(client, now, deadline);
            armed = false;
        }
    }
}

static void verbs_flush(struct rcmp_connection *base) { (void)base; }

static int verbs_usable(struct rcmp_connection *base) { return !((struct verbs_client *)base)->broken; }

static void verbs_close(struct rcmp_connection *base) {
    struct verbs_client *client = (struct verbs_client *)base;
    const struct verbs_library *verbs = client->verbs;
    if (client->id != NULL && client->id->qp != NULL) {
        break_off(client, RCMP_CONNECTION_LOST);
        verbs->destroy_qp(client->id);
    }
    if (client->mr != NULL)
        verbs->dereg_mr(client->mr);
    if (client->cq != NULL)
        verbs->destroy_cq(client->cq);
    if (client->channel != NULL)
        verbs->destroy_comp_channel(client->channel);
    if (client->pd != NULL)
        verbs->dealloc_pd(client->pd);
    if (client->id != NULL)
        verbs->destroy_id(client->id);
    if (client->events != NULL)
        verbs->destroy_event_channel(client->events);
    if (client->exchange != NULL)
        munmap(client->exchange, client->exchange_bytes);
    free(client);
}

static const struct rcmp_connection_ops verbs_connection_ops = {verbs_flush, verbs_post, verbs_wait, verbs_usable, verbs_close};

/* The next event of the connection manager; its private data, if any, is copied out. False at the deadline. */
static bool next_event(struct verbs_client *client, int64_t deadline, enum rdma_cm_event_type *type, int *reason, struct verbs_welcome *welcome) {
    for (;;) {
        struct rdma_cm_event *event;
        if (client->verbs->get_cm_event(client->events, &event) == 0) {
            *type = event->event;
            *reason = event->status;
            memset(welcome, 0, sizeof *welcome);
            bool carries = *type == RDMA_CM_EVENT_ESTABLISHED || *type == RDMA_CM_EVENT_REJECTED;
            if (carries && event->param.conn.private_data != NULL && event->param.conn.private_data_len >= sizeof *welcome)
                memcpy(welcome, event->param.conn.private_data, sizeof *welcome);
            client->verbs->ack_cm_event(event);
            return true;
        }
        int64_t left = deadline - rcmp_now_ns();
        if ((errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) || left <= 0)
            return false;
        struct timespec timeout = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        struct pollfd source = {.fd = client->events->fd, .events = POLLIN};
        ppoll(&source, 1, &timeout, NULL);
    }
}

static bool expect(struct verbs_client *client, int64_t deadline, enum rdma_cm_event_type wanted, char *error, size_t error_size) {
    enum rdma_cm_event_type type;
    struct verbs_welcome welcome;
    int reason;
    if (!next_event(client, deadline, &type, &reason, &welcome)) {
        rcmp_fail(error, error_size, "no answer of the connection manager in time");
        return false;
    }
    if (type != wanted)
        rcmp_fail(error, error_size, "%s (%d)", client->verbs->event_str(type), reason);
    return type == wanted;
}

/* Everything for the queue pair; the bounce buffer's size depends on the owner's page size, which is known only later. */
static bool create_resources(struct verbs_client *client) {
    const struct verbs_library *verbs = client->verbs;
    client->pd = verbs->alloc_pd(client->id->verbs);
    client->channel = client->pd == NULL ? NULL : verbs->create_comp_channel(client->id->verbs);
    client->cq = client->channel == NULL ? NULL : verbs->create_cq(client->id->verbs, COMPLETIONS, NULL, client->channel, 0);
    return client->cq != NULL && verbs_set_nonblocking(client->channel->fd) &&
           verbs_create_qp(verbs, client->id, client->pd, client->cq, SENDS, RCMP_WINDOW, &client->inline_bytes) == 0;
}

static bool create_exchange(struct verbs_client *client) {
    uint32_t slots = BULK_BYTES_MAX >> client->owner.page_shift;
    client->bulk_slots = slots > RCMP_WINDOW ? RCMP_WINDOW : slots < BULK_SLOTS_MIN ? BULK_SLOTS_MIN : slots;
    size_t bytes = sizeof *client->exchange + ((size_t)client->bulk_slots << client->owner.page_shift);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    /* A fork must not give the pages that the device uses to the child and copies to us. */
    madvise(memory, bytes, MADV_DONTFORK);
    client->exchange = memory;
    client->exchange_bytes = bytes;
    client->mr = client->verbs->reg_mr(client->pd, memory, bytes, IBV_ACCESS_LOCAL_WRITE);
    for (uint32_t i = 0; client->mr != NULL && i < RCMP_WINDOW; i++) {
        if (!post_receive(client, i))
            return false;
    }
    return client->mr != NULL;
}

static int introduce(struct verbs_client *client, const struct rcmp_connect_options *options, int64_t deadline, char *error,
                     size_t error_size) {
    struct rcmp_hello hello;
    rcmp_hello_fill(&hello, options);
    uint8_t reads = verbs_reads_max(client->verbs, client->id->verbs);
    struct rdma_conn_param parameters = {.private_data = &hello,
                                         .private_data_len = sizeof hello,
                                         .responder_resources = reads,
                                         .initiator_depth = reads,
                                         .retry_count = VERBS_RETRIES,
                                         .rnr_retry_count = VERBS_RETRIES};
    enum rdma_cm_event_type type;
    int reason;
    if (client->verbs->connect(client->id, &parameters) != 0 || !next_event(client, deadline, &type, &reason, &client->owner)) {
        rcmp_fail(error, error_size, "no answer in time");
        return RCMP_UNREACHABLE;
    }
    if (type == RDMA_CM_EVENT_REJECTED && client->owner.magic == VERBS_MAGIC) {
        rcmp_fail(error, error_size, "%s", rcmp_refusal_text(client->owner.refusal));
        return RCMP_CONNECT_REFUSED;
    }
    if (type != RDMA_CM_EVENT_ESTABLISHED || client->owner.magic != VERBS_MAGIC || client->owner.page_shift > 30) {
        rcmp_fail(error, error_size, "%s (%d)", client->verbs->event_str(type), reason);
        return RCMP_UNREACHABLE;
    }
    return RCMP_CONNECTED;
}

static bool resolve(struct verbs_client *client, const char *host, const char *port, int64_t deadline, char *error, size_t error_size) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found = NULL;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0) {
        rcmp_fail(error, error_size, "host '%s': %s", host, gai_strerror(code));
        return false;
    }
    int64_t left_ms = (deadline - rcmp_now_ns()) / 1000000;
    int timeout_ms = left_ms < 1 ? 1 : left_ms > 60000 ? 60000 : (int)left_ms;
    bool ok = client->verbs->resolve_addr(client->id, NULL, found->ai_addr, timeout_ms) == 0;
    if (!ok)
        rcmp_fail(error, error_size, "the address cannot be resolved to an RDMA device: %s", strerror(errno));
    freeaddrinfo(found);
    ok = ok && expect(client, deadline, RDMA_CM_EVENT_ADDR_RESOLVED, error, error_size);
    if (ok && client->verbs->resolve_route(client->id, timeout_ms) != 0) {
        rcmp_fail(error, error_size, "no route: %s", strerror(errno));
        ok = false;
    }
    return ok && expect(client, deadline, RDMA_CM_EVENT_ROUTE_RESOLVED, error, error_size);
}

int rcmp_verbs_connect(const struct rcmp_connect_options *options, struct rcmp_connection **connection, char *error, size_t error_size) {
    char host[256], port[8];
    const struct verbs_library *verbs = verbs_load(error, error_size);
    if (verbs == NULL)
        return RCMP_NOT_SUPPORTED;
    if (!rcmp_split_address(options->address + strlen("verbs://"), host, sizeof host, port, sizeof port)) {
        rcmp_fail(error, error_size, "write verbs://address:port");
        return RCMP_UNREACHABLE;
    }
    int64_t deadline = rcmp_deadline(rcmp_now_ns(), options->timeout_ns);
    struct verbs_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        rcmp_fail(error, error_size, "no memory");
        return RCMP_UNREACHABLE;
    }
    client->base.ops = &verbs_connection_ops;
    client->verbs = verbs;
    client->role = options->role;
    client->last = rcmp_now_ns();
    client->events = verbs->create_event_channel();
    int status = RCMP_NOT_SUPPORTED;
    if (client->events == NULL || !verbs_set_nonblocking(client->events->fd) ||
        verbs->create_id(client->events, &client->id, client, RDMA_PS_TCP) != 0) {
        rcmp_fail(error, error_size, "the RDMA connection manager is not there: %s", strerror(errno));
    } else if (!resolve(client, host, port, deadline, error, error_size)) {
        status = RCMP_UNREACHABLE;
    } else if (!create_resources(client)) {
        rcmp_fail(error, error_size, "no queue pair: %s", strerror(errno));
    } else {
        status = introduce(client, options, deadline, error, error_size);
        if (status == RCMP_CONNECTED && !create_exchange(client)) {
            rcmp_fail(error, error_size, "the bounce buffer cannot be registered: %s; raise the memory lock limit (ulimit -l)", strerror(errno));
            status = RCMP_NOT_SUPPORTED;
        }
    }
    if (status != RCMP_CONNECTED) {
        verbs_close(&client->base);
        return status;
    }
    *connection = &client->base;
    return RCMP_CONNECTED;
}

#endif
