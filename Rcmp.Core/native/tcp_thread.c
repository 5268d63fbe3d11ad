/* The service threads of tcp, each with its own epoll set, guard slot and peers. A thread polls for spin_ns after its last request, then sleeps: an idle rack costs
   nothing. Peers are closed by their own thread alone, so a fence is a command to each thread, done when all have answered; no thread ever waits for a peer, so that is soon. */
#define _GNU_SOURCE
#include "tcp.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define GREETING_NS 5000000000ll
#define SWEEP_MS 500
/* Peers of one thread that have not introduced themselves. Whoever comes when there are so many takes the place of the one that has been silent longest: a flood of
   silent connections costs a bounded number of descriptors and keeps nobody out who speaks at once. */
#define STRANGERS_MAX 128
/* While spinning on the hot peer, other peers and commands are looked at every so many rounds. */
#define HOT_ROUNDS 4

struct tcp_command {
    enum { TCP_ADOPT, TCP_DESTROY, TCP_STOP } kind;
    int fd;
    const struct rcmp_filter *filter;
    bool done;
    struct tcp_command *next;
};

static void command_send(struct tcp_thread *thread, struct tcp_command *command) {
    uint64_t one = 1;
    pthread_mutex_lock(&thread->lock);
    command->next = thread->commands;
    thread->commands = command;
    pthread_mutex_unlock(&thread->lock);
    ssize_t written = write(thread->event, &one, sizeof one);
    (void)written; /* fails only with the counter at its maximum, and then the thread is awake anyway */
}

static void command_await(struct tcp_thread *thread, struct tcp_command *command) {
    pthread_mutex_lock(&thread->lock);
    while (!command->done)
        pthread_cond_wait(&thread->done, &thread->lock);
    pthread_mutex_unlock(&thread->lock);
}

static void peer_watch(struct tcp_peer *peer) {
    uint32_t interest = (tcp_peer_blocked(peer) ? 0u : (uint32_t)EPOLLIN) | (tcp_peer_queued(peer) != 0 ? (uint32_t)EPOLLOUT : 0u);
    if (interest == peer->interest)
        return;
    struct epoll_event event = {.events = interest, .data.ptr = peer};
    epoll_ctl(peer->thread->epoll, EPOLL_CTL_MOD, peer->fd, &event);
    peer->interest = interest;
}

static void peer_close(struct tcp_peer *peer) {
    struct tcp_thread *thread = peer->thread;
    if (peer->greeted)
        __atomic_sub_fetch(&thread->server->admitted, 1, __ATOMIC_RELAXED);
    else
        thread->strangers--;
    __atomic_sub_fetch(&thread->server->connected, 1, __ATOMIC_RELAXED);
    if (peer->previous != NULL)
        peer->previous->next = peer->next;
    else
        thread->peers = peer->next;
    if (peer->next != NULL)
        peer->next->previous = peer->previous;
    if (thread->hot == peer)
        thread->hot = NULL;
    tcp_peer_free(peer);
}

static void close_oldest_stranger(struct tcp_thread *thread) {
    struct tcp_peer *oldest = NULL;
    for (struct tcp_peer *peer = thread->peers; peer != NULL; peer = peer->next) {
        if (!peer->greeted)
            oldest = peer; /* the list is in order of arrival, the newest first */
    }
    if (oldest != NULL) {
        rcmp_count(&thread->server->base.counters.refused, 1);
        peer_close(oldest);
    }
}

static void peer_adopt(struct tcp_thread *thread, int fd) {
    if (thread->strangers >= STRANGERS_MAX)
        close_oldest_stranger(thread);
    struct tcp_peer *peer = tcp_peer_new(thread, fd);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (peer == NULL || epoll_ctl(thread->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        __atomic_sub_fetch(&thread->server->connected, 1, __ATOMIC_RELAXED);
        if (peer != NULL)
            tcp_peer_free(peer);
        else
            close(fd);
        return;
    }
    peer->interest = EPOLLIN;
    peer->next = thread->peers;
    if (thread->peers != NULL)
        thread->peers->previous = peer;
    thread->peers = peer;
    thread->strangers++;
}

static bool peer_handle(struct tcp_peer *peer) {
    bool progress = false;
    if (!tcp_peer_serve(peer, &progress)) {
        peer_close(peer);
        return true;
    }
    peer_watch(peer);
    if (progress && !tcp_peer_blocked(peer))
        peer->thread->hot = peer;
    return progress;
}

static void listener_watch(struct tcp_thread *thread, bool on) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = thread->server};
    epoll_ctl(thread->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, thread->server->listener, &event);
    thread->listener_paused = !on;
}

static void accept_peers(struct tcp_thread *thread) {
    struct tcp_server *server = thread->server;
    for (int i = 0; i < EVENTS_MAX; i++) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            /* Out of descriptors or memory: the pending connection stays pending, so look again later instead of at once. */
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                listener_watch(thread, false);
            return;
        }
        if (__atomic_add_fetch(&server->connected, 1, __ATOMIC_RELAXED) > server->base.max_connections + server->base.threads * (STRANGERS_MAX + 1)) {
            __atomic_sub_fetch(&server->connected, 1, __ATOMIC_RELAXED);
            rcmp_count(&server->base.counters.refused, 1);
            close(fd);
            continue;
        }
        tcp_tune(fd);
        struct tcp_thread *target = &server->threads[server->next_thread++ % server->base.threads];
        struct tcp_command *command = target == thread ? NULL : calloc(1, sizeof *command);
        if (command == NULL) {
            peer_adopt(thread, fd);
        } else {
            command->kind = TCP_ADOPT;
            command->fd = fd;
            command_send(target, command);
        }
    }
}

static void run_destroy(struct tcp_thread *thread, const struct rcmp_filter *filter) {
    for (struct tcp_peer *peer = thread->peers, *next; peer != NULL; peer = next) {
        next = peer->next;
        bool all = filter->kind == RCMP_FILTER_ALL;
        if (all || (peer->greeted && rcmp_filter_matches(filter, &peer->hello)))
            peer_close(peer);
    }
}

static void run_commands(struct tcp_thread *thread) {
    uint64_t count;
    ssize_t got = read(thread->event, &count, sizeof count);
    (void)got; /* nothing there: another round has taken it */
    pthread_mutex_lock(&thread->lock);
    struct tcp_command *command = thread->commands;
    thread->commands = NULL;
    pthread_mutex_unlock(&thread->lock);
    while (command != NULL) {
        struct tcp_command *next = command->next;
        if (command->kind == TCP_ADOPT) {
            peer_adopt(thread, command->fd);
            free(command);
        } else {
            if (command->kind == TCP_STOP)
                thread->stop = true;
            else
                run_destroy(thread, command->filter);
            pthread_mutex_lock(&thread->lock);
            command->done = true;
            pthread_cond_broadcast(&thread->done);
            pthread_mutex_unlock(&thread->lock);
        }
        command = next;
    }
}

/* Closes those that connected and said nothing. */
static void sweep(struct tcp_thread *thread, int64_t now) {
    for (struct tcp_peer *peer = thread->peers, *next; peer != NULL && thread->strangers != 0; peer = next) {
        next = peer->next;
        if (!peer->greeted && now - peer->since > GREETING_NS)
            peer_close(peer);
    }
    if (thread->listener_paused)
        listener_watch(thread, true);
}

static bool handle_events(struct tcp_thread *thread, int timeout_ms) {
    struct epoll_event events[EVENTS_MAX];
    bool active = false, commands = false, listener = false;
    int count = epoll_wait(thread->epoll, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < count; i++) {
        void *who = events[i].data.ptr;
        if (who == thread)
            commands = true;
        else if (who == thread->server)
            listener = true;
        else
            active |= peer_handle(who);
    }
    /* Last, since both may close peers that are still named in the events. */
    if (listener)
        accept_peers(thread);
    if (commands)
        run_commands(thread);
    return active || listener;
}

static void *service_main(void *argument) {
    struct tcp_thread *thread = argument;
    int64_t spin_ns = thread->server->base.spin_ns, polite_ns = RCMP_POLITE_NS;
    int64_t last = rcmp_now_ns(), swept = last;
    unsigned round = 0;
    while (!thread->stop) {
        /* A peer whose socket is full is not tried over and over: that would take the socket's lock from whoever empties it. Epoll says when there is room for much. */
        bool hot = thread->hot != NULL && !tcp_peer_blocked(thread->hot);
        bool active = hot && peer_handle(thread->hot);
        int64_t now = rcmp_now_ns();
        bool spin = active || now - last < spin_ns;
        if (!spin || !hot || ++round % HOT_ROUNDS == 0) {
            bool watchful = thread->strangers != 0 || thread->listener_paused;
            if (!spin)
                thread->hot = NULL;
            if (handle_events(thread, spin ? 0 : watchful ? SWEEP_MS : -1)) {
                active = true;
                now = rcmp_now_ns();
            }
            if (watchful && now - swept > SWEEP_MS * 1000000ll) {
                swept = now = rcmp_now_ns();
                sweep(thread, now);
            }
        }
        if (active)
            last = now;
        else if (spin && now - last > polite_ns)
            polite_ns = tcp_yield(now);
    }
    run_destroy(thread, &(struct rcmp_filter){.kind = RCMP_FILTER_ALL});
    return NULL;
}

void tcp_threads_destroy(struct tcp_server *server, const struct rcmp_filter *filter) {
    const struct rcmp_server *base = &server->base;
    struct tcp_command commands[base->threads];
    memset(commands, 0, sizeof commands);
    for (uint32_t i = 0; i < base->threads; i++) {
        commands[i].kind = TCP_DESTROY;
        commands[i].filter = filter;
        command_send(&server->threads[i], &commands[i]);
    }
    for (uint32_t i = 0; i < base->threads; i++)
        command_await(&server->threads[i], &commands[i]);
}

static void thread_fini(struct tcp_thread *thread) {
    /* A socket handed over by the listener's thread after this one had stopped. */
    for (struct tcp_command *command = thread->commands, *next; command != NULL; command = next) {
        next = command->next;
        if (command->kind == TCP_ADOPT) {
            close(command->fd);
            free(command);
        }
    }
    close(thread->epoll);
    close(thread->event);
    pthread_mutex_destroy(&thread->lock);
    pthread_cond_destroy(&thread->done);
}

void tcp_threads_stop(struct tcp_server *server, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        struct tcp_command stop = {.kind = TCP_STOP};
        command_send(&server->threads[i], &stop);
        command_await(&server->threads[i], &stop);
        pthread_join(server->threads[i].id, NULL);
    }
    for (uint32_t i = 0; i < count; i++)
        thread_fini(&server->threads[i]);
}

void tcp_threads_listen(struct tcp_server *server) { listener_watch(&server->threads[0], true); }

bool tcp_thread_start(struct tcp_server *server, uint32_t index) {
    struct tcp_thread *thread = &server->threads[index];
    thread->server = server;
    thread->slot = rcmp_server_slot(&server->base, index);
    thread->epoll = epoll_create1(EPOLL_CLOEXEC);
    thread->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->done, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = thread};
    bool ok = thread->epoll >= 0 && thread->event >= 0 && epoll_ctl(thread->epoll, EPOLL_CTL_ADD, thread->event, &event) == 0;
    /* Signals belong to the runtime's threads. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ok = ok && pthread_create(&thread->id, NULL, service_main, thread) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (ok) {
        char name[16];
        snprintf(name, sizeof name, "rcmp-tcp-%u", index & 0xFFF);
        pthread_setname_np(thread->id, name);
    } else {
        thread_fini(thread);
    }
    return ok;
}
