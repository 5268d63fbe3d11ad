/* The shim's fabric, checked from C: a region made by hand, an owner in a process of its own, and this process as the client that looks
   into the same region by plain loads. */
#ifndef SMOKE_H
#define SMOKE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "rcmpshim.h"

#define PAGE_SHIFT 12
#define PAGE_BYTES (1u << PAGE_SHIFT)
#define PAGE_COUNT 48u
#define EPOCH 5u
#define OWNER_RACK 1u
#define HOLDER_RACK 2u
#define SECOND 1000000000ll

/* Page p, from 1 to PAGE_COUNT, is in frame p. */
struct region {
    uint8_t *base;
    struct rcmp_region_view view;
};

void region_map(struct region *region, const char *path);
void region_format(struct region *region);
uint8_t *region_page(const struct region *region, uint64_t page);
void region_set_location(struct region *region, uint64_t page, enum rcmp_location_kind kind);

/* The owner: a process that serves the region and does what it is told. */
struct owner {
    pid_t pid;
    int commands;
    int answers;
    char address[256];
    uint8_t key[RCMP_KEY_BYTES];
    uint64_t generation;
};

int owner_main(int argc, char **argv);
void owner_start(struct owner *owner, const char *path, const char *address, uint64_t generation);
void owner_tell(struct owner *owner, const char *command, uint64_t argument);
void owner_stop(struct owner *owner);
void owner_kill(struct owner *owner);

/* The client's side: what it connects to, under what, and the name of its last connection. */
extern const char *backend;
extern struct owner owner;
extern uint64_t registration;
extern uint64_t last_name;

/* Emulated, everything is a hundred times slower than it will be; only ends, not speeds, are asserted. */
#define PATIENCE (20 * SECOND)
#define PROMPT (5 * SECOND)

int try_connect(uint32_t role, uint64_t under, const uint8_t *key, struct rcmp_connection **connection, char *error, size_t size);
struct rcmp_connection *connect_as(uint32_t role);
bool refused(uint64_t under, const uint8_t *key);
struct rcmp_request request(enum rcmp_op op, uint64_t page, uint32_t offset, uint32_t length, void *buffer);
struct rcmp_completion perform(struct rcmp_connection *connection, struct rcmp_request request, int64_t timeout_ns);
uint32_t transfer(struct rcmp_connection *connection, enum rcmp_op op, uint64_t page, uint32_t offset, uint32_t length, void *buffer);
struct rcmp_completion atomic(struct rcmp_connection *connection, enum rcmp_op op, uint64_t page, uint64_t operand, uint64_t comparand);

void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
int64_t now_ns(void);

#endif
