/* The fabric of the shim: one C API over the backends tcp, verbs and local, chosen by the scheme of the address.
   Results are codes; what went wrong in words goes to a caller's buffer (never null-terminated beyond its size, may be NULL with size 0).
   Nothing unwinds, nothing calls back, no signal handler is installed.

   Serving:    rcmp_expose -> rcmp_server_accept (per registered rack) -> rcmp_server_fence / _destroy -> rcmp_server_close
   Asking:     rcmp_connect -> rcmp_post ... rcmp_wait -> rcmp_close

   Structures match Fabric/FabricContracts.cs and Native/FabricNative.cs; rcmp_layout_echo compares them at load. */
#ifndef RCMPSHIM_H
#define RCMPSHIM_H

#include <stddef.h>
#include <stdint.h>

#include "layout.h"

#define RCMP_ABI_VERSION 7
#define RCMP_WINDOW 64u
#define RCMP_KEY_BYTES 16

#define RCMP_EXPORT __attribute__((visibility("default")))

enum rcmp_op {
    RCMP_READ = 1,
    RCMP_WRITE = 2,
    RCMP_EXCHANGE = 3,
    RCMP_COMPARE_EXCHANGE = 4,
    RCMP_FETCH_ADD = 5,
    RCMP_PULL_FRAME = 6, /* daemons alone: a frame, without the page table */
    RCMP_READ_ROW = 7,   /* daemons alone: 64 bytes of the frame table */
};

enum rcmp_status {
    RCMP_OK = 0,
    RCMP_RETRY = 1,           /* the page is moving; nothing was done */
    RCMP_STALE = 2,           /* not here, or another epoch; nothing was done */
    RCMP_OUT_OF_RANGE = 3,    /* nothing was done */
    RCMP_REFUSED = 4,         /* misaligned, or not allowed to this role; nothing was done */
    RCMP_CONNECTION_LOST = 5, /* sent, answer lost */
    RCMP_DEADLINE_PASSED = 6, /* sent, no answer in time; the connection is unusable from here on */
    RCMP_NOT_SENT = 7,
};

enum rcmp_connect_status { RCMP_CONNECTED = 0, RCMP_UNREACHABLE = 1, RCMP_CONNECT_REFUSED = 2, RCMP_NOT_SUPPORTED = 3 };

/* How rcmp_expose ends. */
enum rcmp_expose_status { RCMP_EXPOSED = 0, RCMP_BAD_ADDRESS = 1, RCMP_ADDRESS_IN_USE = 2, RCMP_EXPOSE_UNSUPPORTED = 3, RCMP_NO_RESOURCES = 4 };

enum rcmp_role { RCMP_CLIENT = 1, RCMP_DAEMON = 2 };

/* The parts of a mapped region that the serving side touches. All of it must stay mapped until rcmp_server_close has returned. */
struct rcmp_region_view {
    struct rcmp_session_header *session; /* session 0; its guard slots follow at once */
    struct rcmp_page_entry *page_table;
    uint8_t *references; /* one byte per page-table entry */
    struct rcmp_frame_row *frame_table;
    uint8_t *frames; /* frame f at f << page_shift */
    uint64_t page_table_mask;
    uint64_t frame_count;
    uint32_t page_shift;
    uint32_t slot_count; /* guard slots of session 0 */
    uint32_t first_slot; /* slots below are left alone */
    uint32_t reserved;
};

struct rcmp_server_options {
    const char *address; /* tcp://host:port, verbs://address:port, local://name; port 0 picks one */
    uint8_t key[RCMP_KEY_BYTES];
    int64_t spin_ns;
    uint32_t service_threads;
    uint32_t max_connections;
};

/* One registration of a holder at an owner. */
struct rcmp_link {
    uint64_t owner_generation;
    uint64_t holder_generation;
    uint64_t registration;
    uint32_t owner_rack;
    uint32_t holder_rack;
};

struct rcmp_connect_options {
    const char *address;
    uint8_t key[RCMP_KEY_BYTES];
    struct rcmp_link link;
    uint64_t name; /* chosen by the caller, unique, not 0 */
    int64_t timeout_ns;
    uint32_t role;
    uint32_t reserved;
};

struct rcmp_request {
    uint32_t op;
    uint32_t epoch_low;
    uint64_t token;
    uint64_t page;
    uint32_t frame; /* READ, WRITE: the page's frame, which verbs addresses; PULL_FRAME, READ_ROW: which */
    uint32_t offset;
    uint32_t length;
    uint32_t reserved;
    uint8_t *buffer; /* valid until the completion or rcmp_close */
    uint64_t operand;
    uint64_t comparand;
};

struct rcmp_completion {
    uint64_t token;
    uint32_t status;
    uint32_t reserved;
    uint64_t result;
};

struct rcmp_counters {
    int64_t connections, reads, writes, atomics, retries, refused, bytes_read, bytes_written;
};

struct rcmp_server;
struct rcmp_connection;

RCMP_EXPORT int rcmp_abi_version(void);

/* Fills at most count values of the layout, returns how many there are. */
RCMP_EXPORT int rcmp_layout_echo(uint64_t *values, int count);

/* Starts to serve. The address as peers reach it goes to address_out. Any thread; blocks at most for a name lookup. */
RCMP_EXPORT int rcmp_expose(const struct rcmp_server_options *options, const struct rcmp_region_view *view, struct rcmp_server **server,
                            char *address_out, size_t address_size, char *error, size_t error_size);

/* Accepts connections of this registration and no other of the rack; connections of an older one are destroyed. */
RCMP_EXPORT void rcmp_server_accept(struct rcmp_server *server, const struct rcmp_link *link);

/* Ends the rack's registration, then destroys its connections. When it returns none of them can touch the region. */
RCMP_EXPORT void rcmp_server_fence(struct rcmp_server *server, uint32_t rack);

/* The same for single connections, by name; unknown names are already destroyed. */
RCMP_EXPORT void rcmp_server_destroy(struct rcmp_server *server, const uint64_t *names, int count);

RCMP_EXPORT void rcmp_server_counters(struct rcmp_server *server, struct rcmp_counters *counters);

/* Destroys all connections and ends the service threads. No other call on the server may run or follow. */
RCMP_EXPORT void rcmp_server_close(struct rcmp_server *server);

/* Opens a connection; returns an rcmp_connect_status. */
RCMP_EXPORT int rcmp_connect(const struct rcmp_connect_options *options, struct rcmp_connection **connection, char *error,
                             size_t error_size);

/* One thread at a time. 1 if queued, 0 if the window is full or the connection is unusable. */
RCMP_EXPORT int rcmp_post(struct rcmp_connection *connection, const struct rcmp_request *request);

/* Sends what is queued, as far as it can without waiting. */
RCMP_EXPORT void rcmp_flush(struct rcmp_connection *connection);

/* Sends what is queued and waits for at least one completion: polls spin_ns, then sleeps until timeout_ns. Returns how many completions
   were stored; 0 only if nothing was in flight. */
RCMP_EXPORT int rcmp_wait(struct rcmp_connection *connection, struct rcmp_completion *completions, int max, int64_t spin_ns,
                          int64_t timeout_ns);

/* Posts requests, then waits as rcmp_wait does, in one call: what is posted together leaves together. Of the requests *posted are queued, the first ones; it is less
   than count if the window is full or the connection is unusable. */
RCMP_EXPORT int rcmp_exchange(struct rcmp_connection *connection, const struct rcmp_request *requests, int count, int *posted,
                              struct rcmp_completion *completions, int max, int64_t spin_ns, int64_t timeout_ns);

RCMP_EXPORT int rcmp_usable(struct rcmp_connection *connection);

/* Closes; nothing touches any caller's buffer afterwards. */
RCMP_EXPORT void rcmp_close(struct rcmp_connection *connection);

/* Whether the verbs backend was built in, its libraries load and a device exists; else 0 and why. */
RCMP_EXPORT int rcmp_verbs_available(char *error, size_t error_size);

#endif
