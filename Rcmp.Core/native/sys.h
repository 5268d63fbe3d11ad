/* System calls that .NET has no name for. Every function returns a value, or a negative errno. */
#ifndef RCMP_SYS_H
#define RCMP_SYS_H

#include <stdint.h>

enum { RCMP_FILE_OTHER = 0, RCMP_FILE_TMPFS = 1, RCMP_FILE_HUGETLBFS = 2, RCMP_FILE_DAX = 3, RCMP_FILE_REGULAR = 4 };

int rcmp_sys_open(const char *path, int writable, int create);
int rcmp_sys_close(int fd);
int rcmp_sys_file_kind(int fd);
int64_t rcmp_sys_block_size(int fd);
int64_t rcmp_sys_free_bytes(int fd);
int64_t rcmp_sys_size(int fd);
int rcmp_sys_truncate(int fd, int64_t size);
int rcmp_sys_allocate(int fd, int64_t offset, int64_t length);
int rcmp_sys_try_lock(int fd);
int rcmp_sys_unlock(int fd);
int64_t rcmp_sys_link_count(int fd);
int64_t rcmp_sys_reserve(int64_t length, int64_t alignment);
int rcmp_sys_map_at(int64_t address, int64_t length, int fd, int64_t offset, int writable);
int rcmp_sys_map_private(int64_t address, int64_t length);
int rcmp_sys_unmap(int64_t address, int64_t length);
int rcmp_sys_advise(int64_t address, int64_t length, int advice);
int rcmp_sys_lock_memory(int64_t address, int64_t length);
int rcmp_sys_bind_node(int64_t address, int64_t length, int node);
int rcmp_sys_membarrier(int command);
int rcmp_sys_process_exists(int pid);

#endif
