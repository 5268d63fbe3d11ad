/* What a peer of the serving side is owed: answers that are sent as far as the socket takes them, and kept as far as it does not. Never a wait. */
#define _GNU_SOURCE
#include "tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* With more than this unsent the peer's requests wait: a peer that does not drain its answers costs a bounded buffer, and what is read for one that drains them slowly is
   sent from where it is, instead of being copied to the end of a queue. The socket's own buffer keeps the peer busy meanwhile. */
#define OUT_HIGH (64u << 10)
#define OUT_FIRST (64u << 10)

bool tcp_peer_blocked(const struct tcp_peer *peer) {
    size_t queued = tcp_peer_queued(peer);
    return queued > OUT_HIGH || (peer->waits_empty && queued != 0);
}

uint8_t *tcp_out_reserve(struct tcp_peer *peer, size_t bytes) {
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

/* Sends once. How many bytes went, 0 if the socket takes none; -1: the peer is lost. */
static ssize_t send_once(struct tcp_peer *peer, struct iovec *parts, size_t count) {
    for (;;) {
        ssize_t sent = tcp_send(peer->fd, parts, count);
        if (sent >= 0 || errno != EINTR)
            return sent >= 0 ? sent : errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
    }
}

bool tcp_out_flush(struct tcp_peer *peer) {
    ssize_t sent = 1;
    while (sent != 0 && peer->out_start != peer->out_end) {
        struct iovec rest = {peer->out + peer->out_start, tcp_peer_queued(peer)};
        sent = send_once(peer, &rest, 1);
        if (sent < 0)
            return false;
        peer->out_start += (size_t)sent;
    }
    peer->out_left = tcp_peer_queued(peer);
    if (peer->out_left == 0)
        peer->out_start = peer->out_end = 0;
    return true;
}

bool tcp_out_frame(struct tcp_peer *peer, const struct tcp_answer *head, const uint8_t *memory, uint32_t length) {
    uint8_t *out = tcp_out_reserve(peer, sizeof *head);
    if (out == NULL)
        return false;
    memcpy(out, head, sizeof *head);
    peer->out_end += sizeof *head;
    uint32_t gone = 0;
    /* Behind what the socket did not take a while ago this waits too. */
    while (gone < length && peer->out_left == 0) {
        size_t queued = tcp_peer_queued(peer);
        struct iovec parts[] = {{peer->out + peer->out_start, queued}, {(void *)(memory + gone), length - gone}};
        ssize_t sent = send_once(peer, parts, 2);
        if (sent < 0)
            return false;
        if ((size_t)sent >= queued) {
            peer->out_start = peer->out_end = 0;
            gone += (uint32_t)((size_t)sent - queued);
        } else {
            peer->out_start += (size_t)sent;
        }
        if (sent == 0)
            peer->out_left = tcp_peer_queued(peer) + (length - gone);
    }
    if (gone < length) {
        if ((out = tcp_out_reserve(peer, length - gone)) == NULL)
            return false;
        rcmp_copy_out(out, memory + gone, length - gone);
        peer->out_end += length - gone;
    }
    return true;
}
