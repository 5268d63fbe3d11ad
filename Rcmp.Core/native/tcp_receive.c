/* Answers on their way in. Small ones are received many at once into a staging buffer and copied out of it; bodies of long ones are received where they belong. */
#define _GNU_SOURCE
#include "tcp_client.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A body with more left than this is received where it belongs; a smaller one costs less to copy than to name to the kernel. */
#define SPREAD_BYTES (1u << 10)
#define SPREAD_ANSWERS 32
#define SPREAD_PARTS (2 * SPREAD_ANSWERS + 1)

/* Whether the answer's head is one to this request. Breaks the connection off if not. */
static bool accept_head(struct tcp_client *client, const struct tcp_entry *entry, const struct tcp_answer *head) {
    if (head->tag == entry->tag && head->status <= RCMP_REFUSED)
        return true;
    tcp_break_off(client, RCMP_CONNECTION_LOST);
    return false;
}

/* Takes what is staged of the answer to the oldest request. False if more must come. */
static bool take_answer(struct tcp_client *client, struct tcp_entry *entry) {
    uint32_t staged = client->staged_end - client->staged_start;
    if (!client->have_answer) {
        if (staged < sizeof client->answer)
            return false;
        memcpy(&client->answer, client->staging + client->staged_start, sizeof client->answer);
        client->staged_start += sizeof client->answer;
        staged -= sizeof client->answer;
        client->have_answer = true;
        client->answer_have = 0;
        if (!accept_head(client, entry, &client->answer))
            return false;
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

int tcp_complete(struct tcp_client *client, struct rcmp_completion *completions, int max) {
    int count = 0;
    while (count < max && client->head != client->sent) {
        struct tcp_entry *entry = tcp_entry_at(client, client->head);
        if (entry->refused != RCMP_OK) {
            completions[count++] = (struct rcmp_completion){.token = entry->token, .status = entry->refused};
        } else if (entry->answered) {
            completions[count++] = (struct rcmp_completion){.token = entry->token, .status = entry->status, .result = entry->result};
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

static ssize_t received(struct tcp_client *client, ssize_t got) {
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        tcp_break_off(client, RCMP_CONNECTION_LOST);
    return got;
}

/* Bytes that were taken for a body and are the next answers: back in line. */
static void stage(struct tcp_client *client, const struct iovec *part, size_t bytes) {
    for (; bytes != 0; part++) {
        size_t take = bytes < part->iov_len ? bytes : part->iov_len;
        memcpy(client->staging + client->staged_end, part->iov_base, take);
        client->staged_end += (uint32_t)take;
        bytes -= take;
    }
}

static void end_answer(struct tcp_client *client, struct tcp_entry *entry) {
    entry->answered = true;
    entry->status = client->answer.status;
    entry->result = client->answer.result;
    client->have_answer = false;
}

/* Where the answers go if all of them are OK: heads to one place, bodies to the callers' buffers. No more behind the first head than can be staged. */
struct spread {
    struct tcp_answer heads[SPREAD_ANSWERS];
    struct tcp_entry *entries[SPREAD_PARTS]; /* whose head or body the part is */
    struct iovec parts[SPREAD_PARTS];
    int count;
};

static void spread_add(struct spread *spread, struct tcp_entry *entry, void *to, size_t length) {
    spread->entries[spread->count] = entry;
    spread->parts[spread->count++] = (struct iovec){to, length};
}

static void spread_plan(struct tcp_client *client, struct spread *spread) {
    uint64_t i = client->head;
    size_t room = TCP_STAGING_BYTES, staged = client->staged_end - client->staged_start;
    spread->count = 0;
    if (client->have_answer) {
        struct tcp_entry *entry = tcp_entry_at(client, i++);
        spread_add(spread, entry, entry->buffer + client->answer_have, entry->answer_bytes - client->answer_have);
    }
    memcpy(&spread->heads[0], client->staging + client->staged_start, staged);
    for (int answer = 0; i != client->sent && answer < SPREAD_ANSWERS && room > sizeof(struct tcp_answer); i++) {
        struct tcp_entry *entry = tcp_entry_at(client, i);
        if (entry->refused != RCMP_OK)
            continue;
        spread_add(spread, entry, (uint8_t *)&spread->heads[answer++] + staged, sizeof(struct tcp_answer) - staged);
        room -= sizeof(struct tcp_answer);
        staged = 0;
        size_t body = entry->answer_bytes < room ? entry->answer_bytes : room;
        room -= body;
        if (body != 0)
            spread_add(spread, entry, entry->buffer, body);
        if (body != entry->answer_bytes)
            break;
    }
}

/* Sees what has come where. */
static void spread_take(struct tcp_client *client, struct spread *spread, size_t got) {
    const struct tcp_answer *head = spread->heads;
    client->staged_start = client->staged_end = 0;
    for (int i = 0; i < spread->count && got != 0; i++) {
        struct tcp_entry *entry = spread->entries[i];
        size_t here = got < spread->parts[i].iov_len ? got : spread->parts[i].iov_len;
        got -= here;
        if (client->have_answer) {
            client->answer_have += (uint32_t)here;
            if (client->answer_have == entry->answer_bytes)
                end_answer(client, entry);
            continue;
        }
        if (here < spread->parts[i].iov_len) {
            client->staged_end = (uint32_t)((uint8_t *)spread->parts[i].iov_base + here - (uint8_t *)head);
            memcpy(client->staging, head, client->staged_end);
            return;
        }
        client->answer = *head++;
        if (!accept_head(client, entry, &client->answer))
            return;
        client->answer_have = 0;
        client->have_answer = true;
        if (client->answer.status == RCMP_OK && entry->answer_bytes != 0)
            continue;
        end_answer(client, entry);
        if (entry->answer_bytes != 0) {
            stage(client, &spread->parts[i + 1], got);
            return;
        }
    }
}

bool tcp_receive(struct tcp_client *client) {
    const struct tcp_entry *entry = tcp_entry_at(client, client->head);
    ssize_t got;
    /* What is staged is less than a head, and nothing if the body is awaited: all else is taken. */
    if (entry->answer_bytes > SPREAD_BYTES) {
        struct spread spread;
        spread_plan(client, &spread);
        struct msghdr message = {.msg_iov = spread.parts, .msg_iovlen = (size_t)spread.count};
        got = received(client, recvmsg(client->fd, &message, MSG_DONTWAIT));
        if (got > 0)
            spread_take(client, &spread, (size_t)got);
    } else {
        uint32_t staged = client->staged_end - client->staged_start;
        memmove(client->staging, client->staging + client->staged_start, staged);
        client->staged_start = 0;
        client->staged_end = staged;
        got = received(client, recv(client->fd, client->staging + staged, TCP_STAGING_BYTES - staged, MSG_DONTWAIT));
        if (got > 0)
            client->staged_end += (uint32_t)got;
    }
    return got > 0;
}
