#include "fabric.h"

int rcmp_verbs_expose(const struct rcmp_server_options *options, const struct rcmp_region_view *view, struct rcmp_server **server,
                      char *address_out, size_t address_size, char *error, size_t error_size) {
    (void)options, (void)view, (void)server, (void)address_out, (void)address_size;
    rcmp_fail(error, error_size, "built without the headers of libibverbs and librdmacm");
    return RCMP_EXPOSE_UNSUPPORTED;
}

int rcmp_verbs_connect(const struct rcmp_connect_options *options, struct rcmp_connection **connection, char *error, size_t error_size) {
    (void)options, (void)connection;
    rcmp_fail(error, error_size, "built without the headers of libibverbs and librdmacm");
    return RCMP_NOT_SUPPORTED;
}

int rcmp_verbs_available(char *error, size_t error_size) {
    rcmp_fail(error, error_size, "built without the headers of libibverbs and librdmacm");
    return 0;
}
