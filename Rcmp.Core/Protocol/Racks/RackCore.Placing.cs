using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>Rows for allocated pages. Every frame is cleared before its page can be reached; that takes a microsecond or more per page, so a large
/// allocation is done in steps, between which the rack serves everybody else.</summary>
internal sealed partial class RackCore
{
    private const long ClearedAtOnceBytes = 4 << 20;

    private readonly Dictionary<ulong, Placement> _placements = [];
    private ulong _lastPlacement;

    private sealed class Placement(PageId first, FrameIndex[] frames, SessionToken session, bool scoped, RequestId request, Action<bool> ended)
    {
        public PageId First { get; } = first;

        /// <summary>Taken from the free ones at the start, so that they are there in every step.</summary>
        public FrameIndex[] Frames { get; } = frames;

        public SessionToken Session { get; } = session;

        public bool Scoped { get; } = scoped;

        public RequestId Request { get; } = request;

        /// <summary>Called with false if the session has ended meanwhile: rows were made for some of the pages.</summary>
        public Action<bool> Ended { get; } = ended;

        public int Made { get; set; }
    }

    /// <summary>The row before the reply: a page whose address somebody knows has a row. Calls <paramref name="ended"/> when all have, at once if they are few.</summary>
    private ulong MakeRows(PageId first, long count, SessionToken session, bool scoped, RequestId request, Action<bool> ended)
    {
        var frames = new FrameIndex[count];
        for (var i = 0; i < frames.Length; i++) frames[i] = _free.Dequeue();
        var id = ++_lastPlacement;
        _placements[id] = new Placement(first, frames, session, scoped, request, ended);
        Place(id);
        return id;
    }

    private void Place(ulong id)
    {
        if (!_placements.TryGetValue(id, out var placement)) return;
        if (_ended.TryGet(placement.Session, out _))
        {
            StopPlacing(id);
            placement.Ended(false);
            return;
        }

        var until = (int)long.Min(placement.Frames.Length, placement.Made + long.Max(1, ClearedAtOnceBytes >> _store.Geometry.PageShift));
        while (placement.Made < until)
        {
            MakeRow(placement, placement.Made);
            placement.Made++;
        }

        if (placement.Made < placement.Frames.Length)
        {
            // Not at this very time: whoever runs all timers that are due would go on here.
            _timers.Set(new TimerKey(TimerKind.Place, id), _now + 1);
            return;
        }

        _placements.Remove(id);
        ReportLoadIfChanged();
        placement.Ended(true);
    }

    private void MakeRow(Placement placement, int index)
    {
        var frame = placement.Frames[index];
        _store.ClearFrame(frame);
        var page = placement.First.Plus(index);
        var free = _store.ReadRow(frame);
        ChangeRow(frame, free, new FrameRow(
            RowState.Resident, new Epoch(1), page, default, default, placement.Session, placement.Request, false, placement.Scoped));
        OpenPage(page);
    }

    /// <summary>The frames that have no row yet are free again.</summary>
    private void StopPlacing(ulong id)
    {
        if (!_placements.Remove(id, out var placement)) return;
        _timers.Cancel(new TimerKey(TimerKind.Place, id));
        foreach (var frame in placement.Frames.AsSpan(placement.Made)) _free.Enqueue(frame);
        ReportLoadIfChanged();
    }
}
