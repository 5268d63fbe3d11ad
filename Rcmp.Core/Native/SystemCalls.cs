using System.Runtime.InteropServices;

namespace Rcmp.Native;

/// <summary>What the shim's sys.c offers. Everything returns a value, or a negative errno.</summary>
internal static partial class SystemCalls
{
    private const string Library = "rcmpshim";

    [LibraryImport(Library, EntryPoint = "rcmp_sys_open", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int writable, int create);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_close")]
    public static partial int Close(int fd);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_file_kind")]
    public static partial int FileKind(int fd);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_block_size")]
    public static partial long BlockSize(int fd);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_free_bytes")]
    public static partial long FreeBytes(int fd);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_size")]
    public static partial long Size(int fd);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_truncate")]
    public static partial int Truncate(int fd, long size);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_allocate")]
    public static partial int Allocate(int fd, long offset, long length);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_try_lock")]
    public static partial int TryLock(int fd);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_unlock")]
    public static partial int Unlock(int fd);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_link_count")]
    public static partial long LinkCount(int fd);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_reserve")]
    public static partial long Reserve(long length, long alignment);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_map_at")]
    public static partial int MapAt(long address, long length, int fd, long offset, int writable);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_map_private")]
    public static partial int MapPrivate(long address, long length);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_unmap")]
    public static partial int Unmap(long address, long length);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_advise")]
    public static partial int Advise(long address, long length, int advice);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_lock_memory")]
    public static partial int LockMemory(long address, long length);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_bind_node")]
    public static partial int BindNode(long address, long length, int node);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_membarrier")]
    public static partial int MemBarrier(int command);

    [LibraryImport(Library, EntryPoint = "rcmp_sys_process_exists")]
    public static partial int ProcessExists(int pid);

    /// <summary>A file descriptor that closes itself, and with it the flock that it holds.</summary>
    internal sealed class FileDescriptor : SafeHandle
    {
        private FileDescriptor(int fd)
            : base(-1, true) => SetHandle(fd);

        public override bool IsInvalid => handle < 0;

        public int Number => (int)handle;

        /// <summary>Null and the errno if it cannot be opened.</summary>
        public static FileDescriptor? TryOpen(string path, bool writable, bool create, out int errno)
        {
            var fd = Open(path, writable ? 1 : 0, create ? 1 : 0);
            errno = fd < 0 ? -fd : 0;
            return fd < 0 ? null : new FileDescriptor(fd);
        }

        protected override bool ReleaseHandle()
        {
            // Closing alone leaves the lock to a process that this one is just starting, which has all descriptors until it runs its program.
            _ = SystemCalls.Unlock((int)handle);
            return SystemCalls.Close((int)handle) == 0;
        }
    }
}
