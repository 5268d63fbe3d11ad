/* The shapes of a region as the shim sees them: the same numbers as Regions/RegionLayout.cs, Location.cs and FrameRow.cs.
   rcmp_layout_echo gives them to the managed side, which refuses a shim that disagrees. */
#ifndef RCMP_LAYOUT_H
#define RCMP_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define RCMP_REGION_FORMAT 3u

/* Location word: bits 0-31 frame, 32-33 kind, 34-45 link slot, 46-62 low epoch, 63 set if resident. */
enum rcmp_location_kind { RCMP_ABSENT = 0, RCMP_RESIDENT = 1, RCMP_REMOTE = 2, RCMP_MOVING = 3 };
#define RCMP_LOCATION_KIND_SHIFT 32
#define RCMP_LOCATION_KIND_MASK 3ull
#define RCMP_LOCATION_LINK_SHIFT 34
#define RCMP_LOCATION_LINK_MASK 0xFFFull
#define RCMP_LOCATION_EPOCH_SHIFT 46
#define RCMP_LOCATION_RESIDENT_BIT (1ull << 63)

#define RCMP_PROBE_LINES 32 /* cache lines visited after the natural one: pagetable.h */
#define RCMP_BUCKET_ENTRIES 4

struct rcmp_page_entry {
    uint64_t page; /* 0: never used, ends a search; all ones: given up, does not */
    uint64_t location;
};

struct rcmp_guard_slot {
    uint64_t hits;
    uint64_t page;
    uint64_t connection;
    uint64_t reserved[5];
};

struct rcmp_session_header {
    uint32_t state;
    uint32_t uses_fence;
    uint64_t token;
    uint32_t process_id;
    uint32_t slots_used;
    uint64_t reserved[5];
};

struct rcmp_access_counter {
    uint32_t accesses;
    uint32_t remote_time;
};

/* Word 0: bits 0-2 state, 3 unsettled, 4 session-scoped, 5-63 epoch. */
struct rcmp_frame_row {
    uint64_t words[8];
};

_Static_assert(sizeof(struct rcmp_page_entry) == 16, "page-table entry");
_Static_assert(sizeof(struct rcmp_guard_slot) == 64, "guard slot");
_Static_assert(sizeof(struct rcmp_session_header) == 64, "session header");
_Static_assert(offsetof(struct rcmp_session_header, slots_used) == 20, "slots used");
_Static_assert(sizeof(struct rcmp_access_counter) == 8, "access counter");
_Static_assert(sizeof(struct rcmp_frame_row) == 64, "frame row");
_Static_assert(63 - RCMP_LOCATION_EPOCH_SHIFT == 17, "epoch bits");
_Static_assert((RCMP_LOCATION_LINK_MASK << RCMP_LOCATION_LINK_SHIFT) < (1ull << RCMP_LOCATION_EPOCH_SHIFT), "link bits");
_Static_assert((RCMP_LOCATION_KIND_MASK << RCMP_LOCATION_KIND_SHIFT) < (1ull << RCMP_LOCATION_LINK_SHIFT), "kind bits");

/* RegionLayout.NaturalEntry. */
static inline uint64_t rcmp_natural_entry(uint64_t page, uint64_t mask) {
    return (page + (page >> 31) * 0x61C88647ull) & mask;
}

static inline unsigned rcmp_location_kind(uint64_t word) { return (unsigned)((word >> RCMP_LOCATION_KIND_SHIFT) & RCMP_LOCATION_KIND_MASK); }
static inline uint32_t rcmp_location_frame(uint64_t word) { return (uint32_t)word; }
static inline uint32_t rcmp_location_epoch(uint64_t word) { return (uint32_t)((word & ~RCMP_LOCATION_RESIDENT_BIT) >> RCMP_LOCATION_EPOCH_SHIFT); }

#endif
