/* The verbs backend: libibverbs and librdmacm, loaded at the first use, so that a machine without them runs on tcp. Built to report
   "not supported" where the headers are missing. */
#ifndef RCMP_VERBS_H
#define RCMP_VERBS_H

#include "fabric.h"

#if defined(__has_include)
#if __has_include(<infiniband/verbs.h>) && __has_include(<rdma/rdma_cma.h>)
#define RCMP_HAVE_VERBS 1
#endif
#endif

#ifdef RCMP_HAVE_VERBS

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

/* Headers make this one a macro around a symbol chosen at build time. */
#undef ibv_reg_mr

#define VERBS_MAGIC 0x31565243u
#define VERBS_READS_MAX 16 /* outstanding reads per queue pair; what all devices offer */
#define VERBS_INLINE 96
#define VERBS_RETRIES 7

/* The functions that are not inlines of the headers. */
struct verbs_library {
    struct ibv_device **(*get_device_list)(int *);
    void (*free_device_list)(struct ibv_device **);
    int (*query_device)(struct ibv_context *, struct ibv_device_attr *);
    struct ibv_pd *(*alloc_pd)(struct ibv_context *);
    int (*dealloc_pd)(struct ibv_pd *);
    struct ibv_mr *(*reg_mr)(struct ibv_pd *, void *, size_t, int);
    int (*dereg_mr)(struct ibv_mr *);
    struct ibv_comp_channel *(*create_comp_channel)(struct ibv_context *);
    int (*destroy_comp_channel)(struct ibv_comp_channel *);
    struct ibv_cq *(*create_cq)(struct ibv_context *, int, void *, struct ibv_comp_channel *, int);
    int (*destroy_cq)(struct ibv_cq *);
    int (*get_cq_event)(struct ibv_comp_channel *, struct ibv_cq **, void **);
    void (*ack_cq_events)(struct ibv_cq *, unsigned);
    int (*modify_qp)(struct ibv_qp *, struct ibv_qp_attr *, int);
    struct rdma_event_channel *(*create_event_channel)(void);
    void (*destroy_event_channel)(struct rdma_event_channel *);
    int (*create_id)(struct rdma_event_channel *, struct rdma_cm_id **, void *, enum rdma_port_space);
    int (*destroy_id)(struct rdma_cm_id *);
    int (*bind_addr)(struct rdma_cm_id *, struct sockaddr *);
    int (*listen)(struct rdma_cm_id *, int);
    __be16 (*get_src_port)(struct rdma_cm_id *);
    int (*resolve_addr)(struct rdma_cm_id *, struct sockaddr *, struct sockaddr *, int);
    int (*resolve_route)(struct rdma_cm_id *, int);
    int (*create_qp)(struct rdma_cm_id *, struct ibv_pd *, struct ibv_qp_init_attr *);
    void (*destroy_qp)(struct rdma_cm_id *);
    int (*connect)(struct rdma_cm_id *, struct rdma_conn_param *);
    int (*accept)(struct rdma_cm_id *, struct rdma_conn_param *);
    int (*reject)(struct rdma_cm_id *, const void *, uint8_t);
    int (*disconnect)(struct rdma_cm_id *);
    int (*get_cm_event)(struct rdma_event_channel *, struct rdma_cm_event **);
    int (*ack_cm_event)(struct rdma_cm_event *);
    const char *(*event_str)(enum rdma_cm_event_type);
};

/* The owner's reply to an accepted connection, in the private data: where the frames are. */
struct verbs_welcome {
    uint32_t magic;
    uint32_t refusal;
    uint32_t page_shift;
    uint32_t rkey;
    uint64_t frame_count;
    uint64_t frames;
};

/* What the owner's CPU serves: atomics, 8-byte accesses, rows. */
struct verbs_request {
    uint32_t op;
    uint32_t length;
    uint64_t page;
    uint32_t epoch_low;
    uint32_t offset;
    uint32_t tag;
    uint32_t frame;
    uint64_t operand; /* the value of an 8-byte write too */
    uint64_t comparand;
};

struct verbs_answer {
    uint32_t tag;
    uint32_t status;
    uint64_t result;
    uint8_t data[64]; /* sent if a read was OK */
};
#define VERBS_ANSWER_HEAD offsetof(struct verbs_answer, data)

/* The library, or NULL and why not. */
const struct verbs_library *verbs_load(char *error, size_t error_size);
/* A reliable queue pair on the id, with inline sends where the device has them. 0 or errno. */
int verbs_create_qp(const struct verbs_library *verbs, struct rdma_cm_id *id, struct ibv_pd *pd, struct ibv_cq *cq, uint32_t sends,
                    uint32_t receives, uint32_t *inline_bytes);
/* Flushes everything in flight on the queue pair. */
void verbs_qp_to_error(const struct verbs_library *verbs, struct ibv_qp *qp);
/* How many outstanding reads the device takes. */
uint8_t verbs_reads_max(const struct verbs_library *verbs, struct ibv_context *context);
bool verbs_set_nonblocking(int fd);

#endif
#endif
