namespace Rcmp.Regions;

internal sealed unsafe partial class Region
{
    /// <summary>Puts private memory where this process has mapped the session's guard slots: a thread that stores its guard when the client has closed already, stores it
    /// there, and not into slots that belong to another client by then. It stays mapped after <see cref="Dispose"/>.</summary>
    public void RetireSlots(int sessionIndex)
    {
        var first = (byte*)SessionAt(sessionIndex) - _base;
        // Whole huge pages, since the region may be made of them.
        var start = first & ~(RegionLayout.ZoneAlignment - 1);
        var end = (first + Layout.SessionBytes + RegionLayout.ZoneAlignment - 1) & ~(RegionLayout.ZoneAlignment - 1);
        _mapping.Replace(Path, start, end - start);
    }

    /// <summary>A frame's bytes, for whoever knows that nobody else uses them.</summary>
    public Span<byte> FrameSpan(FrameIndex frame)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(frame.Value, Layout.FrameCount, nameof(frame));
        return new Span<byte>(FrameAt(frame), Layout.PageSize);
    }

    /// <summary>A session's guard slots.</summary>
    public Span<GuardSlot> SlotSpan(int sessionIndex) => new(SlotsAt(sessionIndex), Layout.SlotsPerSession);
}
