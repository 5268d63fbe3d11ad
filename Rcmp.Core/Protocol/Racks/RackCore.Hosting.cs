using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>Pages in other racks' frames, on both sides, and the client's acknowledgement of an allocation.</summary>
internal sealed partial class RackCore
{
    private readonly Dictionary<RequestId, SettleJob> _settling = [];
    private readonly RecentMap<(RequestId Request, PageId First), bool> _hostingOver = new(AllocationsRemembered);

    /// <summary>Hosting that is under way: which placement.</summary>
    private readonly Dictionary<(RequestId Request, PageId First), ulong> _hostings = [];

    private sealed class SettleJob
    {
        public required SessionToken Session { get; init; }

        /// <summary>Kept or not: a request that failed and was repeated has parts of both kinds, and the first ones may be in a rack that is silent.</summary>
        public List<(RackId Rack, PageId First, long Count, bool Keep)> Parts { get; } = [];

        /// <summary>An acknowledgement is answered when every rack that is to keep pages knows of it: the end of the session must find it done, whoever was restarted meanwhile.</summary>
        public List<ISessionRequest> Waiters { get; } = [];

        public int Tries { get; set; }
    }

    private void OnHostPages(HostPages m)
    {
        if (m.To.Rack != Self.Rack || m.Count < 1 || _hostings.ContainsKey((m.Request, m.First))) return;
        // Rows are made in order: with the last one all are there.
        var known = TryRow(m.First.Plus(m.Count - 1), out _, out var row) && row.Request == m.Request;
        if (!known && m.To == Self && m.Count <= RoomLeft && !_ended.TryGet(m.Session, out _) && !IsForgotten(m.From.Rack)
            && !_hostingOver.TryGet((m.Request, m.First), out _) && !_frames.ContainsKey(m.First))
        {
            _hostings[(m.Request, m.First)] = 0;
            var placement = MakeRows(m.First, m.Count, m.Session, m.SessionScoped, m.Request, made =>
            {
                _hostings.Remove((m.Request, m.First));
                // A repeat that comes when the pages have been freed must not bring them back.
                if (made) _hostingOver.Add((m.Request, m.First), true);
                _fx.SendToRack(m.From.Rack, new PagesHosted(Self, m.From, m.Request, m.First, m.Count, made));
            });
            if (_hostings.ContainsKey((m.Request, m.First))) _hostings[(m.Request, m.First)] = placement;
            return;
        }

        _fx.SendToRack(m.From.Rack, new PagesHosted(Self, m.From, m.Request, m.First, m.Count, known));
    }

    private void OnAcknowledgeAllocation(AcknowledgeAllocation m)
    {
        if (IsTooMany(m, m.Count, "acknowledged")) return;
        AcknowledgeRows(m.Session, m.First, m.Count);
        if (_allocated.TryGet(m.First, out var job) && job.Order.Session == m.Session)
        {
            _allocatedBefore.Remove(job.Order.Request);
            if (job.Parts.Count > 0 && !job.Settled)
            {
                if (!RefusedAsRemoved(m)) SettleParts(job, keep: true, m);
                return;
            }
        }
        else if (m.First.Plus(m.Count - 1) is var last && (!_frames.ContainsKey(m.First) || !_frames.ContainsKey(last)))
        {
            // This daemon was restarted since: any rack may host a part.
            if (RefusedAsRemoved(m)) return;
            BeginSettling(m.Session, m.Request, Roster.Entries.Where(e => !e.Forgotten && e.Rack != Self.Rack).Select(e => (e.Rack, m.First, m.Count, true)), m);
            return;
        }

        Done(m, RequestStatus.Ok, "");
    }

    /// <summary>When a rack leaves, the others free what its sessions have not acknowledged: from then on nobody may be told that it is kept.</summary>
    private bool RefusedAsRemoved(AcknowledgeAllocation m)
    {
        if (!IsForgotten(Self.Rack)) return false;
        Done(m, RequestStatus.Unavailable, "This rack was removed from the pool before all racks that have a part knew of the acknowledgement.", remember: false);
        return true;
    }

    private void AcknowledgeRows(SessionToken session, PageId first, long count)
    {
        for (long i = 0; i < long.Min(count, _options.RequestPagesMax); i++)
        {
            if (!TryRow(first.Plus(i), out var frame, out var row) || row.Session != session || !IsUnacknowledged(row)) continue;
            _allocatedBefore.Remove(row.Request);
            ChangeRow(frame, row, row with { Request = default, Session = row.SessionScoped ? row.Session : default });
        }
    }

    private void SettleParts(AllocationJob job, bool keep, ISessionRequest? waiter = null) =>
        BeginSettling(job.Order.Session, job.Order.Request, job.Parts.Select(p => (p.Rack.Rack, p.First, p.Count, keep)), waiter);

    private void BeginSettling(SessionToken session, RequestId request, IEnumerable<(RackId Rack, PageId First, long Count, bool Keep)> parts, ISessionRequest? waiter)
    {
        if (!_settling.TryGetValue(request, out var job)) _settling[request] = job = new SettleJob { Session = session };
        job.Parts.AddRange(parts.Except(job.Parts).ToArray());
        if (waiter is not null && !job.Waiters.Exists(w => w.Request == waiter.Request)) job.Waiters.Add(waiter);
        ResendHostedSettlement(request);
    }

    private void AdvanceSettling(RequestId request, SettleJob job)
    {
        if (!job.Parts.Exists(p => p.Keep))
        {
            foreach (var waiter in job.Waiters)
            {
                if (waiter is AcknowledgeAllocation { First: var first } && _allocated.TryGet(first, out var allocated)) allocated.Settled = true;
                Done(waiter, RequestStatus.Ok, "");
            }

            job.Waiters.Clear();
        }

        if (job.Parts.Count == 0)
        {
            _settling.Remove(request);
            _timers.Cancel(new TimerKey(TimerKind.HostedSettle, request.Value));
        }

        LeaveIfDrained();
    }

    private void ResendHostedSettlement(RequestId request)
    {
        if (!_settling.TryGetValue(request, out var job)) return;
        job.Parts.RemoveAll(p => IsForgotten(p.Rack));
        foreach (var (rack, first, count, keep) in job.Parts)
            _fx.SendToRack(rack, new SettleHosted(Self, rack, request, job.Session, first, count, keep));
        if (job.Parts.Count > 0) _timers.Set(new TimerKey(TimerKind.HostedSettle, request.Value), _now + Backoff(job.Tries++));
        AdvanceSettling(request, job);
    }

    private void OnSettleHosted(SettleHosted m)
    {
        if (m.To != Self.Rack) return;
        _hostingOver.Add((m.Request, m.First), true);
        if (m.Keep)
        {
            AcknowledgeRows(m.Session, m.First, m.Count);
        }
        else
        {
            if (_hostings.Remove((m.Request, m.First), out var placement)) StopPlacing(placement);
            for (long i = 0; i < long.Min(m.Count, _options.RequestPagesMax); i++)
            {
                if (TryRow(m.First.Plus(i), out _, out var row) && row.Session == m.Session && row.Request == m.Request) FreeOwn(row.Page);
            }
        }

        _fx.SendToRack(m.From.Rack, new HostedSettled(Self, m.From, m.Request, m.First));
    }

    private void OnHostedSettled(HostedSettled m)
    {
        if (m.To.Rack != Self.Rack || !_settling.TryGetValue(m.Request, out var job)) return;
        job.Parts.RemoveAll(p => p.Rack == m.From.Rack && p.First == m.First);
        AdvanceSettling(m.Request, job);
    }
}
