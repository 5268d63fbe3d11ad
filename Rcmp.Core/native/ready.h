/* Which sockets are ready, for one thread that serves them all. .NET has this only behind a thread of its own and its thread pool, which makes each
   message wake two threads more. Every function returns a value, or a negative errno. */
#ifndef RCMP_READY_H
#define RCMP_READY_H

#include <stdint.h>

enum { RCMP_READY_READ = 1, RCMP_READY_WRITE = 2, RCMP_READY_BROKEN = 4 };

/* Matches Native/ReadinessQueue.cs. */
struct rcmp_ready_event {
    uint64_t token;
    uint32_t readiness;
    uint32_t reserved;
};

/* The queue's descriptor; the one that wakes it goes to wake. */
int rcmp_ready_open(int *wake);
int rcmp_ready_close(int queue, int wake);

/* Level-triggered. Token 0 is the queue's own. */
int rcmp_ready_add(int queue, int socket, uint64_t token, uint32_t interest);
int rcmp_ready_change(int queue, int socket, uint64_t token, uint32_t interest);
int rcmp_ready_remove(int queue, int socket);

/* How many events were stored, 0 after a wake alone. Waits without end if timeout_ms is negative. */
int rcmp_ready_wait(int queue, int wake, struct rcmp_ready_event *events, int max, int timeout_ms);
int rcmp_ready_wake(int wake);

#endif
