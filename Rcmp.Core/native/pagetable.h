/* The lookup of the page table, the same as PageTable.Find in C#. */
#ifndef RCMP_PAGETABLE_H
#define RCMP_PAGETABLE_H

#include "layout.h"

/* The next line to probe: a random walk that starts from the page, since any regular step would stay inside of long runs. */
static inline uint64_t rcmp_next_line(uint64_t *walk, uint64_t mask)
{
    *walk = *walk * 6364136223846793005UL + 1442695040888963407UL;
    return (*walk >> 26) & mask & ~(uint64_t)(RCMP_BUCKET_ENTRIES - 1);
}

/* The entry of a page, or -1. The caller's guard is set before; mask is the number of entries minus one. */
static inline int64_t rcmp_find_entry(const struct rcmp_page_entry *table, uint64_t mask, uint64_t page)
{
    uint64_t natural = rcmp_natural_entry(page, mask);
    uint64_t key = __atomic_load_n(&table[natural].page, __ATOMIC_ACQUIRE);
    if (key == page)
        return (int64_t)natural;
    if (key == 0)
        return -1;
    uint64_t walk = page >> 2;
    uint64_t line = natural & ~(uint64_t)(RCMP_BUCKET_ENTRIES - 1);
    for (int probe = 0; probe <= RCMP_PROBE_LINES; probe++, line = rcmp_next_line(&walk, mask)) {
        for (uint64_t i = line; i < line + RCMP_BUCKET_ENTRIES; i++) {
            if (i == natural)
                continue;
            key = __atomic_load_n(&table[i].page, __ATOMIC_ACQUIRE);
            if (key == page)
                return (int64_t)i;
            if (key == 0)
                return -1;
        }
    }
    return -1;
}

#endif
