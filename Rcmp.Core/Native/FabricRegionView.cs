using System.Runtime.InteropServices;
using Rcmp.Regions;

namespace Rcmp.Native;

/// <summary>The parts of a mapped region that the serving side touches, by address. All of it stays mapped until the server is closed.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct FabricRegionView
{
    private readonly nint _session;
    private readonly nint _pageTable;
    private readonly nint _references;
    private readonly nint _frameTable;
    private readonly nint _frames;
    private readonly ulong _pageTableMask;
    private readonly ulong _frameCount;
    private readonly uint _pageShift;
    private readonly uint _slotCount;
    private readonly uint _firstSlot;
    private readonly uint _reserved;

    /// <summary>The view of a region mapped at an address. Service threads take guard slots of session 0 from <paramref name="firstSlot"/> on.</summary>
    public FabricRegionView(nint start, RegionLayout layout, int firstSlot = 0)
    {
        _session = start + (nint)layout.SessionsOffset;
        _pageTable = start + (nint)layout.PageTableOffset;
        _references = start + (nint)layout.ReferencesOffset;
        _frameTable = start + (nint)layout.FrameTableOffset;
        _frames = start + (nint)layout.FramesOffset;
        _pageTableMask = (ulong)layout.PageTableEntries - 1;
        _frameCount = (ulong)layout.FrameCount;
        _pageShift = (uint)layout.PageShift;
        _slotCount = (uint)layout.SlotsPerSession;
        _firstSlot = (uint)firstSlot;
        _reserved = 0;
    }
}
