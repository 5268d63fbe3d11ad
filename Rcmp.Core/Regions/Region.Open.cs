using System.Diagnostics;
using Rcmp.Native;

namespace Rcmp.Regions;

internal sealed unsafe partial class Region
{
    // A dax device node may exist twice (another container's /dev): those two have a lock each, but this file is one. Null for other files.
    private SystemCalls.FileDescriptor? _sidecar;

    /// <summary>Maps a region as its daemon: exclusively, for as long as it is open. The generation is raised by <see cref="RegionStore"/>.</summary>
    public static Region OpenDaemon(string path, RegionExpectations expectations)
    {
        var file = OpenFile(path, true);
        SystemCalls.FileDescriptor? sidecar = null;
        try
        {
            sidecar = OpenSidecar(path, file);
            Lock(path, file, sidecar, expectations.LockWait);
            var region = Open(path, RegionRole.Daemon, file, expectations);
            region._sidecar = sidecar;
            region.SessionAt(0)->ProcessId = (uint)Environment.ProcessId;
            return region;
        }
        catch
        {
            sidecar?.Dispose();
            file.Dispose();
            throw;
        }
    }

    /// <summary>Maps a region as a client of its rack: what only the daemon writes is read-only.</summary>
    public static Region OpenClient(string path, RegionExpectations expectations) => OpenAs(path, RegionRole.Client, expectations);

    /// <summary>Maps a region read-only, whoever uses it.</summary>
    public static Region OpenInspector(string path) => OpenAs(path, RegionRole.Inspector, RegionExpectations.Any);

    private static Region OpenAs(string path, RegionRole role, RegionExpectations expectations)
    {
        var file = OpenFile(path, role != RegionRole.Inspector);
        try
        {
            return Open(path, role, file, expectations);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static SystemCalls.FileDescriptor OpenFile(string path, bool writable)
    {
        var file = SystemCalls.FileDescriptor.TryOpen(path, writable, false, out var errno);
        return file ?? throw new RegionResourceException(errno switch
        {
            SystemErrors.NoEntry => $"There is no region {path}: create it with 'rcmp region create'.",
            SystemErrors.AccessDenied => $"The region {path} may not be opened by this user: change its owner or mode.",
            _ => $"The region {path} cannot be opened: {SystemErrors.Describe(errno)}.",
        });
    }

    private static Region Open(string path, RegionRole role, SystemCalls.FileDescriptor file, RegionExpectations expectations)
    {
        var layout = ReadLayout(path, file);
        Compare(path, layout, expectations);
        var mapping = RegionMapping.Map(path, file, layout, role == RegionRole.Daemon, role != RegionRole.Inspector);
        return new Region(path, role, layout, file, mapping);
    }

    internal static RegionLayout ReadLayout(string path, SystemCalls.FileDescriptor file)
    {
        var kind = (RegionFileKind)SystemCalls.FileKind(file.Number);
        var size = SystemCalls.Size(file.Number);
        if (kind is RegionFileKind.Unsupported or < 0 || size < 0)
            throw new RegionResourceException($"{path} is neither a file nor a dax device.");
        if (size < RegionLayout.ZoneAlignment)
            throw new RegionDamagedException($"{path} is not a region: it has {size} bytes, a region at least {RegionLayout.ZoneAlignment}.");
        var layout = Superblock.Read(PeekSuperblock(path, file), path);
        if (layout.RegionBytes > size)
            throw new RegionDamagedException($"{path} has {size} bytes, but its superblock says {layout.RegionBytes}: the file was cut off.");
        return layout;
    }

    /// <summary>Through a mapping, since a dax device cannot be read.</summary>
    internal static byte[] PeekSuperblock(string path, SystemCalls.FileDescriptor file)
    {
        var address = SystemCalls.Reserve(RegionLayout.ZoneAlignment, RegionLayout.ZoneAlignment);
        var mapped = address < 0 ? (int)address : SystemCalls.MapAt(address, RegionLayout.ZoneAlignment, file.Number, 0, 0);
        try
        {
            if (mapped < 0)
                throw new RegionResourceException($"{path}: mmap failed: {SystemErrors.Describe(-mapped)}.");
            return new ReadOnlySpan<byte>((void*)address, RegionLayout.SuperblockBytes).ToArray();
        }
        finally
        {
            if (address > 0)
                _ = SystemCalls.Unmap(address, RegionLayout.ZoneAlignment);
        }
    }

    private static void Compare(string path, RegionLayout layout, RegionExpectations expected)
    {
        if (expected.PoolId is { } pool && pool != layout.PoolId)
            throw new PoolMismatchException($"{path} belongs to pool {layout.PoolId}, expected is pool {pool}: change rcmp.pool.id or the region's path.");
        if (expected.PageSizeBytes is { } pageSize && pageSize != layout.PageSize)
            throw new PoolMismatchException($"{path} has pages of {layout.PageSize} bytes, expected are {pageSize}: change rcmp.pool.page-size, or format it anew.");
        if (expected.RegionId is { } region && region != layout.RegionId)
            throw new PoolMismatchException($"{path} is region {layout.RegionId}, expected is region {region}: it was formatted anew, or the path is another machine's.");
    }

    private static SystemCalls.FileDescriptor? OpenSidecar(string path, SystemCalls.FileDescriptor file)
    {
        if ((RegionFileKind)SystemCalls.FileKind(file.Number) != RegionFileKind.Dax)
            return null;
        var directory = Directory.Exists("/run/lock") ? "/run/lock" : System.IO.Path.GetTempPath();
        var name = System.IO.Path.Combine(directory, $"rcmp-{System.IO.Path.GetFileName(path)}.lock");
        return SystemCalls.FileDescriptor.TryOpen(name, true, true, out var errno)
            ?? throw new RegionResourceException($"The lock file {name} of {path} cannot be opened: {SystemErrors.Describe(errno)}.");
    }

    private static void Lock(string path, SystemCalls.FileDescriptor file, SystemCalls.FileDescriptor? sidecar, TimeSpan wait)
    {
        // The kernel drops the lock only when the last thread of the old holder has left its memory: with it, the previous daemon is gone.
        var started = Stopwatch.GetTimestamp();
        while (!TryLock(file) || (sidecar is not null && !TryLock(sidecar)))
        {
            if (Stopwatch.GetElapsedTime(started) >= wait)
                throw new RegionBusyException($"The region {path} is in use by another daemon{HolderOf(path, file)}: stop that one, or use another region.");
            Thread.Sleep(5);
        }
    }

    private static bool TryLock(SystemCalls.FileDescriptor file) => SystemCalls.TryLock(file.Number) >= 0;

    private static string HolderOf(string path, SystemCalls.FileDescriptor file)
    {
        try
        {
            var layout = ReadLayout(path, file);
            using var mapping = RegionMapping.Map(path, file, layout, false, false);
            return $" (process {((SessionHeader*)(mapping.Address + (nint)layout.SessionsOffset))->ProcessId})";
        }
        catch (PoolException)
        {
            // Only the name of the holder is lost; that the region is busy is said all the same.
            return "";
        }
    }
}
