/* The tcp backend: wire format and the serving side's structures. Little-endian, as every machine that can map a region with us is. */
#ifndef RCMP_TCP_H
#define RCMP_TCP_H

#include <sched.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "fabric.h"

#define TCP_MAGIC 0x3143544D50434352ull /* "RCCPMTC1" read as bytes: a stray HTTP request is not this */

/* Client to server, once. */
struct tcp_greeting {
    uint64_t magic;
    struct rcmp_hello hello;
};

/* Server to client, once. */
struct tcp_welcome {
    uint64_t magic;
    uint32_t refusal; /* an rcmp_refusal */
    uint32_t page_shift;
    uint64_t frame_count;
    uint64_t reserved;
};

/* Followed by length bytes if it is a write. */
struct tcp_request {
    uint8_t key[RCMP_KEY_BYTES];
    uint32_t op;
    uint32_t length;
    uint64_t page;
    uint32_t epoch_low;
    uint32_t offset;
    uint32_t tag; /* echoed; answers come in the order of the requests */
    uint32_t frame;
    uint64_t operand;
    uint64_t comparand;
};

/* Followed by the bytes read if it is a read and the status is OK. */
struct tcp_answer {
    uint32_t tag;
    uint32_t status;
    uint64_t result;
};

_Static_assert(sizeof(struct tcp_greeting) == 64, "greeting");
_Static_assert(sizeof(struct tcp_welcome) == 32, "welcome");
_Static_assert(sizeof(struct tcp_request) == 64, "request");
_Static_assert(sizeof(struct tcp_answer) == 16, "answer");

/* After so long a poll, whoever else wants the core gets it between two looks: on a machine with few cores the peer may be the one that waits for it. */
#define RCMP_POLITE_NS 20000
/* The same once it was. */
#define RCMP_SHARED_NS 1000

/* Gives the core away; for how long to poll before the next time. Away for long enough for a switch and back, but for no more than what a peer does between two looks:
   then the peer shares the core, and each poll keeps it from answering. Away for longer: somebody computes, who would take the core each time. */
static inline int64_t tcp_yield(int64_t now) {
    sched_yield();
    int64_t away = rcmp_now_ns() - now;
    return away > 2000 && away < 100000 ? RCMP_SHARED_NS : RCMP_POLITE_NS;
}

/* Sends what the socket takes at once. One part, as a single request or answer is, needs no message for the kernel to copy first. */
static inline ssize_t tcp_send(int fd, struct iovec *parts, size_t count) {
    if (count == 1)
        return send(fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

struct tcp_server;
struct tcp_thread;

/* A connection on the serving side, owned by one service thread. */
struct tcp_peer {
    struct tcp_peer *next, *previous;
    struct tcp_thread *thread;
    int fd;
    uint32_t interest; /* what epoll watches */
    bool greeted;
    bool stopped;     /* requests wait in the buffer for room in the output */
    bool waits_empty; /* the next one waits until there is no output left */
    int64_t since;
    struct rcmp_hello hello;
    uint8_t *in;
    uint32_t in_start, in_end;
    bool large; /* a write too big for the input buffer is on its way into the bounce buffer */
    struct tcp_request large_request;
    uint32_t large_have;
    uint8_t *bounce;
    uint8_t *out;
    size_t out_start, out_end, out_size;
    size_t out_left; /* unsent after the last try */
};

/* A service thread: its own epoll set, guard slot and peers. */
struct tcp_thread {
    struct tcp_server *server;
    pthread_t id;
    int epoll;
    int event; /* eventfd: commands wait */
    struct rcmp_guard_slot *slot;
    struct tcp_peer *peers;
    struct tcp_peer *hot; /* answered last: polled directly while the thread spins */
    uint32_t strangers;   /* peers that have not introduced themselves */
    bool stop;
    bool listener_paused;
    pthread_mutex_t lock;
    pthread_cond_t done;
    struct tcp_command *commands;
};

struct tcp_server {
    struct rcmp_server base;
    int listener;
    uint32_t next_thread;
    uint32_t connected; /* sockets, introduced or not */
    uint32_t admitted;
    struct tcp_thread threads[];
};

/* tcp_peer.c */
struct tcp_peer *tcp_peer_new(struct tcp_thread *thread, int fd);
void tcp_peer_free(struct tcp_peer *peer);
/* Receives, executes and answers what there is without waiting. False if the peer is to be closed. */
bool tcp_peer_serve(struct tcp_peer *peer, bool *progress);
static inline size_t tcp_peer_queued(const struct tcp_peer *peer) { return peer->out_end - peer->out_start; }
bool tcp_peer_blocked(const struct tcp_peer *peer);

/* tcp_output.c */
/* Room at the end of the output; NULL if there is no memory. */
uint8_t *tcp_out_reserve(struct tcp_peer *peer, size_t bytes);
/* Sends as much as the socket takes. False if the peer is lost. */
bool tcp_out_flush(struct tcp_peer *peer);
/* Answers, with bytes of a frame behind: what the socket does not take of them is copied, so that they may change afterwards. False as above. */
bool tcp_out_frame(struct tcp_peer *peer, const struct tcp_answer *head, const uint8_t *memory, uint32_t length);

/* tcp_thread.c */
bool tcp_thread_start(struct tcp_server *server, uint32_t index);
/* The first of them accepts connections from now on, for all of them. */
void tcp_threads_listen(struct tcp_server *server);
/* Of the first so many: no thread and no peer is left afterwards. */
void tcp_threads_stop(struct tcp_server *server, uint32_t count);
/* Closes the peers that the filter names, in all threads. When it returns none of them touches the region any more. */
void tcp_threads_destroy(struct tcp_server *server, const struct rcmp_filter *filter);

/* tcp_server.c */
void tcp_tune(int fd);

#endif
