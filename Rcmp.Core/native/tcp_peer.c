/* One connection on the serving side of tcp: bytes in, guarded operations, bytes out, never a wait. A write is complete in a buffer
   before its guard is taken, and what was read leaves after it is cleared, so no peer can hold up a page. */
#include "tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_BYTES (32u << 10)
/* Other peers of the thread get their turn after as many receives. */
#define ROUNDS_MAX 16
/* A read of so many bytes is not copied first, unless it must be. READ_ROW is shorter, and so always copied. */
#define LENT_BYTES (16u << 10)
#define EARLY_BYTES (64u << 10)

static uint32_t page_size_of(const struct tcp_peer *peer) { return 1u << peer->thread->server->base.view.page_shift; }

static bool server_of_peer_is_full(struct tcp_server *server) {
    return __atomic_load_n(&server->admitted, __ATOMIC_RELAXED) >= server->base.max_connections;
}

struct tcp_peer *tcp_peer_new(struct tcp_thread *thread, int fd) {
    struct tcp_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return NULL;
    peer->in = malloc(IN_BYTES);
    if (peer->in == NULL) {
        free(peer);
        return NULL;
    }
    peer->thread = thread;
    peer->fd = fd;
    peer->since = rcmp_now_ns();
    return peer;
}

void tcp_peer_free(struct tcp_peer *peer) {
    /* Closing alone leaves it in the set as long as another process has the socket: one that this one is just starting has all of them until it runs its program. */
    epoll_ctl(peer->thread->epoll, EPOLL_CTL_DEL, peer->fd, NULL);
    close(peer->fd);
    free(peer->in);
    free(peer->bounce);
    free(peer->out);
    free(peer);
}

/* Answers the introduction. False closes the connection, after the refusal has left if it can. */
static bool greet(struct tcp_peer *peer, const struct tcp_greeting *greeting) {
    struct tcp_server *server = peer->thread->server;
    enum rcmp_refusal refusal = RCMP_NOT_OURS;
    if (greeting->magic == TCP_MAGIC) {
        refusal = rcmp_admit(&server->base, &greeting->hello);
        if (refusal == RCMP_ADMITTED && server_of_peer_is_full(server))
            refusal = RCMP_TOO_MANY;
    }
    struct tcp_welcome *welcome = (struct tcp_welcome *)tcp_out_reserve(peer, sizeof *welcome);
    if (welcome == NULL)
        return false;
    *welcome = (struct tcp_welcome){.magic = TCP_MAGIC,
                                    .refusal = refusal,
                                    .page_shift = server->base.view.page_shift,
                                    .frame_count = server->base.view.frame_count};
    peer->out_end += sizeof *welcome;
    if (refusal != RCMP_ADMITTED) {
        rcmp_count(&server->base.counters.refused, 1);
        tcp_out_flush(peer);
        return false;
    }
    peer->hello = greeting->hello;
    peer->greeted = true;
    peer->thread->strangers--;
    __atomic_add_fetch(&server->admitted, 1, __ATOMIC_RELAXED);
    rcmp_count(&server->base.counters.connections, 1);
    return true;
}

/* A long read: sent from where the bytes are, under the guard and as far as the socket takes them. What it does not take is copied before the guard is cleared. */
static bool answer_lent(struct tcp_peer *peer, const struct rcmp_operation *operation, struct tcp_answer head) {
    struct tcp_thread *thread = peer->thread;
    struct rcmp_lent lent;
    head.status = rcmp_lend(&thread->server->base, thread->slot, operation, &lent);
    if (head.status != RCMP_OK)
        return tcp_out_frame(peer, &head, NULL, 0);
    bool fine = tcp_out_frame(peer, &head, lent.memory, operation->length);
    rcmp_take_back(&thread->server->base, thread->slot, &lent);
    return fine;
}

/* Executes a request whose payload, if any, is complete, and queues the answer. */
static bool answer(struct tcp_peer *peer, const struct tcp_request *request, uint8_t *payload) {
    struct rcmp_server *server = &peer->thread->server->base;
    struct rcmp_operation operation = {.op = request->op,
                                       .role = peer->hello.role,
                                       .page = request->page,
                                       .epoch_low = request->epoch_low,
                                       .frame = request->frame,
                                       .offset = request->offset,
                                       .length = request->length,
                                       .operand = request->operand,
                                       .comparand = request->comparand};
    struct tcp_answer head = {.tag = request->tag};
    uint32_t bytes = rcmp_answer_bytes(request->op, request->length);
    if (bytes >= LENT_BYTES)
        return answer_lent(peer, &operation, head);
    if (bytes != 0 && rcmp_check(&operation, server->view.frame_count, server->view.page_shift) != RCMP_OK)
        bytes = 0;
    uint8_t *out = tcp_out_reserve(peer, sizeof head + bytes);
    if (out == NULL)
        return false;
    head.status = rcmp_execute(server, peer->thread->slot, &operation, payload != NULL ? payload : out + sizeof head, &head.result);
    memcpy(out, &head, sizeof head);
    peer->out_end += sizeof head + (head.status == RCMP_OK ? bytes : 0);
    /* What is much is on its way while the next requests are executed. */
    return tcp_peer_queued(peer) - peer->out_left < EARLY_BYTES || tcp_out_flush(peer);
}

/* Begins a write that does not fit the input buffer; the rest of it is received where it is wanted. */
static bool begin_large(struct tcp_peer *peer, const struct tcp_request *request) {
    if (peer->bounce == NULL && (peer->bounce = malloc(page_size_of(peer))) == NULL)
        return false;
    peer->in_start += sizeof *request;
    uint32_t take = peer->in_end - peer->in_start;
    if (take > request->length)
        take = request->length;
    memcpy(peer->bounce, peer->in + peer->in_start, take);
    peer->in_start += take;
    peer->large = true;
    peer->large_request = *request;
    peer->large_have = take;
    return true;
}

/* The request at the head of the input buffer: true in *more if it was dealt with. False closes the connection. */
static bool next_request(struct tcp_peer *peer, bool *more) {
    struct tcp_request request;
    uint32_t available = peer->in_end - peer->in_start;
    *more = false;
    if (available < sizeof request)
        return true;
    memcpy(&request, peer->in + peer->in_start, sizeof request);
    struct rcmp_server *server = &peer->thread->server->base;
    bool write = request.op == RCMP_WRITE;
    if (!rcmp_key_equal(request.key, server->key) || (write && request.length > page_size_of(peer))) {
        rcmp_count(&server->counters.refused, 1);
        return false;
    }
    /* Behind what a full socket has left, a long read would be copied from end to end. */
    peer->waits_empty = peer->out_left != 0 && rcmp_answer_bytes(request.op, request.length) >= LENT_BYTES;
    if (peer->waits_empty) {
        *more = true;
        return true;
    }
    uint32_t whole = sizeof request + (write ? request.length : 0);
    if (whole > IN_BYTES) {
        *more = true;
        return begin_large(peer, &request);
    }
    if (available < whole)
        return true;
    uint8_t *payload = write ? peer->in + peer->in_start + sizeof request : NULL;
    peer->in_start += whole;
    *more = true;
    return answer(peer, &request, payload);
}

static bool process(struct tcp_peer *peer) {
    bool more = true;
    peer->stopped = false;
    while (more) {
        if (tcp_peer_blocked(peer)) {
            peer->stopped = true;
            break;
        }
        if (peer->large) {
            if (peer->large_have < peer->large_request.length)
                break;
            peer->large = false;
            if (!answer(peer, &peer->large_request, peer->bounce))
                return false;
        } else if (!peer->greeted) {
            struct tcp_greeting greeting;
            if (peer->in_end - peer->in_start < sizeof greeting)
                break;
            memcpy(&greeting, peer->in + peer->in_start, sizeof greeting);
            peer->in_start += sizeof greeting;
            if (!greet(peer, &greeting))
                return false;
        } else if (!next_request(peer, &more)) {
            return false;
        }
    }
    if (peer->in_start == peer->in_end) {
        peer->in_start = peer->in_end = 0;
    } else if (peer->in_start != 0 && !peer->stopped) {
        memmove(peer->in, peer->in + peer->in_start, peer->in_end - peer->in_start);
        peer->in_end -= peer->in_start;
        peer->in_start = 0;
    }
    return true;
}

bool tcp_peer_serve(struct tcp_peer *peer, bool *progress) {
    bool drained = false;
    for (int round = 0;;) {
        if (!process(peer))
            return false;
        bool last = drained || round++ >= ROUNDS_MAX;
        size_t queued = tcp_peer_queued(peer);
        /* Answers to a train of writes leave together, when all that has come is dealt with. */
        if ((last || tcp_peer_blocked(peer)) && !tcp_out_flush(peer))
            return false;
        *progress |= tcp_peer_queued(peer) < queued;
        if (tcp_peer_blocked(peer))
            return true;
        if (peer->stopped)
            continue;
        if (last)
            return true;
        uint8_t *to = peer->large ? peer->bounce + peer->large_have : peer->in + peer->in_end;
        uint32_t room = peer->large ? peer->large_request.length - peer->large_have : IN_BYTES - peer->in_end;
        ssize_t got = recv(peer->fd, to, room, MSG_DONTWAIT);
        if (got == 0)
            return false;
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return (errno == EAGAIN || errno == EWOULDBLOCK) && tcp_out_flush(peer);
        }
        *progress = true;
        if (peer->large)
            peer->large_have += (uint32_t)got;
        else
            peer->in_end += (uint32_t)got;
        drained = (uint32_t)got < room; /* serve this, and do not ask again */
    }
}
