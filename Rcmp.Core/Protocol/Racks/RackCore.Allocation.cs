using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>Allocation: own frames first, the rest where the master finds room; all pages or none.</summary>
internal sealed partial class RackCore
{
    private const int AllocationsRemembered = 4096;

    private readonly Dictionary<RequestId, AllocationJob> _allocations = [];
    private readonly RecentMap<PageId, AllocationJob> _allocated = new(AllocationsRemembered);
    private readonly Dictionary<RequestId, (PageId First, long Count)> _allocatedBefore = [];

    private sealed class AllocationJob(AllocatePages order)
    {
        public AllocatePages Order { get; } = order;

        public PageId First { get; set; }

        public long Local { get; set; }

        public long DeadlineNs { get; set; }

        public int Tries { get; set; }

        /// <summary>The parts in other racks; true once they have their rows.</summary>
        public List<HostedPart> Parts { get; } = [];

        /// <summary>After a wrap of the sequence: ids whose shard has not confirmed yet that they are free.</summary>
        public HashSet<PageId>? Unconfirmed { get; set; }

        public bool Failed { get; set; }

        /// <summary>Every rack that hosts a part knows that the client has acknowledged.</summary>
        public bool Settled { get; set; }

        public bool RoomAsked { get; set; }
    }

    private sealed class HostedPart(RackIncarnation rack, PageId first, long count)
    {
        public RackIncarnation Rack { get; } = rack;

        public PageId First { get; } = first;

        public long Count { get; } = count;

        public bool Hosted { get; set; }
    }

    private void RememberAllocation(in FrameRow row)
    {
        if (!IsUnacknowledged(row)) return;
        var known = _allocatedBefore.TryGetValue(row.Request, out var range) ? range : (First: row.Page, Count: 0);
        _allocatedBefore[row.Request] = (known.First.CompareTo(row.Page) < 0 ? known.First : row.Page, known.Count + 1);
    }

    private void OnAllocatePages(AllocatePages m)
    {
        if (_allocations.ContainsKey(m.Request)) return;
        if (_allocatedBefore.TryGetValue(m.Request, out var before) && before.Count == m.Count)
        {
            Reply(m, new PagesAllocated(m.Request, before.First));
            return;
        }

        if (IsTooMany(m, m.Count, "allocated")) return;
        if (m.SessionScoped && _options.SessionPagesMax > 0 && PagesOf(m.Session) + m.Count > _options.SessionPagesMax)
        {
            Done(m, RequestStatus.Exhausted, $"the session has {PagesOf(m.Session)} pages that end with it, a session may have {_options.SessionPagesMax} in this rack "
                + "(rcmp.limits.session-pages). See docs/failures/limits.md.");
            return;
        }

        var job = new AllocationJob(m) { Local = long.Min(m.Count, RoomLeft), DeadlineNs = _now + _options.RequestTimeoutNs };
        _allocations[m.Request] = job;
        ReserveIds(job);
    }

    private long PagesOf(SessionToken session) => _sessionPages.TryGetValue(session, out var pages) ? pages.Count : 0;

    /// <summary>Refuses a count that no request may have. What follows loops over it.</summary>
    private bool IsTooMany(ISessionRequest m, long count, string what)
    {
        var max = long.Min(_options.RequestPagesMax, (long)_store.Geometry.SequenceMax / 2);
        if (count >= 1 && count <= max) return false;
        Done(m, RequestStatus.Invalid, $"{count} pages cannot be {what} at once: 1 to {max} can (rcmp.limits.request-pages). See docs/failures/limits.md.", remember: false);
        return true;
    }

    private void ReserveIds(AllocationJob job)
    {
        var count = (ulong)job.Order.Count;
        var state = _store.State;
        var max = _store.Geometry.SequenceMax;
        var next = _nextSequence == 0 ? ulong.Max(1, state.SequenceReserved) : _nextSequence;

        // Consecutive ids do not cross the end of the sequence, and 0 is no sequence.
        if ((next & max) == 0) next++;
        if ((next & max) + count - 1 > max) next += max - (next & max) + 2;
        _nextSequence = next + count;
        if (_nextSequence > state.SequenceReserved)
            _store.SaveState(state with { SequenceReserved = _nextSequence + (ulong)_options.SequenceBlock });
        job.First = _store.Geometry.MakePage(Self.Rack, next);
        if (next <= max)
        {
            PlaceJob(job);
            return;
        }

        job.Unconfirmed = [];
        for (long i = 0; i < job.Order.Count; i++) job.Unconfirmed.Add(job.First.Plus(i));
        ResendConfirm();
    }

    private ulong _nextSequence;

    private void ResendConfirm()
    {
        var waiting = false;
        foreach (var job in _allocations.Values.Where(j => j.Unconfirmed is { Count: > 0 }).ToArray())
        {
            if (job.DeadlineNs <= _now)
            {
                FailAllocation(job, RequestStatus.Unavailable, "the directory did not confirm that reused page ids are free");
                continue;
            }

            waiting = true;
            foreach (var page in job.Unconfirmed!) _fx.SendToShard(ShardOf(page), new ConfirmFree(ShardOf(page), Self, page));
        }

        if (waiting) _timers.Set(new TimerKey(TimerKind.Confirm, 0), _now + _options.ResendMinNs * 4);
    }

    private void OnFreeConfirmed(FreeConfirmed m)
    {
        if (m.Asker != Self) return;
        foreach (var job in _allocations.Values.Where(j => j.Unconfirmed?.Contains(m.Page) == true).ToArray())
        {
            if (!m.Free || _frames.ContainsKey(m.Page))
            {
                job.Unconfirmed = null;
                ReserveIds(job);
                continue;
            }

            job.Unconfirmed!.Remove(m.Page);
            if (job.Unconfirmed.Count > 0) continue;
            job.Unconfirmed = null;
            PlaceJob(job);
        }
    }

    private void PlaceJob(AllocationJob job)
    {
        var m = job.Order;
        job.Local = long.Min(job.Local, RoomLeft);
        if (job.Local < m.Count && (_nodeAddress.Length == 0 || Roster.Entries.Count(e => !e.Forgotten) < 2))
        {
            // Nobody else could take the rest: no frame is cleared for nothing.
            job.Local = 0;
            FailExhausted(job, 0);
            return;
        }

        _ = MakeRows(job.First, job.Local, m.Session, m.SessionScoped, m.Request, made => OnRowsMade(job, made));
    }

    private void OnRowsMade(AllocationJob job, bool made)
    {
        if (!made)
        {
            FailAllocation(job, RequestStatus.SessionUnknown, "the session has ended");
        }
        else if (job.Local == job.Order.Count)
        {
            FinishAllocation(job);
        }
        else
        {
            // Placing may have taken long: the deadline is for the others' answers.
            job.DeadlineNs = _now + _options.RequestTimeoutNs;
            job.RoomAsked = true;
            ResendHosting(job.Order.Request);
        }
    }

    private void ResendHosting(RequestId request)
    {
        if (!_allocations.TryGetValue(request, out var job)) return;
        if (job.DeadlineNs <= _now)
        {
            FailAllocation(job, RequestStatus.Unavailable, "no answer about room in other racks within rcmp.request-timeout");
            return;
        }

        if (job.RoomAsked) _fx.SendToMaster(new AskRoom(Self, request, job.Order.Count - job.Local));
        foreach (var part in job.Parts.Where(p => !p.Hosted)) SendHosting(job, part);
        _timers.Set(new TimerKey(TimerKind.Host, request.Value), _now + Backoff(job.Tries++));
    }

    private void SendHosting(AllocationJob job, HostedPart part) => _fx.SendToRack(part.Rack.Rack, new HostPages(
        Self, part.Rack, job.Order.Request, job.Order.Session, job.Order.SessionScoped, part.First, part.Count));

    private void OnRoomForAllocation(AllocationJob job, RoomOffered m)
    {
        if (!job.RoomAsked) return;
        job.RoomAsked = false;
        var missing = job.Order.Count - job.Local;
        var next = job.First.Plus(job.Local);
        foreach (var room in m.Rooms)
        {
            var entry = Roster.Entries.FirstOrDefault(e => e.Rack == room.Rack && !e.Forgotten);
            var count = long.Min(missing, room.Pages);
            if (entry is null || count <= 0 || room.Rack == Self.Rack) continue;
            job.Parts.Add(new HostedPart(new RackIncarnation(entry.Rack, entry.Generation), next, count));
            next = next.Plus(count);
            missing -= count;
        }

        if (missing > 0) FailExhausted(job, job.Order.Count - missing);
        else ResendHosting(job.Order.Request);
    }

    private void OnPagesHosted(PagesHosted m)
    {
        if (m.To != Self || !_allocations.TryGetValue(m.Request, out var job)) return;
        if (job.Parts.Find(p => p.First == m.First && p.Rack == m.From) is not { Hosted: false } part)
        {
            // A daemon that was restarted since the roster was heard will not host under its old generation.
            if (!m.Ok) FailAllocation(job, RequestStatus.Unavailable, $"rack {m.From.Rack} was restarted meanwhile");
            return;
        }

        part.Hosted = m.Ok;
        if (!m.Ok) FailAllocation(job, RequestStatus.Exhausted, $"rack {m.From.Rack} has no room any more");
        else if (job.Parts.TrueForAll(p => p.Hosted)) FinishAllocation(job);
    }

    private void FinishAllocation(AllocationJob job)
    {
        if (_ended.TryGet(job.Order.Session, out _))
        {
            FailAllocation(job, RequestStatus.SessionUnknown, "the session has ended");
            return;
        }

        _allocations.Remove(job.Order.Request);
        _timers.Cancel(new TimerKey(TimerKind.Host, job.Order.Request.Value));
        _allocated.Add(job.First, job);
        Reply(job.Order, new PagesAllocated(job.Order.Request, job.First));
    }

    private void FailExhausted(AllocationJob job, long found) => FailAllocation(
        job, RequestStatus.Exhausted, $"no room for {job.Order.Count} pages: this rack has {RoomLeft + job.Local} free frames, the others together offer "
        + $"{long.Max(0, found - job.Local)} (a rack keeps rcmp.swap.reserve = {_reserve} for pages that move).");

    private void FailAllocation(AllocationJob job, RequestStatus status, string why)
    {
        _allocations.Remove(job.Order.Request);
        _timers.Cancel(new TimerKey(TimerKind.Host, job.Order.Request.Value));
        if (job.Failed) return;
        job.Failed = true;
        for (long i = 0; i < job.Local; i++)
        {
            // Rows are made in steps: the last ones may not be there yet, and will not be. A row of another request is of a page that had the id before the sequence wrapped.
            if (TryRow(job.First.Plus(i), out _, out var row) && row.Session == job.Order.Session && row.Request == job.Order.Request) FreeOwn(row.Page);
        }

        if (job.Parts.Count > 0) SettleParts(job, keep: false);
        Done(job.Order, status, $"Allocating failed: {why}");
    }
}
