/* The serving side of tcp: its sockets, and how service begins and ends. */
#define _GNU_SOURCE
#include "tcp.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* bbr spreads what is sent over time, with a timer for each burst: made for long ways, it halves the bandwidth between neighbours. cubic may not be allowed to everybody, reno
   always is. */
static void do_not_pace(int fd) {
    char name[16] = "";
    socklen_t size = sizeof name - 1;
    if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) != 0 || strncmp(name, "bbr", 3) != 0)
        return;
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) != 0)
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

void tcp_tune(int fd) {
    int on = 1, idle = 10, interval = 3, probes = 3;
    unsigned user_timeout_ms = 20000;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
    do_not_pace(fd);
}

static void tcp_destroy(struct rcmp_server *base, const struct rcmp_filter *filter) { tcp_threads_destroy((struct tcp_server *)base, filter); }

static void tcp_close(struct rcmp_server *base) {
    struct tcp_server *server = (struct tcp_server *)base;
    tcp_threads_stop(server, base->threads);
    close(server->listener);
    rcmp_server_fini(base);
    free(server);
}

static const struct rcmp_server_ops tcp_server_ops = {tcp_destroy, tcp_close};

/* Listens on host:port; the port that was picked goes to *picked. */
static int listen_on(const char *host, const char *port, uint16_t *picked, int *status, char *error, size_t error_size) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0) {
        rcmp_fail(error, error_size, "host '%s': %s", host, gai_strerror(code));
        *status = RCMP_BAD_ADDRESS;
        return -1;
    }
    int on = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_storage bound;
    socklen_t bound_size = sizeof bound;
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 512) != 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &bound_size) != 0) {
        *status = errno == EADDRINUSE ? RCMP_ADDRESS_IN_USE : errno == EADDRNOTAVAIL ? RCMP_BAD_ADDRESS : RCMP_NO_RESOURCES;
        rcmp_fail(error, error_size, "%s", strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    } else {
        *picked = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port : ((struct sockaddr_in *)&bound)->sin_port);
    }
    freeaddrinfo(found);
    return fd;
}

int rcmp_tcp_expose(const struct rcmp_server_options *options, const struct rcmp_region_view *view, struct rcmp_server **result,
                    char *address_out, size_t address_size, char *error, size_t error_size) {
    char host[256], port[8];
    if (!rcmp_split_address(options->address + strlen("tcp://"), host, sizeof host, port, sizeof port)) {
        rcmp_fail(error, error_size, "write tcp://host:port, with port 0 to have one picked");
        return RCMP_BAD_ADDRESS;
    }
    struct tcp_server *server = calloc(1, sizeof *server + options->service_threads * sizeof server->threads[0]);
    if (server == NULL)
        return RCMP_NO_RESOURCES;
    int status = rcmp_server_init(&server->base, &tcp_server_ops, options, view, options->service_threads, error, error_size);
    if (status != RCMP_EXPOSED) {
        free(server);
        return status;
    }
    uint16_t picked = 0;
    server->listener = listen_on(host, port, &picked, &status, error, error_size);
    for (uint32_t i = 0; server->listener >= 0 && i < options->service_threads; i++) {
        if (!tcp_thread_start(server, i)) {
            rcmp_fail(error, error_size, "service thread %u cannot be started: %s", i, strerror(errno));
            status = RCMP_NO_RESOURCES;
            tcp_threads_stop(server, i);
            close(server->listener);
            server->listener = -1;
        }
    }
    if (server->listener < 0) {
        rcmp_server_fini(&server->base);
        free(server);
        return status;
    }
    tcp_threads_listen(server);
    snprintf(address_out, address_size, "%.*s:%u", (int)(strrchr(options->address, ':') - options->address), options->address, picked);
    *result = &server->base;
    return RCMP_EXPOSED;
}
