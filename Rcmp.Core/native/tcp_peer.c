/* One connection on the serving side of tcp: bytes in, guarded operations, bytes out, never a wait. A write is complete in a buffer
   before its guard is taken, and what was read leaves after it is cleared, so no peer can hold up a page. */
#include "tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_BYTES (32u << 10)
/* With more than this unsent the peer's requests wait: a peer that does not drain its answers costs a bounded buffer. */
#define OUT_HIGH (256u << 10)
#define OUT_FIRST (16u << 10)
/* Other peers of the thread get their turn after as many receives. */
#define ROUNDS_MAX 16

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

bool tcp_peer_blocked(const struct tcp_peer *peer) { return tcp_peer_queued(peer) > OUT_HIGH; }

/* Room at the end of the output. */
static uint8_t *out_reserve(struct tcp_peer *peer, size_t bytes) {
    if (peer->out_start == peer->out_end)
        peer->out_start = peer->out_end = 0;
    if (peer->out_size - peer->out_end < bytes) {
        size_t queued = tcp_peer_queued(peer);
        if (peer->out_start != 0) {
            memmove(peer->out, peer->out + peer->out_start, queued);
            peer->out_start = 0;
            peer->out_end = queued;
        }
        size_t size = peer->out_size != 0 ? peer->out_size : OUT_FIRST;
        while (size - queued < bytes)
            size *= 2;
        if (size != peer->out_size) {
            uint8_t *grown = realloc(peer->out, size);
            if (grown == NULL)
                return NULL;
            peer->out = grown;
            peer->out_size = size;
        }
    }
    return peer->out + peer->out_end;
}

static bool flush(struct tcp_peer *peer) {
    while (peer->out_start != peer->out_end) {
        ssize_t sent = send(peer->fd, peer->out + peer->out_start, tcp_peer_queued(peer), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            return errno == EAGAIN || errno == EWOULDBLOCK;
        }
        peer->out_start += (size_t)sent;
    }
    peer->out_start = peer->out_end = 0;
    return true;
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
    struct tcp_welcome *welcome = (struct tcp_welcome *)out_reserve(peer, sizeof *welcome);
    if (welcome == NULL)
        return false;
    *welcome = (struct tcp_welcome){.magic = TCP_MAGIC,
                                    .refusal = refusal,
                                    .page_shift = server->base.view.page_shift,
                                    .frame_count = server->base.view.frame_count};
    peer->out_end += sizeof *welcome;
    if (refusal != RCMP_ADMITTED) {
        rcmp_count(&server->base.counters.refused, 1);
        flush(peer);
        return false;
    }
    peer->hello = greeting->hello;
    peer->greeted = true;
    peer->thread->strangers--;
    __atomic_add_fetch(&server->admitted, 1, __ATOMIC_RELAXED);
    rcmp_count(&server->base.counters.connections, 1);
    return true;
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
    uint32_t bytes = rcmp_answer_bytes(request->op, request->length);
    if (bytes != 0 && rcmp_check(&operation, server->view.frame_count, server->view.page_shift) != RCMP_OK)
        bytes = 0;
    uint8_t *out = out_reserve(peer, sizeof(struct tcp_answer) + bytes);
    if (out == NULL)
        return false;
    struct tcp_answer head = {.tag = request->tag};
    head.status = rcmp_execute(server, peer->thread->slot, &operation, payload != NULL ? payload : out + sizeof head, &head.result);
    memcpy(out, &head, sizeof head);
    peer->out_end += sizeof head + (head.status == RCMP_OK ? bytes : 0);
    return true;
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
    for (int round = 0;;) {
        if (!process(peer) || !flush(peer))
            return false;
        if (tcp_peer_blocked(peer))
            return true;
        if (peer->stopped)
            continue;
        if (round++ == ROUNDS_MAX)
            return true;
        uint8_t *to = peer->large ? peer->bounce + peer->large_have : peer->in + peer->in_end;
        uint32_t room = peer->large ? peer->large_request.length - peer->large_have : IN_BYTES - peer->in_end;
        ssize_t got = recv(peer->fd, to, room, MSG_DONTWAIT);
        if (got == 0)
            return false;
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return errno == EAGAIN || errno == EWOULDBLOCK;
        }
        *progress = true;
        if (peer->large)
            peer->large_have += (uint32_t)got;
        else
            peer->in_end += (uint32_t)got;
        if ((uint32_t)got < room)
            round = ROUNDS_MAX; /* drained: serve this, and do not ask again */
    }
}
