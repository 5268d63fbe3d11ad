/* An operation on the owner's memory, by a thread of the owner's process, under a guard slot of session 0: the same steps and the same
   instructions as the rack's own clients use, so that atomics of both agree. */
#include "fabric.h"
#include "pagetable.h"

#define ROW_TRIES 64

/* Copies between the region and private memory. Words of the region, and pairs of them, are single loads and stores, as those of the rack's clients are, since a client may
   access the same word at the same time; memcpy promises no access size. Pairs, because single words take three times as long. */
typedef uint64_t pair __attribute__((vector_size(16), may_alias));

static inline uint32_t bytes_to(const uint8_t *region, uintptr_t alignment, uint32_t length) {
    uint32_t bytes = (uint32_t)(-(uintptr_t)region & (alignment - 1));
    return bytes < length ? bytes : length;
}

static inline void out_bytes(uint8_t *to, const uint8_t *from, uint32_t length) {
    while (length-- != 0)
        *to++ = __atomic_load_n(from++, __ATOMIC_RELAXED);
}

static inline void in_bytes(uint8_t *to, const uint8_t *from, uint32_t length) {
    while (length-- != 0)
        __atomic_store_n(to++, *from++, __ATOMIC_RELAXED);
}

static inline void out_word(uint8_t *to, const uint8_t *from) {
    uint64_t word = __atomic_load_n((const uint64_t *)from, __ATOMIC_RELAXED);
    memcpy(to, &word, sizeof word);
}

static inline void in_word(uint8_t *to, const uint8_t *from) {
    uint64_t word;
    memcpy(&word, from, sizeof word);
    __atomic_store_n((uint64_t *)to, word, __ATOMIC_RELAXED);
}

void rcmp_copy_out(uint8_t *to, const uint8_t *from, uint32_t length) {
    uint32_t head = bytes_to(from, 8, length);
    out_bytes(to, from, head);
    to += head, from += head, length -= head;
    if (((uintptr_t)from & 8) != 0 && length >= 8) {
        out_word(to, from);
        to += 8, from += 8, length -= 8;
    }
    for (; length >= 64; length -= 64, from += 64, to += 64) {
        const volatile pair *pairs = (const volatile pair *)from;
        pair a = pairs[0], b = pairs[1], c = pairs[2], d = pairs[3];
        memcpy(to, &a, 16);
        memcpy(to + 16, &b, 16);
        memcpy(to + 32, &c, 16);
        memcpy(to + 48, &d, 16);
    }
    for (; length >= 8; length -= 8, from += 8, to += 8)
        out_word(to, from);
    out_bytes(to, from, length);
}

static void copy_in(uint8_t *to, const uint8_t *from, uint32_t length) {
    uint32_t head = bytes_to(to, 8, length);
    in_bytes(to, from, head);
    to += head, from += head, length -= head;
    if (((uintptr_t)to & 8) != 0 && length >= 8) {
        in_word(to, from);
        to += 8, from += 8, length -= 8;
    }
    for (; length >= 64; length -= 64, from += 64, to += 64) {
        volatile pair *pairs = (volatile pair *)to;
        pair a, b, c, d;
        memcpy(&a, from, 16);
        memcpy(&b, from + 16, 16);
        memcpy(&c, from + 32, 16);
        memcpy(&d, from + 48, 16);
        pairs[0] = a;
        pairs[1] = b;
        pairs[2] = c;
        pairs[3] = d;
    }
    for (; length >= 8; length -= 8, from += 8, to += 8)
        in_word(to, from);
    in_bytes(to, from, length);
}

/* The keys of entries that are empty or given up. */
static bool is_page(uint64_t page) { return page != 0 && page != UINT64_MAX; }

/* Whether the operation can be done at all, whatever the page's state. */
uint32_t rcmp_check(const struct rcmp_operation *operation, uint64_t frame_count, uint32_t page_shift) {
    uint64_t page_size = 1ull << page_shift;
    switch (operation->op) {
    case RCMP_PULL_FRAME:
    case RCMP_READ_ROW:
        if (operation->role != RCMP_DAEMON)
            return RCMP_REFUSED;
        if (operation->frame >= frame_count)
            return RCMP_OUT_OF_RANGE;
        if (operation->op == RCMP_READ_ROW)
            return operation->length == sizeof(struct rcmp_frame_row) ? RCMP_OK : RCMP_OUT_OF_RANGE;
        break;
    case RCMP_READ:
    case RCMP_WRITE:
        break;
    case RCMP_EXCHANGE:
    case RCMP_COMPARE_EXCHANGE:
    case RCMP_FETCH_ADD:
        if ((operation->offset & 7) != 0)
            return RCMP_REFUSED;
        return (uint64_t)operation->offset + 8 <= page_size ? RCMP_OK : RCMP_OUT_OF_RANGE;
    default:
        return RCMP_REFUSED;
    }
    return (uint64_t)operation->offset + operation->length <= page_size ? RCMP_OK : RCMP_OUT_OF_RANGE;
}

/* The other words of a row mean something only with its first: both loads of that must agree. */
static uint32_t read_row(const struct rcmp_frame_row *row, uint8_t *buffer) {
    for (int attempt = 0; attempt < ROW_TRIES; attempt++) {
        uint64_t words[8];
        words[0] = __atomic_load_n(&row->words[0], __ATOMIC_ACQUIRE);
        for (int i = 1; i < 8; i++)
            words[i] = __atomic_load_n(&row->words[i], __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&row->words[0], __ATOMIC_RELAXED) == words[0]) {
            memcpy(buffer, words, sizeof words);
            return RCMP_OK;
        }
    }
    return RCMP_RETRY;
}

static uint64_t apply_atomic(uint64_t *word, const struct rcmp_operation *operation) {
    uint64_t seen = operation->comparand;
    switch (operation->op) {
    case RCMP_EXCHANGE:
        return __atomic_exchange_n(word, operation->operand, __ATOMIC_SEQ_CST);
    case RCMP_FETCH_ADD:
        return __atomic_fetch_add(word, operation->operand, __ATOMIC_SEQ_CST);
    default:
        __atomic_compare_exchange_n(word, &seen, operation->operand, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        return seen;
    }
}

/* The access itself. 8 aligned bytes are single and ordered as Volatile accesses are. */
static void access_memory(uint8_t *memory, const struct rcmp_operation *operation, uint8_t *buffer, uint64_t *result) {
    bool word = operation->length == 8 && ((uintptr_t)memory & 7) == 0;
    uint64_t value;
    switch (operation->op) {
    case RCMP_READ:
        if (word) {
            value = __atomic_load_n((uint64_t *)memory, __ATOMIC_ACQUIRE);
            memcpy(buffer, &value, 8);
        } else {
            rcmp_copy_out(buffer, memory, operation->length);
        }
        break;
    case RCMP_WRITE:
        if (word) {
            memcpy(&value, buffer, 8);
            __atomic_store_n((uint64_t *)memory, value, __ATOMIC_RELEASE);
        } else {
            copy_in(memory, buffer, operation->length);
        }
        break;
    default:
        *result = apply_atomic((uint64_t *)memory, operation);
        break;
    }
}

/* Sets the guard and finds the bytes. RCMP_OK: the guard stays until leave; else nothing is held. */
static uint32_t enter(struct rcmp_server *server, struct rcmp_guard_slot *slot, const struct rcmp_operation *operation, uint8_t **memory,
                      int64_t *entry) {
    const struct rcmp_region_view *view = &server->view;
    __atomic_store_n(&slot->page, operation->page, __ATOMIC_RELEASE);
    /* The location must be loaded after the slot is set. The mover's membarrier sees to that, and costs nothing here; a process that
       could not register for it says so in its session header and pays for a fence. */
    if (__atomic_load_n(&view->session->uses_fence, __ATOMIC_RELAXED) != 0)
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    else
        __atomic_signal_fence(__ATOMIC_SEQ_CST);

    uint32_t status = RCMP_STALE;
    *entry = is_page(operation->page) ? rcmp_find_entry(view->page_table, view->page_table_mask, operation->page) : -1;
    if (*entry >= 0) {
        uint64_t location = __atomic_load_n(&view->page_table[*entry].location, __ATOMIC_ACQUIRE);
        uint32_t frame = rcmp_location_frame(location);
        unsigned kind = rcmp_location_kind(location);
        if (kind == RCMP_MOVING) {
            status = RCMP_RETRY;
        } else if (kind == RCMP_RESIDENT && rcmp_location_epoch(location) == operation->epoch_low && frame < view->frame_count) {
            *memory = view->frames + ((uint64_t)frame << view->page_shift) + operation->offset;
            return RCMP_OK;
        }
    }
    __atomic_store_n(&slot->page, 0, __ATOMIC_RELEASE);
    return status;
}

/* After an access: the guard is cleared, and the page counts as used. */
static void leave(struct rcmp_server *server, struct rcmp_guard_slot *slot, int64_t entry) {
    __atomic_store_n(&slot->page, 0, __ATOMIC_RELEASE);
    /* The reference byte alone: the access is heat of the rack that asked, which counts it itself. Counted here too, the owner
       would look at least as hot as any reader, and no page would ever move. */
    uint8_t *reference = &server->view.references[entry];
    if (__atomic_load_n(reference, __ATOMIC_RELAXED) == 0)
        __atomic_store_n(reference, 1, __ATOMIC_RELAXED);
}

static void count_outcome(struct rcmp_counters *counters, const struct rcmp_operation *operation, uint32_t status) {
    if (status == RCMP_OK) {
        if (rcmp_is_atomic(operation->op)) {
            rcmp_count(&counters->atomics, 1);
        } else if (operation->op == RCMP_WRITE) {
            rcmp_count(&counters->writes, 1);
            rcmp_count(&counters->bytes_written, operation->length);
        } else {
            rcmp_count(&counters->reads, 1);
            rcmp_count(&counters->bytes_read, operation->length);
        }
    } else if (status == RCMP_RETRY) {
        rcmp_count(&counters->retries, 1);
    } else if (status == RCMP_REFUSED) {
        rcmp_count(&counters->refused, 1);
    }
}

static uint8_t *pulled(const struct rcmp_region_view *view, const struct rcmp_operation *operation) {
    return view->frames + ((uint64_t)operation->frame << view->page_shift) + operation->offset;
}

/* Executes an operation. The buffer holds what is written or takes what is read; it is private to the calling thread. Never waits. */
uint32_t rcmp_execute(struct rcmp_server *server, struct rcmp_guard_slot *slot, const struct rcmp_operation *operation, uint8_t *buffer,
                      uint64_t *result) {
    const struct rcmp_region_view *view = &server->view;
    uint8_t *memory;
    int64_t entry;
    *result = 0;
    uint32_t status = rcmp_check(operation, view->frame_count, view->page_shift);
    if (status == RCMP_OK) {
        switch (operation->op) {
        case RCMP_PULL_FRAME:
            rcmp_copy_out(buffer, pulled(view, operation), operation->length);
            break;
        case RCMP_READ_ROW:
            status = read_row(&view->frame_table[operation->frame], buffer);
            break;
        default:
            status = enter(server, slot, operation, &memory, &entry);
            if (status == RCMP_OK) {
                access_memory(memory, operation, buffer, result);
                leave(server, slot, entry);
            }
            break;
        }
    }
    count_outcome(&server->counters, operation, status);
    return status;
}

uint32_t rcmp_lend(struct rcmp_server *server, struct rcmp_guard_slot *slot, const struct rcmp_operation *operation, struct rcmp_lent *lent) {
    const struct rcmp_region_view *view = &server->view;
    lent->entry = -1;
    uint32_t status = rcmp_check(operation, view->frame_count, view->page_shift);
    if (status == RCMP_OK && operation->op == RCMP_PULL_FRAME)
        lent->memory = pulled(view, operation);
    else if (status == RCMP_OK)
        status = enter(server, slot, operation, &lent->memory, &lent->entry);
    count_outcome(&server->counters, operation, status);
    return status;
}

void rcmp_take_back(struct rcmp_server *server, struct rcmp_guard_slot *slot, const struct rcmp_lent *lent) {
    if (lent->entry >= 0)
        leave(server, slot, lent->entry);
}
