using System.Runtime.InteropServices;

namespace Rcmp.Regions;

/// <summary>Where everything lies in a region, in bytes from its start. The native shim has the same numbers (native/layout.h) and echoes
/// them at load. Three zones, each 2 MiB aligned so that /dev/dax and hugetlbfs can map them apart:
/// what only the daemon writes (superblock, states, links, page table, frame table) · what clients write too (sessions with guard slots,
/// counters, reference bytes) · the frames.</summary>
internal sealed record RegionLayout
{
    public const ulong Magic = 0x3147_4552_504D_4352; // "RCMPREG1"
    public const uint FormatVersion = 3;
    public const long ZoneAlignment = 2 << 20;

    public const int SuperblockBytes = 4096;
    /// <summary>One copy of the mutable state (generation, region number, sequence, roster, terms); there are two, written in turn.</summary>
    public const int StateBytes = 512 << 10;
    public const int LinkBytes = 256;
    public const int LinkSlotsMax = 4096;
    public const int SlotBytes = 64;
    public const int SessionHeaderBytes = 64;
    public const int PageTableEntryBytes = 16;
    public const int HitWordBytes = 8;
    public const int CounterBytes = 8;

    /// <summary>How many cache lines of the page table a lookup visits after the natural entry's line before it gives up. Which ones: <see cref="PageTable"/>.</summary>
    public const int ProbeLines = 32;
    public const ulong NaturalSpread = 0x61C88647;

    /// <summary>Page-table entries in a cache line.</summary>
    public const int LineEntries = 4;

    public required Guid PoolId { get; init; }
    public required Guid RegionId { get; init; }
    public required int PageShift { get; init; }
    public required long RegionBytes { get; init; }
    public required long FrameCount { get; init; }
    public required long StateOffset { get; init; }
    public required long LinkTableOffset { get; init; }
    public required int LinkSlots { get; init; }
    public required long PageTableOffset { get; init; }
    /// <summary>A power of two.</summary>
    public required long PageTableEntries { get; init; }
    /// <summary>One <see cref="HitWord"/> per page-table entry.</summary>
    public required long HitTableOffset { get; init; }
    public required long FrameTableOffset { get; init; }
    public required long SessionsOffset { get; init; }
    /// <summary>Session 0 is the daemon itself (its service threads); clients have 1 and up.</summary>
    public required int SessionCount { get; init; }
    public required int SlotsPerSession { get; init; }
    /// <summary>One <see cref="AccessCounter"/> per page-table entry.</summary>
    public required long CountersOffset { get; init; }
    /// <summary>One byte per page-table entry: remote entries are evicted by it too.</summary>
    public required long ReferencesOffset { get; init; }
    public required long FramesOffset { get; init; }

    /// <summary>Clients ask for transparent huge pages on the frames.</summary>
    public bool HugePages { get; init; }

    public int PageSize => 1 << PageShift;

    /// <summary>Where zone 2 begins: what lies before is read-only in clients.</summary>
    public long ClientZoneOffset => SessionsOffset;

    public long PageTableMask => PageTableEntries - 1;

    public long SessionBytes => SessionHeaderBytes + (long)SlotsPerSession * SlotBytes;

    /// <summary>The entry at which a lookup starts: neighbours are adjacent. The shim computes the same. The factor fits a multiplication's immediate.</summary>
    public static long NaturalEntry(ulong page, long mask) => (long)(page + (page >> 31) * NaturalSpread) & mask;
}

/// <summary>One page-table entry. The key is stored before the location and rewritten only after absent, the barrier and clear guards.</summary>
[StructLayout(LayoutKind.Sequential, Size = RegionLayout.PageTableEntryBytes)]
internal struct PageTableEntry
{
    public ulong Page;
    public ulong Location;
}

/// <summary>One guard slot: a cache line with one writing thread. <see cref="Connection"/> is 0 for rack-local use and names the fabric
/// connection for a remote operation; it is stored before <see cref="Page"/> and cleared after it.</summary>
[StructLayout(LayoutKind.Sequential, Size = RegionLayout.SlotBytes)]
internal struct GuardSlot
{
    /// <summary>Hits of the thread; added to a page's counter one time in 64. Private to the thread. Beside the page, since a hit ends with one store to both.</summary>
    public ulong Hits;
    public ulong Page;
    public ulong Connection;
    /// <summary>1: the thread has given the slot up while its remote operation may still run. It stays as it is until the daemon, told by the owner that the
    /// connection is gone, clears it (and this last). A live thread's slot without this mark is never touched by the daemon.</summary>
    public ulong Retired;
    /// <summary>Remote operations that have ended: with the hits it tells the daemon whether anything is used. Private to the thread.</summary>
    public ulong RemoteEnded;
}

/// <summary>The head of a session's slots.</summary>
[StructLayout(LayoutKind.Sequential, Size = RegionLayout.SessionHeaderBytes)]
internal struct SessionHeader
{
    /// <summary>A <see cref="SessionSlotState"/>; written by the daemon.</summary>
    public uint State;
    /// <summary>1 if the client orders its guards by a fence since it could not register for membarrier; written by the client.</summary>
    public uint UsesFence;
    public ulong Token;
    public uint ProcessId;
    /// <summary>One above the highest slot ever used: the daemon scans no further. Written by the client, only upwards, before the slot's first use.</summary>
    public uint SlotsUsed;
    /// <summary>Names the boot of the machine in which the session was opened: after another one nobody lives, and the session files may be gone.</summary>
    public ulong Boot;
}

/// <summary>The state of a session record.</summary>
internal enum SessionSlotState : uint
{
    Free = 0,
    Opening = 1,
    Active = 2,
    /// <summary>The client is gone; remote operations of it wait for the owner's confirmation.</summary>
    Dead = 3,
}

/// <summary>Per page-table entry: accesses and the time spent on remote ones. Advisory: written by clients without synchronization.</summary>
[StructLayout(LayoutKind.Sequential, Size = RegionLayout.CounterBytes)]
internal struct AccessCounter
{
    public uint Accesses;
    /// <summary>In units of 64 ns.</summary>
    public uint RemoteTime;
}
