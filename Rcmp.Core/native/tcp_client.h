/* The asking side of tcp, as its parts share it. */
#ifndef RCMP_TCP_CLIENT_H
#define RCMP_TCP_CLIENT_H

#include "tcp.h"

#define TCP_STAGING_BYTES (64u << 10)

/* A request in the window. */
struct tcp_entry {
    uint8_t *buffer;
    uint64_t token;
    uint32_t payload;      /* bytes that follow the request */
    uint32_t answer_bytes; /* bytes that follow an OK answer */
    uint32_t tag;
    uint32_t refused;      /* ends so without being sent */
    bool answered;         /* with these two, and what was read is in place */
    uint32_t status;
    uint64_t result;
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
    int64_t polite_ns;
    struct tcp_entry window[RCMP_WINDOW];
    struct tcp_request requests[RCMP_WINDOW]; /* side by side, so that those that carry nothing leave as one piece */
    uint8_t staging[TCP_STAGING_BYTES];
};

static inline struct tcp_entry *tcp_entry_at(struct tcp_client *client, uint64_t index) { return &client->window[index % RCMP_WINDOW]; }

/* tcp_client.c */
extern const struct rcmp_connection_ops tcp_connection_ops;
void tcp_break_off(struct tcp_client *client, uint32_t status);

/* tcp_receive.c */
/* One receive without waiting. True if something came. */
bool tcp_receive(struct tcp_client *client);
/* Stores the completions of what is answered, in the order of the requests. */
int tcp_complete(struct tcp_client *client, struct rcmp_completion *completions, int max);

#endif
