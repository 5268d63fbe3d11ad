/* A region with everything the serving side looks at, at places of its own: the shim knows none but those in the view. */
#define _GNU_SOURCE
#include "smoke.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES 256u
#define SLOTS 16u
#define FRAMES 64u
#define PAGE_TABLE_AT 4096u
#define REFERENCES_AT 8192u
#define FRAME_TABLE_AT 16384u
/* A device is mapped in units of 2 MiB, and frames begin at one. */
#define FRAMES_AT (2u << 20)
#define REGION_BYTES (4u << 20)

void region_map(struct region *region, const char *path) {
    int file = open(path, O_RDWR | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) die("open %s: %s", path, strerror(errno));
    if (S_ISREG(status.st_mode) && ftruncate(file, REGION_BYTES) != 0) die("truncate %s: %s", path, strerror(errno));
    uint8_t *base = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (base == MAP_FAILED) die("map %s: %s", path, strerror(errno));
    close(file);

    region->base = base;
    region->view = (struct rcmp_region_view){
        .session = (struct rcmp_session_header *)base,
        .page_table = (struct rcmp_page_entry *)(base + PAGE_TABLE_AT),
        .references = base + REFERENCES_AT,
        .frame_table = (struct rcmp_frame_row *)(base + FRAME_TABLE_AT),
        .frames = base + FRAMES_AT,
        .page_table_mask = ENTRIES - 1,
        .frame_count = FRAMES,
        .page_shift = PAGE_SHIFT,
        .slot_count = SLOTS,
    };
}

void region_format(struct region *region) {
    memset(region->base, 0, FRAME_TABLE_AT + FRAMES * sizeof(struct rcmp_frame_row));
    memset(region->view.frames, 0, FRAMES * PAGE_BYTES);
    for (uint64_t page = 1; page <= PAGE_COUNT; page++) {
        struct rcmp_frame_row *row = &region->view.frame_table[page];
        row->words[1] = page;
        row->words[0] = 1 | (uint64_t)EPOCH << 5; /* resident */
        region->view.page_table[rcmp_natural_entry(page, ENTRIES - 1)].page = page;
        region_set_location(region, page, RCMP_RESIDENT);
    }
}

void region_set_location(struct region *region, uint64_t page, enum rcmp_location_kind kind) {
    uint64_t word = (uint64_t)kind << RCMP_LOCATION_KIND_SHIFT;
    if (kind == RCMP_RESIDENT)
        word |= page | (uint64_t)EPOCH << RCMP_LOCATION_EPOCH_SHIFT | RCMP_LOCATION_RESIDENT_BIT;
    uint64_t *location = &region->view.page_table[rcmp_natural_entry(page, ENTRIES - 1)].location;
    __atomic_store_n(location, word, __ATOMIC_SEQ_CST);
}

uint8_t *region_page(const struct region *region, uint64_t page) { return region->view.frames + page * PAGE_BYTES; }
