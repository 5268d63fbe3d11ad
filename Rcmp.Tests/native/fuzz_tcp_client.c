/* Random answers to the asking side of tcp, in one process, to be built with sanitizers: fuzz SEED CONNECTIONS PAGE_SHIFT.
   Every buffer is allocated to the byte, so that what is received beside it is found. */
#define _GNU_SOURCE
#include "tcp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUESTS_MAX 40

static uint32_t page_shift;
static int listener;

static void check(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static uint32_t below(uint64_t *state, uint32_t limit) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 33) % limit;
}

static bool take(int fd, void *to, size_t bytes) { return bytes == 0 || recv(fd, to, bytes, MSG_WAITALL) == (ssize_t)bytes; }

static bool push(int fd, uint64_t *state, const uint8_t *at, size_t length) {
    int fine = below(state, 2) == 0 ? 60 : 0;
    while (length != 0) {
        size_t piece = 1 + below(state, fine-- > 0 ? 50 : 70000);
        ssize_t sent = send(fd, at, piece < length ? piece : length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* Answers some requests at a time, nearly always as it should. */
static void *lie(void *argument) {
    uint64_t state = *(uint64_t *)argument ^ 0x9E3779B97F4A7C15ull;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    check(fd >= 0, "accept");
    struct tcp_greeting greeting;
    struct tcp_welcome welcome = {.magic = TCP_MAGIC, .page_shift = page_shift, .frame_count = 8};
    bool open = take(fd, &greeting, sizeof greeting) && send(fd, &welcome, sizeof welcome, MSG_NOSIGNAL) == sizeof welcome;
    uint8_t *out = malloc((REQUESTS_MAX + 1) * (sizeof(struct tcp_answer) + (1u << page_shift))), *body = calloc(1, 1u << page_shift);
    check(out != NULL && body != NULL, "memory");
    while (open) {
        size_t filled = 0;
        for (uint32_t count = 1 + below(&state, 8); open && count != 0; count--) {
            struct tcp_request request;
            struct timeval patience = {.tv_usec = filled == 0 ? 0 : 500};
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
            if (recv(fd, &request, 1, MSG_PEEK) != 1) {
                open = filled != 0;
                break;
            }
            patience.tv_usec = 0;
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
            open = take(fd, &request, sizeof request) && take(fd, body, request.op == RCMP_WRITE ? request.length : 0);
            struct tcp_answer answer = {.tag = request.tag, .status = below(&state, 6) == 0 ? below(&state, 5) : RCMP_OK};
            if (below(&state, 400) == 0)
                ((uint8_t *)&answer)[below(&state, sizeof answer)] ^= (uint8_t)(1u << below(&state, 8));
            memcpy(out + filled, &answer, sizeof answer);
            filled += sizeof answer;
            uint32_t bytes = answer.status == RCMP_OK ? rcmp_answer_bytes(request.op, request.length) : 0;
            memset(out + filled, (int)(request.operand & 0xFF), bytes);
            filled += bytes;
        }
        bool half = below(&state, 200) == 0;
        open = open && push(fd, &state, out, half ? filled / 2 : filled) && !half;
    }
    free(out);
    free(body);
    close(fd);
    return NULL;
}

static void one_connection(uint64_t *state, const char *address) {
    pthread_t owner;
    check(pthread_create(&owner, NULL, lie, state) == 0, "thread");
    struct rcmp_connect_options options = {.address = address, .name = 1, .timeout_ns = 5000000000ll, .role = RCMP_CLIENT};
    struct rcmp_connection *connection;
    char error[256] = "";
    check(rcmp_connect(&options, &connection, error, sizeof error) == RCMP_CONNECTED, error);
    for (int round = 0; round < 20 && rcmp_usable(connection); round++) {
        struct rcmp_request requests[REQUESTS_MAX];
        struct rcmp_completion completions[REQUESTS_MAX];
        int count = 1 + (int)below(state, REQUESTS_MAX), posted, done = 0, got;
        for (int i = 0; i < count; i++) {
            uint32_t lengths[] = {below(state, 100), 8, below(state, (1u << page_shift) + 1), 1u << page_shift, (1u << page_shift) + 1};
            requests[i] = (struct rcmp_request){.op = 1 + below(state, 5), .page = 1, .length = lengths[below(state, below(state, 9) == 0 ? 5 : 4)], .token = (uint64_t)i, .operand = (uint64_t)i};
            requests[i].buffer = calloc(1, requests[i].length + 1);
            check(requests[i].buffer != NULL, "memory");
        }
        got = rcmp_exchange(connection, requests, count, &posted, completions, 1 + (int)below(state, REQUESTS_MAX), 10000, 2000000000ll);
        check(posted == count || !rcmp_usable(connection), "not posted");
        for (; got != 0; got = rcmp_wait(connection, completions, REQUESTS_MAX, 10000, 2000000000ll)) {
            for (int i = 0; i < got; i++, done++) {
                struct rcmp_request *request = &requests[completions[i].token];
                check(completions[i].token == (uint64_t)done || completions[i].status >= RCMP_OUT_OF_RANGE, "out of order");
                bool read = request->op == RCMP_READ && completions[i].status == RCMP_OK;
                for (uint32_t at = 0; read && at < request->length; at++)
                    check(request->buffer[at] == (uint8_t)request->operand, "bytes of another answer");
            }
        }
        check(done == posted, "completions are missing");
        for (int i = 0; i < count; i++)
            free(requests[i].buffer);
    }
    rcmp_close(connection);
    pthread_join(owner, NULL);
}

int main(int count, char **arguments) {
    check(count == 4, "usage: fuzz SEED CONNECTIONS PAGE_SHIFT");
    uint64_t state = strtoull(arguments[1], NULL, 10) | 1;
    page_shift = (uint32_t)atoi(arguments[3]);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof to;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(listener, (struct sockaddr *)&to, size) == 0 && listen(listener, 4) == 0 && getsockname(listener, (struct sockaddr *)&to, &size) == 0, "listen");
    char address[64];
    snprintf(address, sizeof address, "tcp://127.0.0.1:%d", ntohs(to.sin_port));
    for (int i = 0; i < atoi(arguments[2]); i++)
        one_connection(&state, address);
    close(listener);
    return 0;
}
