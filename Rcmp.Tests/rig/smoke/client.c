/* A client of the owner: connections, and one operation at a time. */
#define _GNU_SOURCE
#include "smoke.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *backend = "owner";
struct owner owner;
uint64_t registration = 7;
uint64_t last_name = 100;

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("FAIL %s: ", backend);
    vprintf(format, arguments);
    printf("\n");
    fflush(stdout);
    va_end(arguments);
    exit(2);
}

int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

int try_connect(uint32_t role, uint64_t under, const uint8_t *key, struct rcmp_connection **connection, char *error, size_t size) {
    struct rcmp_connect_options options = {.address = owner.address,
                                           .link = {.owner_generation = owner.generation,
                                                    .holder_generation = 1,
                                                    .registration = under,
                                                    .owner_rack = OWNER_RACK,
                                                    .holder_rack = HOLDER_RACK},
                                           .name = ++last_name,
                                           .timeout_ns = PATIENCE,
                                           .role = role};
    memcpy(options.key, key, sizeof options.key);
    *connection = NULL;
    error[0] = 0;
    return rcmp_connect(&options, connection, error, size);
}

struct rcmp_connection *connect_as(uint32_t role) {
    struct rcmp_connection *connection;
    char error[256];
    int status = try_connect(role, registration, owner.key, &connection, error, sizeof error);
    if (status != RCMP_CONNECTED) die("connect ended with %d: %s", status, error);
    return connection;
}

bool refused(uint64_t under, const uint8_t *key) {
    struct rcmp_connection *connection;
    char error[256];
    int status = try_connect(RCMP_CLIENT, under, key, &connection, error, sizeof error);
    if (status == RCMP_CONNECTED) rcmp_close(connection);
    return status == RCMP_CONNECT_REFUSED;
}

struct rcmp_request request(enum rcmp_op op, uint64_t page, uint32_t offset, uint32_t length, void *buffer) {
    return (struct rcmp_request){.op = op,
                                 .epoch_low = EPOCH,
                                 .token = page,
                                 .page = page,
                                 .frame = (uint32_t)page,
                                 .offset = offset,
                                 .length = length,
                                 .buffer = buffer};
}

struct rcmp_completion perform(struct rcmp_connection *connection, struct rcmp_request request, int64_t timeout_ns) {
    struct rcmp_completion completion = {.status = RCMP_NOT_SENT};
    if (rcmp_post(connection, &request) != 1) return completion;
    if (rcmp_wait(connection, &completion, 1, 50000, timeout_ns) != 1) completion.status = 999;
    return completion;
}

uint32_t transfer(struct rcmp_connection *connection, enum rcmp_op op, uint64_t page, uint32_t offset, uint32_t length, void *buffer) {
    return perform(connection, request(op, page, offset, length, buffer), PATIENCE).status;
}

struct rcmp_completion atomic(struct rcmp_connection *connection, enum rcmp_op op, uint64_t page, uint64_t operand, uint64_t comparand) {
    struct rcmp_request asked = request(op, page, 64, 8, NULL);
    asked.operand = operand;
    asked.comparand = comparand;
    return perform(connection, asked, PATIENCE);
}
