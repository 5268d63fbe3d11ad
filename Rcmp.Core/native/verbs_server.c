/* The serving side of verbs. The device reads and writes the frames by itself; one service thread watches the connection manager and
   executes what comes as messages. Queue pairs are destroyed by that thread alone: a fence is a command to it, done when it has answered,
   and a destroyed queue pair touches no memory any more. */
#define _GNU_SOURCE
#include "verbs.h"

#ifdef RCMP_HAVE_VERBS

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DEVICES_MAX 4
#define EVENTS_MAX 16
#define BACKLOG 128
#define RECEIVES RCMP_WINDOW
#define SENDS (2 * RCMP_WINDOW)
#define POLL_BATCH 16
#define HOT_ROUNDS 4
/* Batches of one peer before the others get their turn. */
#define TURN_BATCHES 8

/* A device through which peers come: the frames are registered with it once. */
struct verbs_device {
    struct ibv_context *context;
    struct ibv_pd *pd;
    struct ibv_mr *frames;
    struct ibv_comp_channel *channel;
};

struct messages {
    struct verbs_request requests[RECEIVES];
    struct verbs_answer answers[RECEIVES];
};

struct verbs_peer {
    struct verbs_peer *next, *previous;
    struct verbs_device *device;
    struct rdma_cm_id *id;
    struct ibv_cq *cq;
    struct ibv_mr *mr;
    struct messages *messages;
    uint32_t inline_bytes;
    bool dead;    /* to be destroyed at the end of the round */
    bool backlog; /* more has come than one turn may take */
    struct rcmp_hello hello;
};

struct verbs_command {
    const struct rcmp_filter *filter; /* NULL: stop */
    bool done;
    struct verbs_command *next;
};

struct verbs_server {
    struct rcmp_server base;
    const struct verbs_library *verbs;
    struct rdma_event_channel *events;
    struct rdma_cm_id *listener;
    struct verbs_device devices[DEVICES_MAX];
    uint32_t device_count;
    struct verbs_peer *peers, *hot;
    uint32_t connected;
    int epoll, event;
    bool stop;
    bool backlog; /* some peer has one */
    pthread_t id;
    pthread_mutex_t lock;
    pthread_cond_t done;
    struct verbs_command *commands;
};

static bool watch(struct verbs_server *server, int fd, void *who) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
    return epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void device_close(const struct verbs_library *verbs, struct verbs_device *device) {
    if (device->channel != NULL)
        verbs->destroy_comp_channel(device->channel);
    if (device->frames != NULL)
        verbs->dereg_mr(device->frames);
    if (device->pd != NULL)
        verbs->dealloc_pd(device->pd);
}

/* Registers the frames with a device, the first time a connection comes over it. */
static struct verbs_device *device_of(struct verbs_server *server, struct ibv_context *context) {
    const struct verbs_library *verbs = server->verbs;
    for (uint32_t i = 0; i < server->device_count; i++) {
        if (server->devices[i].context == context)
            return &server->devices[i];
    }
    if (server->device_count == DEVICES_MAX) {
        errno = ENOSPC;
        return NULL;
    }
    const struct rcmp_region_view *view = &server->base.view;
    struct verbs_device *device = &server->devices[server->device_count];
    *device = (struct verbs_device){.context = context, .pd = verbs->alloc_pd(context)};
    if (device->pd != NULL)
        device->frames = verbs->reg_mr(device->pd, view->frames, view->frame_count << view->page_shift,
                                       IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE);
    if (device->frames != NULL)
        device->channel = verbs->create_comp_channel(context);
    if (device->channel == NULL || !verbs_set_nonblocking(device->channel->fd) || !watch(server, device->channel->fd, device)) {
        int reason = errno;
        device_close(verbs, device);
        errno = reason;
        return NULL;
    }
    server->device_count++;
    return device;
}

static void peer_free(struct verbs_server *server, struct verbs_peer *peer) {
    const struct verbs_library *verbs = server->verbs;
    if (peer->id->qp != NULL) {
        verbs_qp_to_error(verbs, peer->id->qp);
        verbs->disconnect(peer->id);
        verbs->destroy_qp(peer->id);
    }
    if (peer->mr != NULL)
        verbs->dereg_mr(peer->mr);
    if (peer->cq != NULL)
        verbs->destroy_cq(peer->cq);
    verbs->destroy_id(peer->id);
    free(peer->messages);
    free(peer);
}

static void peer_destroy(struct verbs_server *server, struct verbs_peer *peer) {
    if (peer->previous != NULL)
        peer->previous->next = peer->next;
    else
        server->peers = peer->next;
    if (peer->next != NULL)
        peer->next->previous = peer->previous;
    if (server->hot == peer)
        server->hot = NULL;
    server->connected--;
    peer_free(server, peer);
}

static bool post_receive(struct verbs_peer *peer, uint32_t index) {
    struct ibv_sge piece = {
        .addr = (uintptr_t)&peer->messages->requests[index], .length = sizeof peer->messages->requests[index], .lkey = peer->mr->lkey};
    struct ibv_recv_wr work = {.wr_id = index, .sg_list = &piece, .num_sge = 1}, *bad;
    return ibv_post_recv(peer->id->qp, &work, &bad) == 0;
}

/* A queue pair with its receives posted, ready to be accepted. */
static bool peer_prepare(struct verbs_server *server, struct verbs_peer *peer) {
    const struct verbs_library *verbs = server->verbs;
    peer->device = device_of(server, peer->id->verbs);
    if (peer->device == NULL)
        return false;
    peer->messages = calloc(1, sizeof *peer->messages);
    if (peer->messages != NULL)
        peer->mr = verbs->reg_mr(peer->device->pd, peer->messages, sizeof *peer->messages, IBV_ACCESS_LOCAL_WRITE);
    if (peer->mr != NULL)
        peer->cq = verbs->create_cq(peer->id->verbs, RECEIVES + SENDS, peer, peer->device->channel, 0);
    if (peer->cq == NULL || ibv_req_notify_cq(peer->cq, 0) != 0 ||
        verbs_create_qp(verbs, peer->id, peer->device->pd, peer->cq, SENDS, RECEIVES, &peer->inline_bytes) != 0)
        return false;
    for (uint32_t i = 0; i < RECEIVES; i++) {
        if (!post_receive(peer, i))
            return false;
    }
    return true;
}

static void reject(struct verbs_server *server, struct rdma_cm_id *id, enum rcmp_refusal refusal) {
    struct verbs_welcome welcome = {.magic = VERBS_MAGIC, .refusal = refusal};
    rcmp_count(&server->base.counters.refused, 1);
    server->verbs->reject(id, &welcome, sizeof welcome);
    server->verbs->destroy_id(id);
}

static void peer_accept(struct verbs_server *server, struct rdma_cm_id *id, const struct rcmp_hello *hello, uint8_t reads) {
    enum rcmp_refusal refusal = rcmp_admit(&server->base, hello);
    if (refusal == RCMP_ADMITTED && server->connected >= server->base.max_connections)
        refusal = RCMP_TOO_MANY;
    struct verbs_peer *peer = refusal == RCMP_ADMITTED ? calloc(1, sizeof *peer) : NULL;
    if (peer == NULL) {
        reject(server, id, refusal == RCMP_ADMITTED ? RCMP_TOO_MANY : refusal);
        return;
    }
    peer->id = id;
    peer->hello = *hello;
    id->context = peer;
    if (!peer_prepare(server, peer)) {
        struct verbs_welcome welcome = {.magic = VERBS_MAGIC, .refusal = RCMP_TOO_MANY};
        rcmp_count(&server->base.counters.refused, 1);
        server->verbs->reject(id, &welcome, sizeof welcome);
        peer_free(server, peer);
        return;
    }
    struct verbs_welcome welcome = {.magic = VERBS_MAGIC,
                                    .page_shift = server->base.view.page_shift,
                                    .rkey = peer->device->frames->rkey,
                                    .frame_count = server->base.view.frame_count,
                                    .frames = (uintptr_t)server->base.view.frames};
    uint8_t most = verbs_reads_max(server->verbs, id->verbs);
    struct rdma_conn_param parameters = {.private_data = &welcome,
                                         .private_data_len = sizeof welcome,
                                         .responder_resources = reads < most ? reads : most,
                                         .initiator_depth = 1,
                                         .rnr_retry_count = VERBS_RETRIES};
    if (server->verbs->accept(id, &parameters) != 0) {
        peer_free(server, peer);
        return;
    }
    peer->next = server->peers;
    if (server->peers != NULL)
        server->peers->previous = peer;
    server->peers = peer;
    server->connected++;
    rcmp_count(&server->base.counters.connections, 1);
}

static void handle_cm_events(struct verbs_server *server) {
    struct rdma_cm_event *event;
    while (server->verbs->get_cm_event(server->events, &event) == 0) {
        struct rdma_cm_id *id = event->id;
        enum rdma_cm_event_type type = event->event;
        struct rcmp_hello hello = {0};
        uint8_t reads = 0;
        if (type == RDMA_CM_EVENT_CONNECT_REQUEST) {
            reads = event->param.conn.initiator_depth;
            if (event->param.conn.private_data != NULL && event->param.conn.private_data_len >= sizeof hello)
                memcpy(&hello, event->param.conn.private_data, sizeof hello);
        }
        /* Before anything is destroyed: destroying an id waits until its events are acknowledged. */
        server->verbs->ack_cm_event(event);
        struct verbs_peer *peer = id == server->listener ? NULL : id->context;
        switch (type) {
        case RDMA_CM_EVENT_CONNECT_REQUEST:
            peer_accept(server, id, &hello, reads);
            break;
        case RDMA_CM_EVENT_ESTABLISHED:
        case RDMA_CM_EVENT_TIMEWAIT_EXIT:
        case RDMA_CM_EVENT_ADDR_CHANGE:
            break;
        default:
            if (peer != NULL)
                peer_destroy(server, peer);
            break;
        }
    }
}

/* Executes one message and sends the answer. False destroys the peer. */
static bool answer(struct verbs_server *server, struct verbs_peer *peer, uint32_t index) {
    struct verbs_request request;
    memcpy(&request, &peer->messages->requests[index], sizeof request);
    if (!post_receive(peer, index))
        return false;
    struct rcmp_operation operation = {.op = request.op,
                                       .role = peer->hello.role,
                                       .page = request.page,
                                       .epoch_low = request.epoch_low,
                                       .frame = request.frame,
                                       .offset = request.offset,
                                       .length = request.length,
                                       .operand = request.operand,
                                       .comparand = request.comparand};
    struct verbs_answer *out = &peer->messages->answers[index];
    bool fits = rcmp_answer_bytes(request.op, request.length) <= sizeof out->data && (request.op != RCMP_WRITE || request.length == 8);
    out->tag = request.tag;
    out->result = 0;
    out->status = RCMP_REFUSED;
    if (fits) {
        uint8_t *buffer = request.op == RCMP_WRITE ? (uint8_t *)&request.operand : out->data;
        out->status = rcmp_execute(&server->base, rcmp_server_slot(&server->base, 0), &operation, buffer, &out->result);
    }
    uint32_t bytes = VERBS_ANSWER_HEAD + (out->status == RCMP_OK ? rcmp_answer_bytes(request.op, request.length) : 0);
    struct ibv_sge piece = {.addr = (uintptr_t)out, .length = bytes, .lkey = peer->mr->lkey};
    struct ibv_send_wr work = {.wr_id = RECEIVES,
                               .sg_list = &piece,
                               .num_sge = 1,
                               .opcode = IBV_WR_SEND,
                               .send_flags = IBV_SEND_SIGNALED | (peer->inline_bytes >= bytes ? IBV_SEND_INLINE : 0)},
                       *bad;
    return ibv_post_send(peer->id->qp, &work, &bad) == 0;
}

/* True if there was something. A peer that fails is marked, and destroyed when nothing names it any more. */
static bool peer_serve(struct verbs_server *server, struct verbs_peer *peer) {
    struct ibv_wc done[POLL_BATCH];
    int got = peer->dead ? 0 : ibv_poll_cq(peer->cq, POLL_BATCH, done);
    if (got < 0)
        peer->dead = true;
    for (int i = 0; i < got && !peer->dead; i++) {
        bool received = done[i].wr_id < RECEIVES;
        if (done[i].status != IBV_WC_SUCCESS || (received && done[i].byte_len != sizeof(struct verbs_request)) ||
            (received && !answer(server, peer, (uint32_t)done[i].wr_id)))
            peer->dead = true;
    }
    if (got > 0)
        server->hot = peer;
    return got > 0;
}

static void peer_turn(struct verbs_server *server, struct verbs_peer *peer) {
    int batches = 0;
    while (batches < TURN_BATCHES && peer_serve(server, peer))
        batches++;
    peer->backlog = batches == TURN_BATCHES;
    server->backlog |= peer->backlog;
}

static void handle_completions(struct verbs_server *server, struct verbs_device *device) {
    struct ibv_cq *cq;
    void *context;
    while (server->verbs->get_cq_event(device->channel, &cq, &context) == 0) {
        struct verbs_peer *peer = context;
        server->verbs->ack_cq_events(cq, 1);
        /* Asked for the next event first: what comes while the queue is emptied is then either seen or announced. */
        if (ibv_req_notify_cq(cq, 0) != 0)
            peer->dead = true;
        peer_turn(server, peer);
    }
}

static void serve_backlog(struct verbs_server *server) {
    server->backlog = false;
    for (struct verbs_peer *peer = server->peers; peer != NULL; peer = peer->next) {
        if (peer->backlog)
            peer_turn(server, peer);
    }
}

static void bury_dead(struct verbs_server *server) {
    for (struct verbs_peer *peer = server->peers, *next; peer != NULL; peer = next) {
        next = peer->next;
        if (peer->dead)
            peer_destroy(server, peer);
    }
}

static void destroy_matching(struct verbs_server *server, const struct rcmp_filter *filter) {
    for (struct verbs_peer *peer = server->peers, *next; peer != NULL; peer = next) {
        next = peer->next;
        if (rcmp_filter_matches(filter, &peer->hello))
            peer_destroy(server, peer);
    }
}

static void run_commands(struct verbs_server *server) {
    uint64_t count;
    ssize_t got = read(server->event, &count, sizeof count);
    (void)got; /* nothing there: another round has taken it */
    pthread_mutex_lock(&server->lock);
    struct verbs_command *command = server->commands;
    server->commands = NULL;
    pthread_mutex_unlock(&server->lock);
    while (command != NULL) {
        struct verbs_command *next = command->next;
        if (command->filter == NULL)
            server->stop = true;
        else
            destroy_matching(server, command->filter);
        pthread_mutex_lock(&server->lock);
        command->done = true;
        pthread_cond_broadcast(&server->done);
        pthread_mutex_unlock(&server->lock);
        command = next;
    }
}

static bool handle_events(struct verbs_server *server, int timeout_ms) {
    struct epoll_event events[EVENTS_MAX];
    bool active = server->backlog;
    int count = epoll_wait(server->epoll, events, EVENTS_MAX, active ? 0 : timeout_ms);
    if (active)
        serve_backlog(server);
    for (int i = 0; i < count; i++) {
        void *who = events[i].data.ptr;
        if (who == server) {
            run_commands(server);
        } else if (who == server->events) {
            handle_cm_events(server);
        } else {
            handle_completions(server, who);
            active = true;
        }
    }
    bury_dead(server);
    return active;
}

static void *service_main(void *argument) {
    struct verbs_server *server = argument;
    int64_t last = rcmp_now_ns();
    unsigned round = 0;
    while (!server->stop) {
        bool active = server->hot != NULL && peer_serve(server, server->hot);
        int64_t now = rcmp_now_ns();
        bool spin = active || now - last < server->base.spin_ns;
        if (!spin)
            server->hot = NULL;
        if (server->hot == NULL || ++round % HOT_ROUNDS == 0)
            active |= handle_events(server, spin ? 0 : -1);
        if (active)
            last = rcmp_now_ns();
    }
    destroy_matching(server, &(struct rcmp_filter){.kind = RCMP_FILTER_ALL});
    return NULL;
}

static void command_run(struct verbs_server *server, const struct rcmp_filter *filter) {
    struct verbs_command command = {.filter = filter};
    uint64_t one = 1;
    pthread_mutex_lock(&server->lock);
    command.next = server->commands;
    server->commands = &command;
    ssize_t written = write(server->event, &one, sizeof one);
    (void)written; /* fails only with the counter at its maximum, and then the thread is awake anyway */
    while (!command.done)
        pthread_cond_wait(&server->done, &server->lock);
    pthread_mutex_unlock(&server->lock);
}

static void verbs_destroy(struct rcmp_server *base, const struct rcmp_filter *filter) { command_run((struct verbs_server *)base, filter); }

static void server_free(struct verbs_server *server) {
    const struct verbs_library *verbs = server->verbs;
    if (server->listener != NULL)
        verbs->destroy_id(server->listener);
    for (uint32_t i = 0; i < server->device_count; i++)
        device_close(verbs, &server->devices[i]);
    if (server->events != NULL)
        verbs->destroy_event_channel(server->events);
    if (server->epoll >= 0)
        close(server->epoll);
    if (server->event >= 0)
        close(server->event);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->done);
    rcmp_server_fini(&server->base);
    free(server);
}

static void verbs_close(struct rcmp_server *base) {
    struct verbs_server *server = (struct verbs_server *)base;
    command_run(server, NULL);
    pthread_join(server->id, NULL);
    server_free(server);
}

static const struct rcmp_server_ops verbs_server_ops = {verbs_destroy, verbs_close};

static int listen_on(struct verbs_server *server, const char *host, const char *port, char *error, size_t error_size) {
    const struct verbs_library *verbs = server->verbs;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0) {
        rcmp_fail(error, error_size, "host '%s': %s", host, gai_strerror(code));
        return RCMP_BAD_ADDRESS;
    }
    server->events = verbs->create_event_channel();
    bool there = server->events != NULL && verbs_set_nonblocking(server->events->fd) &&
                 verbs->create_id(server->events, &server->listener, NULL, RDMA_PS_TCP) == 0;
    bool bound = there && verbs->bind_addr(server->listener, found->ai_addr) == 0 && verbs->listen(server->listener, BACKLOG) == 0;
    int reason = errno;
    freeaddrinfo(found);
    if (!there) {
        rcmp_fail(error, error_size, "the RDMA connection manager is not there: %s; load rdma_ucm and an RDMA driver", strerror(reason));
        return RCMP_EXPOSE_UNSUPPORTED;
    }
    if (!bound) {
        rcmp_fail(error, error_size, "%s", reason == ENODEV ? "no RDMA device has this address" : strerror(reason));
        return reason == EADDRINUSE ? RCMP_ADDRESS_IN_USE : reason == ENODEV ? RCMP_EXPOSE_UNSUPPORTED : RCMP_BAD_ADDRESS;
    }
    return RCMP_EXPOSED;
}

static int start(struct verbs_server *server, char *error, size_t error_size) {
    /* Bound to one device, the frames are registered now, so that what is missing shows at the start and not at the first peer. */
    if (server->listener->verbs != NULL && device_of(server, server->listener->verbs) == NULL) {
        rcmp_fail(error, error_size, "the frames cannot be registered: %s; raise the memory lock limit (ulimit -l)", strerror(errno));
        return RCMP_NO_RESOURCES;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = watch(server, server->event, server) && watch(server, server->events->fd, server->events) &&
                   pthread_create(&server->id, NULL, service_main, server) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started) {
        rcmp_fail(error, error_size, "the service thread cannot be started: %s", strerror(errno));
        return RCMP_NO_RESOURCES;
    }
    pthread_setname_np(server->id, "rcmp-verbs");
    return RCMP_EXPOSED;
}

int rcmp_verbs_expose(const struct rcmp_server_options *options, const struct rcmp_region_view *view, struct rcmp_server **result,
                      char *address_out, size_t address_size, char *error, size_t error_size) {
    char host[256], port[8];
    const struct verbs_library *verbs = verbs_load(error, error_size);
    if (verbs == NULL)
        return RCMP_EXPOSE_UNSUPPORTED;
    if (!rcmp_split_address(options->address + strlen("verbs://"), host, sizeof host, port, sizeof port)) {
        rcmp_fail(error, error_size, "write verbs://address:port, with port 0 to have one picked");
        return RCMP_BAD_ADDRESS;
    }
    struct verbs_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return RCMP_NO_RESOURCES;
    int status = rcmp_server_init(&server->base, &verbs_server_ops, options, view, 1, error, error_size);
    if (status != RCMP_EXPOSED) {
        free(server);
        return status;
    }
    server->verbs = verbs;
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->done, NULL);
    status = server->epoll < 0 || server->event < 0 ? RCMP_NO_RESOURCES : listen_on(server, host, port, error, error_size);
    if (status == RCMP_EXPOSED)
        status = start(server, error, error_size);
    if (status != RCMP_EXPOSED) {
        server_free(server);
        return status;
    }
    uint16_t picked = ntohs(verbs->get_src_port(server->listener));
    snprintf(address_out, address_size, "%.*s:%u", (int)(strrchr(options->address, ':') - options->address), options->address, picked);
    *result = &server->base;
    return RCMP_EXPOSED;
}

#endif
