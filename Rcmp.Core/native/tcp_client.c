/* The asking side of tcp: a window of requests, sent and answered in order, driven by the calling thread alone. */
#define _GNU_SOURCE
#include "tcp.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define STAGING_BYTES (64u << 10)
/* An answer with more left than this is received where it belongs; a smaller one costs less to copy than another call. */
#define DIRECT_BYTES (8u << 10)
/* After a pause as long a connection may have been closed meanwhile: it is asked before a request is sent, which can then be repeated
   instead of having an unknown outcome. */
#define PAUSE_NS 1000000ll

struct entry {
    struct tcp_request request;
    uint8_t *buffer;
    uint64_t token;
    uint32_t payload;      /* bytes that follow the request */
    uint32_t answer_bytes; /* bytes that follow an OK answer */
    uint32_t refused;      /* ends so without being sent */
};

struct tcp_client {
    struct rcmp_connection base;
    int fd;
    bool broken;
    uint32_t break_status;
    uint32_t page_shift;
    uint32_t role;
    uint64_t frame_count;
    uint64_t head, sent, tail; /* in flight: head to sent; waiting: sent to tail, of which the first may be partly sent */
    size_t sent_bytes;
    bool have_answer;
    struct tcp_answer answer;
    uint32_t answer_have;
    uint32_t staged_start, staged_end;
    int64_t last;
    uint8_t key[RCMP_KEY_BYTES];
    struct entry window[RCMP_WINDOW];
    uint8_t staging[STAGING_BYTES];
};

static struct entry *entry_at(struct tcp_client *client, uint64_t index) { return &client->window[index % RCMP_WINDOW]; }

static void break_off(struct tcp_client *client, uint32_t status) {
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
    struct entry *entry = entry_at(client, client->tail);
    struct rcmp_operation operation = {
        .op = request->op, .role = client->role, .frame = request->frame, .offset = request->offset, .length = request->length};
    entry->refused = rcmp_check(&operation, client->frame_count, client->page_shift);
    entry->token = request->token;
    entry->buffer = request->buffer;
    entry->payload = request->op == RCMP_WRITE ? request->length : 0;
    entry->answer_bytes = rcmp_answer_bytes(request->op, request->length);
    struct tcp_request *wire = &entry->request; /* the key is there since the connection was opened */
    wire->op = request->op;
    wire->length = request->length;
    wire->page = request->page;
    wire->epoch_low = request->epoch_low;
    wire->offset = request->offset;
    wire->tag = (uint32_t)client->tail;
    wire->frame = request->frame;
    wire->operand = request->operand;
    wire->comparand = request->comparand;
    client->tail++;
    return 1;
}

static void skip_refused(struct tcp_client *client) {
    while (client->sent != client->tail && entry_at(client, client->sent)->refused != RCMP_OK)
        client->sent++;
}

static void advance(struct tcp_client *client, size_t bytes) {
    while (bytes != 0) {
        skip_refused(client);
        const struct entry *entry = entry_at(client, client->sent);
        size_t rest = sizeof entry->request + entry->payload - client->sent_bytes;
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

/* Sends what the socket takes: the requests' headers and, straight from the callers' buffers, what they write. */
static void send_waiting(struct tcp_client *client) {
    skip_refused(client);
    while (client->sent != client->tail) {
        struct iovec parts[2 * RCMP_WINDOW];
        int count = 0;
        size_t skip = client->sent_bytes;
        for (uint64_t i = client->sent; i != client->tail; i++, skip = 0) {
            struct entry *entry = entry_at(client, i);
            if (entry->refused != RCMP_OK)
                continue;
            if (skip < sizeof entry->request)
                parts[count++] = (struct iovec){(uint8_t *)&entry->request + skip, sizeof entry->request - skip};
            size_t into = skip > sizeof entry->request ? skip - sizeof entry->request : 0;
            if (entry->payload > into)
                parts[count++] = (struct iovec){entry->buffer + into, entry->payload - into};
        }
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
        ssize_t bytes = sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (bytes < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                break_off(client, RCMP_CONNECTION_LOST);
            return;
        }
        advance(client, (size_t)bytes);
    }
}

/* Takes what is staged of the answer to the oldest request. False if more must come. */
static bool take_answer(struct tcp_client *client, struct entry *entry) {
    uint32_t staged = client->staged_end - client->staged_start;
    if (!client->have_answer) {
        if (staged < sizeof client->answer)
            return false;
        memcpy(&client->answer, client->staging + client->staged_start, sizeof client->answer);
        client->staged_start += sizeof client->answer;
        staged -= sizeof client->answer;
        client->have_answer = true;
        client->answer_have = 0;
        if (client->answer.tag != entry->request.tag || client->answer.status > RCMP_REFUSED) {
            break_off(client, RCMP_CONNECTION_LOST);
            return false;
        }
    }
    uint32_t expected = client->answer.status == RCMP_OK ? entry->answer_bytes : 0;
    uint32_t missing = expected - client->answer_have;
    uint32_t take = staged < missing ? staged : missing;
    if (take != 0) {
        memcpy(entry->buffer + client->answer_have, client->staging + client->staged_start, take);
        client->staged_start += take;
        client->answer_have += take;
    }
    return client->answer_have == expected;
}

static int complete_answered(struct tcp_client *client, struct rcmp_completion *completions, int max) {
    int count = 0;
    while (count < max && client->head != client->sent) {
        struct entry *entry = entry_at(client, client->head);
        if (entry->refused != RCMP_OK) {
            completions[count++] = (struct rcmp_completion){.token = entry->token, .status = entry->refused};
        } else {
            if (!take_answer(client, entry))
                break;
            completions[count++] =
                (struct rcmp_completion){.token = entry->token, .status = client->answer.status, .result = client->answer.result};
            client->have_answer = false;
        }
        client->head++;
    }
    return count;
}

/* One receive: into the caller's buffer if much of an answer is missing, else into the staging buffer. True if something came. */
static bool receive_some(struct tcp_client *client) {
    const struct entry *entry = entry_at(client, client->head);
    if (client->staged_start == client->staged_end)
        client->staged_start = client->staged_end = 0;
    uint8_t *to = client->staging + client->staged_end;
    size_t room = STAGING_BYTES - client->staged_end;
    bool direct = false;
    if (client->have_answer && entry->answer_bytes - client->answer_have > DIRECT_BYTES) {
        to = entry->buffer + client->answer_have;
        room = entry->answer_bytes - client->answer_have;
        direct = true;
    } else if (!client->have_answer && entry->answer_bytes > DIRECT_BYTES && client->staged_end < sizeof client->answer) {
        room = sizeof client->answer - client->staged_end;
    } else if (client->staged_start > STAGING_BYTES / 2) {
        memmove(client->staging, client->staging + client->staged_start, client->staged_end - client->staged_start);
        client->staged_end -= client->staged_start;
        client->staged_start = 0;
        to = client->staging + client->staged_end;
        room = STAGING_BYTES - client->staged_end;
    }
    ssize_t got = recv(client->fd, to, room, MSG_DONTWAIT);
    if (got > 0) {
        if (direct)
            client->answer_have += (uint32_t)got;
        else
            client->staged_end += (uint32_t)got;
        return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        break_off(client, RCMP_CONNECTION_LOST);
    return false;
}

static int complete_broken(struct tcp_client *client, struct rcmp_completion *completions, int max) {
    int count = 0;
    for (; count < max && client->head != client->tail; client->head++) {
        const struct entry *entry = entry_at(client, client->head);
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
        break_off(client, RCMP_CONNECTION_LOST);
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
        int count = complete_answered(client, completions, max);
        if (count != 0) {
            client->last = now;
            return count;
        }
        if (client->broken)
            continue;
        if (client->head != client->sent && receive_some(client))
            continue;
        now = rcmp_now_ns();
        if (now >= deadline)
            break_off(client, RCMP_DEADLINE_PASSED);
        else if (now - start < RCMP_POLITE_NS && now - start < spin_ns)
            rcmp_relax();
        else if (now - start < spin_ns)
            sched_yield();
        else if (!client->broken)
            sleep_until(client, now, deadline);
    }
}

static int tcp_usable(struct rcmp_connection *base) { return !((struct tcp_client *)base)->broken; }

static void tcp_close(struct rcmp_connection *base) {
    struct tcp_client *client = (struct tcp_client *)base;
    break_off(client, RCMP_CONNECTION_LOST);
    free(client);
}

static const struct rcmp_connection_ops tcp_connection_ops = {tcp_flush, tcp_post, tcp_wait, tcp_usable, tcp_close};

static bool ready(int fd, short events, int64_t deadline) {
    for (;;) {
        int64_t left = deadline - rcmp_now_ns();
        struct timespec timeout = {.tv_sec = left > 0 ? left / 1000000000 : 0, .tv_nsec = left > 0 ? left % 1000000000 : 0};
        struct pollfd poll = {.fd = fd, .events = events};
        int count = ppoll(&poll, 1, &timeout, NULL);
        if (count >= 0 || errno != EINTR) {
            if (count == 0)
                errno = ETIMEDOUT;
            return count > 0;
        }
    }
}

static int open_socket(const struct addrinfo *to, int64_t deadline) {
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int code = connect(fd, to->ai_addr, to->ai_addrlen) == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
        socklen_t size = sizeof code;
        if (!ready(fd, POLLOUT, deadline))
            code = errno;
        else
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
    }
    if (code == 0) {
        tcp_tune(fd);
        return fd;
    }
    close(fd);
    errno = code;
    return -1;
}

/* Introduces the connection. Returns an rcmp_connect_status. */
static int introduce(struct tcp_client *client, const struct rcmp_connect_options *options, int64_t deadline, char *error, size_t error_size) {
    struct tcp_greeting greeting = {.magic = TCP_MAGIC};
    struct tcp_welcome welcome;
    size_t have = 0;
    rcmp_hello_fill(&greeting.hello, options);
    ssize_t sent = send(client->fd, &greeting, sizeof greeting, MSG_NOSIGNAL); /* a fresh socket has room for it */
    while (sent == (ssize_t)sizeof greeting && have < sizeof welcome && ready(client->fd, POLLIN, deadline)) {
        ssize_t got = recv(client->fd, (uint8_t *)&welcome + have, sizeof welcome - have, 0);
        if (got == 0)
            errno = ECONNRESET;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    if (have < sizeof welcome) {
        rcmp_fail(error, error_size, "no welcome: %s", strerror(errno));
        return RCMP_UNREACHABLE;
    }
    if (welcome.magic != TCP_MAGIC) {
        rcmp_fail(error, error_size, "something else listens there");
        return RCMP_UNREACHABLE;
    }
    if (welcome.refusal != RCMP_ADMITTED) {
        rcmp_fail(error, error_size, "%s", rcmp_refusal_text(welcome.refusal));
        return RCMP_CONNECT_REFUSED;
    }
    client->page_shift = welcome.page_shift;
    client->frame_count = welcome.frame_count;
    return RCMP_CONNECTED;
}

int rcmp_tcp_connect(const struct rcmp_connect_options *options, struct rcmp_connection **connection, char *error, size_t error_size) {
    char host[256], port[8];
    if (!rcmp_split_address(options->address + strlen("tcp://"), host, sizeof host, port, sizeof port)) {
        rcmp_fail(error, error_size, "write tcp://host:port");
        return RCMP_UNREACHABLE;
    }
    int64_t deadline = rcmp_deadline(rcmp_now_ns(), options->timeout_ns);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found = NULL;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0) {
        rcmp_fail(error, error_size, "host '%s': %s", host, gai_strerror(code));
        return RCMP_UNREACHABLE;
    }
    int fd = -1;
    for (const struct addrinfo *to = found; to != NULL && fd < 0; to = to->ai_next)
        fd = open_socket(to, deadline);
    int reason = errno;
    freeaddrinfo(found);
    struct tcp_client *client = fd < 0 ? NULL : calloc(1, sizeof *client);
    if (client == NULL) {
        rcmp_fail(error, error_size, "%s", strerror(fd < 0 ? reason : ENOMEM));
        if (fd >= 0)
            close(fd);
        return RCMP_UNREACHABLE;
    }
    client->base.ops = &tcp_connection_ops;
    client->fd = fd;
    client->role = options->role;
    client->last = rcmp_now_ns();
    for (uint32_t i = 0; i < RCMP_WINDOW; i++)
        memcpy(client->window[i].request.key, options->key, RCMP_KEY_BYTES);
    int status = introduce(client, options, deadline, error, error_size);
    if (status != RCMP_CONNECTED) {
        tcp_close(&client->base);
        return status;
    }
    *connection = &client->base;
    return RCMP_CONNECTED;
}
