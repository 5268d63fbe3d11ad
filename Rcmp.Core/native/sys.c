#define _GNU_SOURCE
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TMPFS_FILE_SYSTEM 0x01021994
#define HUGETLB_FILE_SYSTEM 0x958458f6
#define BIND_POLICY 2 /* MPOL_BIND */
#define BIND_MOVE 2   /* MPOL_MF_MOVE */
#define NODES_MAX 1024

static int result(int value) { return value < 0 ? -errno : value; }

int rcmp_sys_open(const char *path, int writable, int create)
{
    int flags = O_CLOEXEC | (writable ? O_RDWR : O_RDONLY) | (create ? O_CREAT : 0);
    int fd;
    do
        fd = open(path, flags, 0660);
    while (fd < 0 && errno == EINTR);
    return result(fd);
}

int rcmp_sys_close(int fd) { return result(close(fd)); }

int rcmp_sys_file_kind(int fd)
{
    struct stat status;
    struct statfs system;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (S_ISCHR(status.st_mode))
        return rcmp_sys_size(fd) > 0 ? RCMP_FILE_DAX : RCMP_FILE_OTHER;
    if (!S_ISREG(status.st_mode))
        return RCMP_FILE_OTHER;
    if (fstatfs(fd, &system) < 0)
        return -errno;
    switch ((unsigned long)system.f_type) {
    case TMPFS_FILE_SYSTEM: return RCMP_FILE_TMPFS;
    case HUGETLB_FILE_SYSTEM: return RCMP_FILE_HUGETLBFS;
    default: return RCMP_FILE_REGULAR;
    }
}

int64_t rcmp_sys_block_size(int fd)
{
    struct statfs system;
    return fstatfs(fd, &system) < 0 ? -errno : (int64_t)system.f_bsize;
}

int64_t rcmp_sys_free_bytes(int fd)
{
    struct statfs system;
    return fstatfs(fd, &system) < 0 ? -errno : (int64_t)system.f_bavail * (int64_t)system.f_bsize;
}

/* A character device has no size of its own: that of a dax device is in sysfs. */
static int64_t device_size(dev_t device)
{
    static const char *const patterns[] = { "/sys/dev/char/%u:%u/size", "/sys/dev/char/%u:%u/device/size" };
    for (unsigned i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        char path[128];
        long long size = 0;
        snprintf(path, sizeof path, patterns[i], major(device), minor(device));
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        int read = fscanf(file, "%lld", &size);
        fclose(file);
        if (read == 1 && size > 0)
            return size;
    }
    return -ENODEV;
}

int64_t rcmp_sys_size(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    return S_ISCHR(status.st_mode) ? device_size(status.st_rdev) : (int64_t)status.st_size;
}

int rcmp_sys_truncate(int fd, int64_t size) { return result(ftruncate(fd, size)); }

int rcmp_sys_allocate(int fd, int64_t offset, int64_t length)
{
    int value;
    do
        value = fallocate(fd, 0, offset, length);
    while (value < 0 && errno == EINTR);
    return result(value);
}

int rcmp_sys_try_lock(int fd)
{
    int value;
    do
        value = flock(fd, LOCK_EX | LOCK_NB);
    while (value < 0 && errno == EINTR);
    return result(value);
}

int rcmp_sys_unlock(int fd)
{
    return result(flock(fd, LOCK_UN));
}

int64_t rcmp_sys_link_count(int fd)
{
    struct stat status;
    return fstat(fd, &status) < 0 ? -errno : (int64_t)status.st_nlink;
}

/* Address space without memory, to be filled by rcmp_sys_map_at: the zones of a region lie side by side. */
int64_t rcmp_sys_reserve(int64_t length, int64_t alignment)
{
    char *start = mmap(NULL, length + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return -errno;
    char *aligned = (char *)(((uintptr_t)start + alignment - 1) & ~((uintptr_t)alignment - 1));
    if (aligned > start)
        munmap(start, aligned - start);
    if (start + alignment > aligned)
        munmap(aligned + length, start + alignment - aligned);
    return (int64_t)(intptr_t)aligned;
}

int rcmp_sys_map_at(int64_t address, int64_t length, int fd, int64_t offset, int writable)
{
    void *at = mmap((void *)(intptr_t)address, length, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED | MAP_FIXED, fd, offset);
    return at == MAP_FAILED ? -errno : 0;
}

/* Puts private memory in place of a mapping, at once: there is no moment at which a store into it would fault. */
int rcmp_sys_map_private(int64_t address, int64_t length)
{
    void *at = mmap((void *)(intptr_t)address, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return at == MAP_FAILED ? -errno : 0;
}

int rcmp_sys_unmap(int64_t address, int64_t length) { return result(munmap((void *)(intptr_t)address, length)); }

int rcmp_sys_advise(int64_t address, int64_t length, int advice)
{
    return result(madvise((void *)(intptr_t)address, length, advice));
}

int rcmp_sys_lock_memory(int64_t address, int64_t length) { return result(mlock((void *)(intptr_t)address, length)); }

/* By number: libnuma would be one more library to install, for one call. */
int rcmp_sys_bind_node(int64_t address, int64_t length, int node)
{
    unsigned long mask[NODES_MAX / (8 * sizeof(long))] = { 0 };
    if (node < 0 || node >= NODES_MAX)
        return -EINVAL;
    mask[node / (8 * sizeof(long))] |= 1UL << (node % (8 * sizeof(long)));
    return result((int)syscall(SYS_mbind, address, length, BIND_POLICY, mask, NODES_MAX + 1, BIND_MOVE));
}

int rcmp_sys_membarrier(int command) { return result((int)syscall(SYS_membarrier, command, 0, 0)); }

int rcmp_sys_process_exists(int pid) { return kill(pid, 0) == 0 || errno == EPERM; }
