/* Loads the RDMA libraries, and what both sides of the verbs backend share. */
#include "verbs.h"

#ifdef RCMP_HAVE_VERBS

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>

static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static struct verbs_library library;
static char load_error[256];

static void *symbol(void *handle, const char *name) {
    void *found = dlsym(handle, name);
    if (found == NULL && load_error[0] == 0)
        rcmp_fail(load_error, sizeof load_error, "%s has no %s", "rdma-core", name);
    return found;
}

static void load(void) {
    void *ibverbs = dlopen("libibverbs.so.1", RTLD_NOW | RTLD_LOCAL);
    void *rdmacm = ibverbs == NULL ? NULL : dlopen("librdmacm.so.1", RTLD_NOW | RTLD_LOCAL);
    if (rdmacm == NULL) {
        rcmp_fail(load_error, sizeof load_error, "%s; install libibverbs1, librdmacm1 and ibverbs-providers", dlerror());
        return;
    }
    *(void **)&library.get_device_list = symbol(ibverbs, "ibv_get_device_list");
    *(void **)&library.free_device_list = symbol(ibverbs, "ibv_free_device_list");
    *(void **)&library.query_device = symbol(ibverbs, "ibv_query_device");
    *(void **)&library.alloc_pd = symbol(ibverbs, "ibv_alloc_pd");
    *(void **)&library.dealloc_pd = symbol(ibverbs, "ibv_dealloc_pd");
    *(void **)&library.reg_mr = symbol(ibverbs, "ibv_reg_mr");
    *(void **)&library.dereg_mr = symbol(ibverbs, "ibv_dereg_mr");
    *(void **)&library.create_comp_channel = symbol(ibverbs, "ibv_create_comp_channel");
    *(void **)&library.destroy_comp_channel = symbol(ibverbs, "ibv_destroy_comp_channel");
    *(void **)&library.create_cq = symbol(ibverbs, "ibv_create_cq");
    *(void **)&library.destroy_cq = symbol(ibverbs, "ibv_destroy_cq");
    *(void **)&library.get_cq_event = symbol(ibverbs, "ibv_get_cq_event");
    *(void **)&library.ack_cq_events = symbol(ibverbs, "ibv_ack_cq_events");
    *(void **)&library.modify_qp = symbol(ibverbs, "ibv_modify_qp");
    *(void **)&library.create_event_channel = symbol(rdmacm, "rdma_create_event_channel");
    *(void **)&library.destroy_event_channel = symbol(rdmacm, "rdma_destroy_event_channel");
    *(void **)&library.create_id = symbol(rdmacm, "rdma_create_id");
    *(void **)&library.destroy_id = symbol(rdmacm, "rdma_destroy_id");
    *(void **)&library.bind_addr = symbol(rdmacm, "rdma_bind_addr");
    *(void **)&library.listen = symbol(rdmacm, "rdma_listen");
    *(void **)&library.get_src_port = symbol(rdmacm, "rdma_get_src_port");
    *(void **)&library.resolve_addr = symbol(rdmacm, "rdma_resolve_addr");
    *(void **)&library.resolve_route = symbol(rdmacm, "rdma_resolve_route");
    *(void **)&library.create_qp = symbol(rdmacm, "rdma_create_qp");
    *(void **)&library.destroy_qp = symbol(rdmacm, "rdma_destroy_qp");
    *(void **)&library.connect = symbol(rdmacm, "rdma_connect");
    *(void **)&library.accept = symbol(rdmacm, "rdma_accept");
    *(void **)&library.reject = symbol(rdmacm, "rdma_reject");
    *(void **)&library.disconnect = symbol(rdmacm, "rdma_disconnect");
    *(void **)&library.get_cm_event = symbol(rdmacm, "rdma_get_cm_event");
    *(void **)&library.ack_cm_event = symbol(rdmacm, "rdma_ack_cm_event");
    *(void **)&library.event_str = symbol(rdmacm, "rdma_event_str");
}

const struct verbs_library *verbs_load(char *error, size_t error_size) {
    pthread_once(&load_once, load);
    if (load_error[0] == 0)
        return &library;
    rcmp_fail(error, error_size, "%s", load_error);
    return NULL;
}

int rcmp_verbs_available(char *error, size_t error_size) {
    const struct verbs_library *verbs = verbs_load(error, error_size);
    if (verbs == NULL)
        return 0;
    int count = 0;
    struct ibv_device **devices = verbs->get_device_list(&count);
    if (devices != NULL)
        verbs->free_device_list(devices);
    if (count == 0)
        rcmp_fail(error, error_size, "this machine has no RDMA device");
    return count > 0;
}

int verbs_create_qp(const struct verbs_library *verbs, struct rdma_cm_id *id, struct ibv_pd *pd, struct ibv_cq *cq, uint32_t sends,
                    uint32_t receives, uint32_t *inline_bytes) {
    for (uint32_t wanted = VERBS_INLINE;; wanted = 0) {
        struct ibv_qp_init_attr attributes = {.send_cq = cq,
                                              .recv_cq = cq,
                                              .cap = {.max_send_wr = sends,
                                                      .max_recv_wr = receives,
                                                      .max_send_sge = 1,
                                                      .max_recv_sge = 1,
                                                      .max_inline_data = wanted},
                                              .qp_type = IBV_QPT_RC,
                                              .sq_sig_all = 1};
        if (verbs->create_qp(id, pd, &attributes) == 0) {
            *inline_bytes = wanted != 0 ? attributes.cap.max_inline_data : 0;
            return 0;
        }
        if (wanted == 0)
            return errno;
    }
}

void verbs_qp_to_error(const struct verbs_library *verbs, struct ibv_qp *qp) {
    struct ibv_qp_attr attributes = {.qp_state = IBV_QPS_ERR};
    verbs->modify_qp(qp, &attributes, IBV_QP_STATE);
}

uint8_t verbs_reads_max(const struct verbs_library *verbs, struct ibv_context *context) {
    struct ibv_device_attr attributes;
    if (verbs->query_device(context, &attributes) != 0 || attributes.max_qp_rd_atom <= 0)
        return 1;
    return attributes.max_qp_rd_atom < VERBS_READS_MAX ? (uint8_t)attributes.max_qp_rd_atom : VERBS_READS_MAX;
}

bool verbs_set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

#else

static const char missing[] = "built without the headers of libibverbs and librdmacm: install libibverbs-dev and librdmacm-dev, and build again";

int rcmp_verbs_expose(const struct rcmp_server_options *options, const struct rcmp_region_view *view, struct rcmp_server **server,
                      char *address_out, size_t address_size, char *error, size_t error_size) {
    (void)options, (void)view, (void)server, (void)address_out, (void)address_size;
    rcmp_fail(error, error_size, "%s", missing);
    return RCMP_EXPOSE_UNSUPPORTED;
}

int rcmp_verbs_connect(const struct rcmp_connect_options *options, struct rcmp_connection **connection, char *error, size_t error_size) {
    (void)options, (void)connection;
    rcmp_fail(error, error_size, "%s", missing);
    return RCMP_NOT_SUPPORTED;
}

int rcmp_verbs_available(char *error, size_t error_size) {
    rcmp_fail(error, error_size, "%s", missing);
    return 0;
}

#endif
