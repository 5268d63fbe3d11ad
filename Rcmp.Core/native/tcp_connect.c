/* How the asking side of tcp gets its connection. */
#define _GNU_SOURCE
#include "tcp_client.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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
    client->polite_ns = RCMP_POLITE_NS;
    for (uint32_t i = 0; i < RCMP_WINDOW; i++)
        memcpy(client->requests[i].key, options->key, RCMP_KEY_BYTES);
    int status = introduce(client, options, deadline, error, error_size);
    if (status != RCMP_CONNECTED) {
        client->base.ops->close(&client->base);
        return status;
    }
    *connection = &client->base;
    return RCMP_CONNECTED;
}
