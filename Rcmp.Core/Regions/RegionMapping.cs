using System.Runtime.InteropServices;
using Rcmp.Native;

namespace Rcmp.Regions;

/// <summary>The address space of a mapped region. Unmapped when the last reference is gone: an operation in flight holds one.</summary>
internal sealed class RegionMapping : SafeHandle
{
    private readonly long _length;
    private long _keptOffset;
    private long _keptLength;

    private RegionMapping(long address, long length)
        : base(0, true)
    {
        _length = length;
        SetHandle((nint)address);
    }

    public override bool IsInvalid => handle == 0;

    public nint Address => handle;

    /// <summary>Reserves the address space for a region and maps its zones, side by side.</summary>
    /// <param name="path">For messages.</param>
    /// <param name="file">The region's file.</param>
    /// <param name="layout">Its layout.</param>
    /// <param name="daemonZone">Map what only the daemon writes writable.</param>
    /// <param name="clientZones">Map what clients write writable.</param>
    public static RegionMapping Map(string path, SystemCalls.FileDescriptor file, RegionLayout layout, bool daemonZone, bool clientZones)
    {
        var address = SystemCalls.Reserve(layout.RegionBytes, RegionLayout.ZoneAlignment);
        if (address < 0)
            throw new RegionResourceException($"{path}: no address space for {layout.RegionBytes} bytes: {SystemErrors.Describe((int)-address)}.");
        var mapping = new RegionMapping(address, layout.RegionBytes);
        try
        {
            mapping.MapZone(path, file, 0, layout.ClientZoneOffset, daemonZone);
            mapping.MapZone(path, file, layout.ClientZoneOffset, layout.RegionBytes - layout.ClientZoneOffset, clientZones);
            // A forked child would write frames without guards, and its copy of a slot's thread would not exist.
            Check(path, "MADV_DONTFORK", SystemCalls.Advise(address, layout.RegionBytes, (int)MemoryAdvice.DontFork));
            if (layout.HugePages)
                mapping.HugePagesRefused = SystemCalls.Advise(address + layout.FramesOffset, layout.RegionBytes - layout.FramesOffset, (int)MemoryAdvice.HugePages) < 0;
            return mapping;
        }
        catch
        {
            mapping.Dispose();
            throw;
        }
    }

    /// <summary>The kernel would not give transparent huge pages; the region works all the same.</summary>
    public bool HugePagesRefused { get; private set; }

    private void MapZone(string path, SystemCalls.FileDescriptor file, long offset, long length, bool writable) =>
        Check(path, "mmap", SystemCalls.MapAt(handle + (nint)offset, length, file.Number, offset, writable ? 1 : 0));

    private static void Check(string path, string call, int result)
    {
        if (result < 0)
            throw new RegionResourceException($"{path}: {call} failed: {SystemErrors.Describe(-result)}.");
    }

    /// <summary>Puts private memory in place of a part, for good: it stays mapped when all else is unmapped. Costs address space, and memory only where it is still written.</summary>
    public void Replace(string path, long offset, long length)
    {
        Check(path, "mmap", SystemCalls.MapPrivate(handle + (nint)offset, length));
        _keptOffset = offset;
        _keptLength = length;
    }

    protected override bool ReleaseHandle()
    {
        if (_keptLength == 0)
            return SystemCalls.Unmap(handle, _length) >= 0;
        var end = _keptOffset + _keptLength;
        return (_keptOffset == 0 || SystemCalls.Unmap(handle, _keptOffset) >= 0) && (end == _length || SystemCalls.Unmap(handle + (nint)end, _length - end) >= 0);
    }
}
