/* The floor under the tcp fabric: the same message sizes between two threads over loopback with the same spin policy, and nothing else: no
   key, no page table, no guard, no pipeline. Built on demand: gcc -O3 -pthread -o ping ping.c

   ping ROUNDS SPIN_NS   prints, per operation: name bytes p50Ns meanNs */
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

enum { READ = 1, WRITE = 2 };

struct head {
    uint32_t op, length;
    uint8_t rest[HEAD - 8];
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

/* Polls for spin_ns, then sleeps. False when the other side has closed. */
static int receive(int fd, uint8_t *to, size_t bytes) {
    int64_t start = now_ns();
    for (size_t have = 0; have < bytes;) {
        ssize_t got = recv(fd, to + have, bytes - have, MSG_DONTWAIT);
        if (got == 0)
            return 0;
        if (got > 0) {
            have += (size_t)got;
        } else if (errno != EAGAIN) {
            die("recv");
        } else if (now_ns() - start > spin_ns) {
            struct pollfd poll_one = {.fd = fd, .events = POLLIN};
            poll(&poll_one, 1, -1);
        } else {
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
        }
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

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: ping ROUNDS SPIN_NS\n");
        return 2;
    }
    int rounds = atoi(argv[1]), on = 1;
    spin_ns = atoll(argv[2]);
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 || connect(client, (struct sockaddr *)&address, size) != 0)
        die("loopback");
    int server = accept(listener, NULL, NULL);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, &server) != 0)
        die("thread");
    measure(client, "read", READ, 64, rounds);
    measure(client, "read", READ, PAGE, rounds);
    measure(client, "write", WRITE, 64, rounds);
    measure(client, "write", WRITE, PAGE, rounds);
    close(client);
    pthread_join(thread, NULL);
    return 0;
}
