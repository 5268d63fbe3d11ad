#include <string.h>

#include "rcmpshim.h"

int rcmp_abi_version(void) { return RCMP_ABI_VERSION; }

/* In the order of Native/ShimAbi.cs. */
int rcmp_layout_echo(uint64_t *values, int count) {
    const uint64_t layout[] = {
        RCMP_ABI_VERSION,
        RCMP_REGION_FORMAT,
        sizeof(struct rcmp_page_entry),
        offsetof(struct rcmp_page_entry, location),
        sizeof(struct rcmp_guard_slot),
        offsetof(struct rcmp_guard_slot, page),
        offsetof(struct rcmp_guard_slot, connection),
        sizeof(struct rcmp_session_header),
        offsetof(struct rcmp_session_header, uses_fence),
        offsetof(struct rcmp_session_header, slots_used),
        sizeof(struct rcmp_access_counter),
        sizeof(struct rcmp_frame_row),
        RCMP_LOCATION_KIND_SHIFT,
        RCMP_LOCATION_KIND_MASK,
        RCMP_LOCATION_LINK_SHIFT,
        RCMP_LOCATION_LINK_MASK,
        RCMP_LOCATION_EPOCH_SHIFT,
        RCMP_RESIDENT,
        RCMP_MOVING,
        RCMP_PROBE_LINES,
        rcmp_natural_entry(0x0123456789ABCDEFull, 0xFFFFF),
        sizeof(struct rcmp_region_view),
        sizeof(struct rcmp_server_options),
        sizeof(struct rcmp_link),
        sizeof(struct rcmp_connect_options),
        sizeof(struct rcmp_request),
        offsetof(struct rcmp_request, buffer),
        sizeof(struct rcmp_completion),
        sizeof(struct rcmp_counters),
        RCMP_WINDOW,
    };
    int total = (int)(sizeof layout / sizeof layout[0]);
    memcpy(values, layout, sizeof layout[0] * (size_t)(count < total ? count : total));
    return total;
}
