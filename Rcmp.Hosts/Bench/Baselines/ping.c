/* The floor under the tcp fabric: the same message sizes between two threads over loopback with the same spin policy, and nothing else: no
   key, no page table, no guard, no pipeline. Built on demand: gcc -O3 -pthread -o ping ping.c

   ping ROUNDS SPIN_NS                prints, per operation: name bytes p50Ns meanNs
   ping stream SPIN_NS MILLISECONDS   prints, per operation, each measured that long: name bytes inFlight operationsPerSecond */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define HEAD 64
#define ANSWER 16
/* A stream walks over so much memory; what is longer than DIRECT is sent from it and received in it, without a copy between. */
#define RANGE (16 << 20)
#define DIRECT (8 << 10)
#define STAGING (64 << 10)
#define WINDOW_MAX 64

enum { READ = 1, WRITE = 2 };

struct head {
    uint32_t op, length;
    uint64_t at;
    uint8_t rest[HEAD - 16];
};

static int64_t spin_ns;
static uint8_t memory[PAGE];

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* As the pool's sockets do: bbr, which a machine may have set, spreads what is sent over time. */
static void tune(int fd) {
    int on = 1;
    char name[16] = "";
    socklen_t size = sizeof name - 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) == 0 && strncmp(name, "bbr", 3) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) != 0)
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

/* What there is, and waits for it: polls for spin_ns, then sleeps. 0 when the other side has closed. */
static size_t receive_some(int fd, uint8_t *to, size_t room) {
    for (int64_t start = now_ns();;) {
        ssize_t got = recv(fd, to, room, MSG_DONTWAIT);
        if (got >= 0)
            return (size_t)got;
        if (errno != EAGAIN)
            die("recv");
        if (now_ns() - start > spin_ns) {
            struct pollfd poll_one = {.fd = fd, .events = POLLIN};
            poll(&poll_one, 1, -1);
        } else {
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
        }
    }
}

static int receive(int fd, uint8_t *to, size_t bytes) {
    for (size_t have = 0, got; have < bytes; have += got) {
        got = receive_some(fd, to + have, bytes - have);
        if (got == 0)
            return 0;
    }
    return 1;
}

static void send_all(int fd, const uint8_t *from, size_t bytes) {
    while (bytes != 0) {
        ssize_t sent = send(fd, from, bytes, MSG_NOSIGNAL);
        if (sent < 0)
            die("send");
        from += sent;
        bytes -= (size_t)sent;
    }
}

/* One receive takes header and payload of a small request, as a server must that cannot know which comes. */
static void *serve(void *argument) {
    int fd = *(int *)argument;
    static uint8_t in[HEAD + PAGE], out[ANSWER + PAGE];
    int64_t last = now_ns();
    size_t have = 0;
    for (;;) {
        ssize_t got = recv(fd, in + have, sizeof in - have, MSG_DONTWAIT);
        if (got == 0)
            return NULL;
        if (got < 0) {
            if (errno != EAGAIN)
                die("recv");
            if (now_ns() - last > spin_ns) {
                struct pollfd poll_one = {.fd = fd, .events = POLLIN};
                poll(&poll_one, 1, -1);
            }
            continue;
        }
        have += (size_t)got;
        struct head *head = (struct head *)in;
        if (have < HEAD || (head->op == WRITE && have < HEAD + head->length))
            continue;
        size_t bytes = ANSWER;
        if (head->op == READ) {
            memcpy(out + ANSWER, memory, head->length);
            bytes += head->length;
        } else {
            memcpy(memory, in + HEAD, head->length);
        }
        send_all(fd, out, bytes);
        have = 0;
        last = now_ns();
    }
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void measure(int fd, const char *name, uint32_t op, uint32_t length, int rounds) {
    struct head head = {.op = op, .length = length};
    static uint8_t buffer[PAGE], answer[ANSWER + PAGE];
    int64_t *times = malloc(sizeof *times * (size_t)rounds), sum = 0;
    for (int i = -rounds / 10; i < rounds; i++) {
        int64_t start = now_ns();
        struct iovec parts[] = {{&head, HEAD}, {buffer, length}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = op == WRITE ? 2 : 1};
        if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
            die("sendmsg");
        receive(fd, answer, ANSWER + (op == READ ? length : 0));
        if (op == READ)
            memcpy(buffer, answer + ANSWER, length);
        if (i >= 0)
            sum += times[i] = now_ns() - start;
    }
    qsort(times, (size_t)rounds, sizeof *times, compare);
    printf("%s %u %lld %lld\n", name, length, (long long)times[rounds / 2], (long long)(sum / rounds));
    fflush(stdout);
    free(times);
}

/* ---- many in flight, and large ones */

static uint8_t *served;

static void send_parts(int fd, struct iovec *parts, int count) {
    while (count != 0) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent < 0)
            die("sendmsg");
        for (; count != 0 && (size_t)sent >= parts->iov_len; parts++, count--)
            sent -= (ssize_t)parts->iov_len;
        if (count != 0) {
            parts->iov_base = (uint8_t *)parts->iov_base + sent;
            parts->iov_len -= (size_t)sent;
        }
    }
}

static void *serve_stream(void *argument) {
    int fd = *(int *)argument;
    /* Small, so that most of a large write is received where it belongs. */
    static uint8_t in[HEAD + DIRECT], out[STAGING];
    static const uint8_t done[ANSWER];
    size_t start = 0, end = 0, filled = 0;
    for (;;) {
        while (end - start >= HEAD) {
            struct head head;
            memcpy(&head, in + start, HEAD);
            start += HEAD;
            int large = head.op == READ && head.length > DIRECT;
            if (filled != 0 && (large || filled + ANSWER + head.length > sizeof out)) {
                send_all(fd, out, filled);
                filled = 0;
            }
            if (large) {
                struct iovec parts[] = {{(void *)done, ANSWER}, {served + head.at, head.length}};
                send_parts(fd, parts, 2);
            } else if (head.op == READ) {
                memcpy(out + filled + ANSWER, served + head.at, head.length);
                filled += ANSWER + head.length;
            } else {
                size_t have = end - start < head.length ? end - start : head.length;
                memcpy(served + head.at, in + start, have);
                start += have;
                if (!receive(fd, served + head.at + have, head.length - have))
                    return NULL;
                filled += ANSWER;
            }
        }
        if (filled != 0)
            send_all(fd, out, filled);
        filled = 0;
        memmove(in, in + start, end - start);
        end -= start;
        start = 0;
        size_t got = receive_some(fd, in + end, sizeof in - end);
        if (got == 0)
            return NULL;
        end += got;
    }
}

/* Sends what the window has room for. */
static void ask(int fd, uint32_t op, uint32_t length, uint64_t sent, int count, uint8_t *buffer) {
    struct head heads[WINDOW_MAX];
    struct iovec parts[2 * WINDOW_MAX];
    int used = 0;
    for (int i = 0; i < count; i++) {
        uint64_t at = (sent + (uint64_t)i) * length % RANGE;
        heads[i] = (struct head){.op = op, .length = length, .at = at};
        parts[used++] = (struct iovec){&heads[i], HEAD};
        if (op == WRITE)
            parts[used++] = (struct iovec){buffer + at, length};
    }
    send_parts(fd, parts, used);
}

/* At least one answer; returns how many. */
static int take(int fd, uint32_t op, uint32_t length, uint64_t got, uint8_t *buffer) {
    static uint8_t staging[STAGING];
    static size_t have;
    size_t payload = op == READ ? length : 0;
    if (payload > DIRECT)
        return receive(fd, staging, ANSWER) && receive(fd, buffer + got * length % RANGE, length);
    int count = 0;
    while (count == 0) {
        size_t more = receive_some(fd, staging + have, sizeof staging - have), at = 0;
        if (more == 0)
            die("closed");
        have += more;
        for (; have - at >= ANSWER + payload; at += ANSWER + payload, count++)
            memcpy(buffer + (got + (uint64_t)count) * length % RANGE, staging + at + ANSWER, payload);
        memmove(staging, staging + at, have - at);
        have -= at;
    }
    return count;
}

static void stream(int fd, const char *name, uint32_t op, uint32_t length, int window, int64_t duration_ns, uint8_t *buffer) {
    uint64_t sent = 0, got = 0, counted = 0;
    int64_t begin = now_ns(), warm = begin + duration_ns / 4, start = 0, now = begin;
    for (; start == 0 || now - start < duration_ns; now = now_ns()) {
        if (start == 0 && now >= warm) {
            start = now;
            counted = got;
        }
        int room = window - (int)(sent - got);
        ask(fd, op, length, sent, room, buffer);
        sent += (uint64_t)room;
        got += (uint64_t)take(fd, op, length, got, buffer);
    }
    printf("%s %u %d %.1f\n", name, length, window, (double)(got - counted) * 1e9 / (double)(now - start));
    fflush(stdout);
    while (got != sent)
        got += (uint64_t)take(fd, op, length, got, buffer);
}

static void stream_all(int fd, int64_t duration_ns) {
    uint8_t *buffer = malloc(RANGE);
    if (buffer == NULL)
        die("malloc");
    memset(buffer, 1, RANGE);
    stream(fd, "read", READ, 64 << 10, 1, duration_ns, buffer);
    stream(fd, "write", WRITE, 64 << 10, 1, duration_ns, buffer);
    stream(fd, "read", READ, 2 << 20, 1, duration_ns, buffer);
    stream(fd, "write", WRITE, 2 << 20, 1, duration_ns, buffer);
    stream(fd, "read", READ, 64, WINDOW_MAX, duration_ns, buffer);
    free(buffer);
}

int main(int argc, char **argv) {
    int streams = argc == 4 && strcmp(argv[1], "stream") == 0;
    if (argc != 3 && !streams) {
        fprintf(stderr, "usage: ping ROUNDS SPIN_NS, or ping stream SPIN_NS MILLISECONDS\n");
        return 2;
    }
    int rounds = atoi(argv[1]);
    spin_ns = atoll(argv[2]);
    served = streams ? malloc(RANGE) : memory;
    if (served == NULL)
        die("malloc");
    memset(served, 1, streams ? RANGE : PAGE);
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 || connect(client, (struct sockaddr *)&address, size) != 0)
        die("loopback");
    int server = accept(listener, NULL, NULL);
    tune(client);
    tune(server);
    pthread_t thread;
    if (pthread_create(&thread, NULL, streams ? serve_stream : serve, &server) != 0)
        die("thread");
    if (streams) {
        stream_all(client, atoll(argv[3]) * 1000000);
    } else {
        measure(client, "read", READ, 64, rounds);
        measure(client, "read", READ, PAGE, rounds);
        measure(client, "write", WRITE, 64, rounds);
        measure(client, "write", WRITE, PAGE, rounds);
    }
    close(client);
    pthread_join(thread, NULL);
    return 0;
}
