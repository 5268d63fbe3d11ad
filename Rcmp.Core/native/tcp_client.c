/* The asking side of tcp: a window of requests, sent and answered in order, driven by the calling thread alone. */
#define _GNU_SOURCE
#include "tcp_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* After a pause as long a connection may have been closed meanwhile: it is asked before a request is sent, which can then be repeated
   instead of having an unknown outcome. */
#define PAUSE_NS 1000000ll
#define SMALL_BYTES 256u

void tcp_break_off(struct tcp_client *client, uint32_t status) {
    if (client->broken)
        return;
    client->broken = true;
    client->break_status = status;
    /* What the kernel has not sent yet is dropped: the fewer requests arrive without an answer, the better. */
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(client->fd);
    client->fd = -1;
}

static int tcp_post(struct rcmp_connection *base, const struct rcmp_request *request) {
    struct tcp_client *client = (struct tcp_client *)base;
    if (client->broken || client->tail - client->head == RCMP_WINDOW)
        return 0;
    struct tcp_entry *entry = tcp_entry_at(client, client->tail);
    struct rcmp_operation operation = {
        .op = request->op, .role = client->role, .frame = request->frame, .offset = request->offset, .length = request->length};
    entry->refused = rcmp_check(&operation, client->frame_count, client->page_shift);
    entry->answered = false;
    entry->token = request->token;
    entry->buffer = request->buffer;
    entry->payload = request->op == RCMP_WRITE ? request->length : 0;
    entry->answer_bytes = rcmp_answer_bytes(request->op, request->length);
    struct tcp_request *wire = &client->requests[client->tail % RCMP_WINDOW]; /* the key is there since the connection was opened */
    wire->op = request->op;
    wire->length = request->length;
    wire->page = request->page;
    wire->epoch_low = request->epoch_low;
    wire->offset = request->offset;
    wire->tag = entry->tag = (uint32_t)client->tail;
    wire->frame = request->frame;
    wire->operand = request->operand;
    wire->comparand = request->comparand;
    client->tail++;
    return 1;
}

static void skip_refused(struct tcp_client *client) {
    while (client->sent != client->tail && tcp_entry_at(client, client->sent)->refused != RCMP_OK)
        client->sent++;
}

static void advance(struct tcp_client *client, size_t bytes) {
    while (bytes != 0) {
        skip_refused(client);
        const struct tcp_entry *entry = tcp_entry_at(client, client->sent);
        size_t rest = sizeof client->requests[0] + entry->payload - client->sent_bytes;
        if (bytes < rest) {
            client->sent_bytes += bytes;
            return;
        }
        bytes -= rest;
        client->sent_bytes = 0;
        client->sent++;
    }
    skip_refused(client);
}

/* Parts that follow each other in memory are one: naming each request to the kernel costs more than what it carries. */
static int add_part(struct iovec *parts, int count, uint8_t *from, size_t length) {
    if (count != 0 && (uint8_t *)parts[count - 1].iov_base + parts[count - 1].iov_len == from) {
        parts[count - 1].iov_len += length;
        return count;
    }
    parts[count] = (struct iovec){from, length};
    return count + 1;
}

/* A small write that goes alone leaves as one piece too, copied behind its request: that costs less than a message of two parts. */
static ssize_t send_one_small(struct tcp_client *client, const struct tcp_entry *entry) {
    struct {
        struct tcp_request request;
        uint8_t payload[SMALL_BYTES];
    } piece;
    piece.request = client->requests[client->sent % RCMP_WINDOW];
    memcpy(piece.payload, entry->buffer, entry->payload);
    return send(client->fd, &piece, sizeof piece.request + entry->payload, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool is_one_small(struct tcp_client *client, const struct tcp_entry *entry) {
    return client->tail - client->sent == 1 && client->sent_bytes == 0 && entry->payload != 0 && entry->payload <= SMALL_BYTES;
}

/* One try to send all that waits: the requests' headers and, straight from the callers' buffers, what they write. */
static ssize_t send_once(struct tcp_client *client) {
    const struct tcp_entry *first = tcp_entry_at(client, client->sent);
    if (is_one_small(client, first))
        return send_one_small(client, first);
    struct iovec parts[2 * RCMP_WINDOW];
    int count = 0;
    size_t skip = client->sent_bytes;
    for (uint64_t i = client->sent; i != client->tail; i++, skip = 0) {
        struct tcp_entry *entry = tcp_entry_at(client, i);
        if (entry->refused != RCMP_OK)
            continue;
        if (skip < sizeof(struct tcp_request))
            count = add_part(parts, count, (uint8_t *)&client->requests[i % RCMP_WINDOW] + skip, sizeof(struct tcp_request) - skip);
        size_t into = skip > sizeof(struct tcp_request) ? skip - sizeof(struct tcp_request) : 0;
        if (entry->payload > into)
            count = add_part(parts, count, entry->buffer + into, entry->payload - into);
    }
    return tcp_send(client->fd, parts, (size_t)count);
}

/* Sends what the socket takes. */
static void send_waiting(struct tcp_client *client) {
    skip_refused(client);
    while (client->sent != client->tail) {
        ssize_t bytes = send_once(client);
        if (bytes < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                tcp_break_off(client, RCMP_CONNECTION_LOST);
            return;
        }
        advance(client, (size_t)bytes);
    }
}

static int complete_broken(struct tcp_client *client, struct rcmp_completion *completions, int max) {
    int count = 0;
    for (; count < max && client->head != client->tail; client->head++) {
        const struct tcp_entry *entry = tcp_entry_at(client, client->head);
        if (entry->answered) {
            completions[count++] = (struct rcmp_completion){.token = entry->token, .status = entry->status, .result = entry->result};
            continue;
        }
        bool begun = client->head < client->sent || (client->head == client->sent && client->sent_bytes != 0);
        uint32_t status = entry->refused != RCMP_OK ? entry->refused : begun ? client->break_status : (uint32_t)RCMP_NOT_SENT;
        completions[count++] = (struct rcmp_completion){.token = entry->token, .status = status};
    }
    return count;
}

static void sleep_until(struct tcp_client *client, int64_t now, int64_t deadline) {
    int64_t left = deadline - now;
    struct timespec timeout = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    short events = POLLIN | (client->sent != client->tail ? POLLOUT : 0);
    struct pollfd poll = {.fd = client->fd, .events = events};
    ppoll(&poll, 1, &timeout, NULL);
}

static bool closed_meanwhile(struct tcp_client *client) {
    uint8_t byte;
    ssize_t got = recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR); /* bytes that nobody asked for are as bad */
}

/* Before the first request after a pause. */
static void check_after_pause(struct tcp_client *client, int64_t now) {
    if (!client->broken && client->head == client->sent && client->sent_bytes == 0 && now - client->last > PAUSE_NS &&
        closed_meanwhile(client))
        tcp_break_off(client, RCMP_CONNECTION_LOST);
}

static void tcp_flush(struct rcmp_connection *base) {
    struct tcp_client *client = (struct tcp_client *)base;
    check_after_pause(client, rcmp_now_ns());
    if (!client->broken)
        send_waiting(client);
}

static int tcp_wait(struct rcmp_connection *base, struct rcmp_completion *completions, int max, int64_t spin_ns, int64_t timeout_ns) {
    struct tcp_client *client = (struct tcp_client *)base;
    if (client->head == client->tail)
        return 0;
    int64_t start = rcmp_now_ns(), now = start, deadline = rcmp_deadline(start, timeout_ns);
    check_after_pause(client, start);
    for (;;) {
        if (client->broken)
            return complete_broken(client, completions, max);
        send_waiting(client);
        int count = tcp_complete(client, completions, max);
        if (count != 0) {
            client->last = now;
            return count;
        }
        if (client->broken)
            continue;
        if (client->head != client->sent && tcp_receive(client))
            continue;
        now = rcmp_now_ns();
        if (now >= deadline)
            tcp_break_off(client, RCMP_DEADLINE_PASSED);
        else if (now - start < client->polite_ns && now - start < spin_ns)
            rcmp_relax();
        else if (now - start < spin_ns)
            client->polite_ns = tcp_yield(now);
        else if (!client->broken)
            sleep_until(client, now, deadline);
    }
}

static int tcp_usable(struct rcmp_connection *base) { return !((struct tcp_client *)base)->broken; }

static void tcp_close(struct rcmp_connection *base) {
    struct tcp_client *client = (struct tcp_client *)base;
    tcp_break_off(client, RCMP_CONNECTION_LOST);
    free(client);
}

const struct rcmp_connection_ops tcp_connection_ops = {tcp_flush, tcp_post, tcp_wait, tcp_usable, tcp_close};

