using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>A client's mapped region as the data path needs it: plain pointers, valid until <see cref="Release"/>.</summary>
internal abstract unsafe class ClientView
{
    public PageTableEntry* Table { get; protected init; }

    /// <summary>One <see cref="HitWord"/> per entry of <see cref="Table"/>.</summary>
    public ulong* HitTable { get; protected init; }

    public long TableMask { get; protected init; }

    public AccessCounter* Counters { get; protected init; }

    public byte* References { get; protected init; }

    public byte* Frames { get; protected init; }

    public long FrameCount { get; protected init; }

    public int PageShift { get; protected init; }

    public SessionHeader* Session { get; protected init; }

    public GuardSlot* Slots { get; protected init; }

    public int SlotCount { get; protected init; }

    public int LinkSlots { get; protected init; }

    /// <summary>Guards need a fence, since the mover's barrier does not reach this process.</summary>
    public bool UsesFence { get; protected init; }

    /// <summary>The number of the link in a slot, 0 if there is none. Cheap: it is read under every remote guard.</summary>
    public abstract ulong ReadLinkNumber(int linkSlot);

    public abstract LinkRecord? ReadLink(int linkSlot);

    /// <summary>Gives up the session file and unmaps everything, except that the guard slots' addresses stay writable, backed by private memory: a
    /// thread that was about to store its guard when the pool closed stores it there.</summary>
    public abstract void Release();
}
