#define _GNU_SOURCE
#include "ready.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BATCH 64

static int result(int value) { return value < 0 ? -errno : value; }

static int control(int queue, int operation, int socket, uint64_t token, uint32_t interest)
{
    struct epoll_event event = { .data.u64 = token };
    if (interest & RCMP_READY_READ)
        event.events |= EPOLLIN | EPOLLRDHUP;
    if (interest & RCMP_READY_WRITE)
        event.events |= EPOLLOUT;
    return result(epoll_ctl(queue, operation, socket, &event));
}

int rcmp_ready_open(int *wake)
{
    int queue = epoll_create1(EPOLL_CLOEXEC);
    if (queue < 0)
        return -errno;
    *wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int added = *wake < 0 ? -errno : control(queue, EPOLL_CTL_ADD, *wake, 0, RCMP_READY_READ);
    if (added < 0) {
        rcmp_ready_close(queue, *wake);
        return added;
    }
    return queue;
}

int rcmp_ready_close(int queue, int wake)
{
    if (wake >= 0)
        close(wake);
    return result(close(queue));
}

int rcmp_ready_add(int queue, int socket, uint64_t token, uint32_t interest) { return control(queue, EPOLL_CTL_ADD, socket, token, interest); }

int rcmp_ready_change(int queue, int socket, uint64_t token, uint32_t interest) { return control(queue, EPOLL_CTL_MOD, socket, token, interest); }

int rcmp_ready_remove(int queue, int socket) { return result(epoll_ctl(queue, EPOLL_CTL_DEL, socket, NULL)); }

int rcmp_ready_wait(int queue, int wake, struct rcmp_ready_event *events, int max, int timeout_ms)
{
    struct epoll_event ready[BATCH];
    int count = epoll_wait(queue, ready, max < BATCH ? max : BATCH, timeout_ms), stored = 0;
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        if (ready[i].data.u64 == 0) {
            uint64_t times;
            if (read(wake, &times, sizeof times) < 0 && errno != EAGAIN)
                return -errno;
            continue;
        }
        uint32_t seen = ready[i].events;
        events[stored++] = (struct rcmp_ready_event){
            .token = ready[i].data.u64,
            .readiness = (seen & (EPOLLIN | EPOLLRDHUP) ? RCMP_READY_READ : 0u) | (seen & EPOLLOUT ? RCMP_READY_WRITE : 0u)
                | (seen & (EPOLLERR | EPOLLHUP) ? RCMP_READY_BROKEN : 0u),
        };
    }
    return stored;
}

int rcmp_ready_wake(int wake)
{
    uint64_t once = 1;
    return write(wake, &once, sizeof once) < 0 && errno != EAGAIN ? -errno : 0;
}
