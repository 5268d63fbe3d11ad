using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>The end of a session frees what it holds, in all racks.</summary>
internal sealed partial class RackCore
{
    private const int SessionsRemembered = 4096;

    private readonly RecentMap<SessionToken, bool> _ended = new(SessionsRemembered);
    private readonly Dictionary<SessionToken, SessionEnd> _sessionEnds = [];
    private ulong _lastSessionAsk;

    private sealed class SessionEnd
    {
        /// <summary>Who has yet to answer, and the number of the question: a late answer to an earlier one says nothing of a page that has come to the rack since.</summary>
        public Dictionary<RackId, ulong> Racks { get; } = [];

        public List<ISessionRequest> Waiters { get; } = [];

        public int Tries { get; set; }

        /// <summary>Every rack has answered once. A page may have moved, between two answers, to a rack that had answered and was restarted: they are asked twice.</summary>
        public bool AskedTwice { get; set; }
    }

    private void EndSession(SessionToken session, ISessionRequest? waiter)
    {
        _ended.Add(session, true);
        if (!_sessionEnds.TryGetValue(session, out var end))
        {
            _sessionEnds[session] = end = new SessionEnd();
            AddOtherRacks(end);
        }

        if (waiter is not null) end.Waiters.Add(waiter);
        // One that waits for room would ask a rack to host its pages after all racks have answered: nobody would free them if this daemon died then.
        foreach (var job in _allocations.Values.Where(j => j.Order.Session == session).ToArray()) FailAllocation(job, RequestStatus.SessionUnknown, "the session has ended");
        FreeSessionPages(session);
        ResendSessionEnd(session);
    }

    private void AddOtherRacks(SessionEnd end)
    {
        foreach (var entry in Roster.Entries)
        {
            if (!entry.Forgotten && entry.Rack != Self.Rack) end.Racks[entry.Rack] = ++_lastSessionAsk;
        }
    }

    private void FreeSessionPages(SessionToken session)
    {
        if (!_sessionPages.TryGetValue(session, out var pages)) return;
        foreach (var page in pages.ToArray()) EndIfSessionEnded(page);
    }

    private void EndIfSessionEnded(PageId page)
    {
        if (TryRow(page, out _, out var row) && row.State == RowState.Resident && !row.Session.IsNone
            && (_ended.TryGet(row.Session, out _) || IsForgotten(_store.Geometry.BirthRackOf(page)))) FreeOwn(page);
    }

    /// <summary>The sessions of a rack that was removed have ended with it, and nobody is left to say so: what they held was born there.</summary>
    private void FreePagesOfForgotten()
    {
        foreach (var page in _sessionPages.Values.SelectMany(p => p).Where(p => IsForgotten(_store.Geometry.BirthRackOf(p))).ToArray()) EndIfSessionEnded(page);
    }

    private void CheckEndedSession(SessionToken session)
    {
        if (!session.IsNone && _sessionEnds.ContainsKey(session)) ResendSessionEnd(session);
    }

    /// <summary>A page of the session has gone to that rack, which may have answered before.</summary>
    private void FollowEndedSession(SessionToken session, RackId to)
    {
        if (!session.IsNone && _sessionEnds.TryGetValue(session, out var end)) end.Racks[to] = ++_lastSessionAsk;
        CheckEndedSession(session);
    }

    private void ResendSessionEnd(SessionToken session)
    {
        if (!_sessionEnds.TryGetValue(session, out var end)) return;
        foreach (var gone in end.Racks.Keys.Where(IsForgotten).ToArray()) end.Racks.Remove(gone);
        if (end.Racks.Count == 0 && !_sessionPages.ContainsKey(session) && !end.AskedTwice)
        {
            end.AskedTwice = true;
            AddOtherRacks(end);
        }

        if (end.Racks.Count == 0 && !_sessionPages.ContainsKey(session))
        {
            _sessionEnds.Remove(session);
            _timers.Cancel(new TimerKey(TimerKind.SessionEnd, session.Value));
            foreach (var waiter in end.Waiters) Done(waiter, RequestStatus.Ok, "");
            _fx.SessionFreed(session);
            return;
        }

        FreeSessionPages(session);
        foreach (var (rack, number) in end.Racks) _fx.SendToRack(rack, new SessionEnded(Self, rack, session, number));
        _timers.Set(new TimerKey(TimerKind.SessionEnd, session.Value), _now + Backoff(end.Tries++));
    }

    private void OnSessionEnded(SessionEnded m)
    {
        if (m.To != Self.Rack) return;
        _ended.Add(m.Session, true);
        FreeSessionPages(m.Session);
        if (!_sessionPages.ContainsKey(m.Session)) _fx.SendToRack(m.From.Rack, new SessionForgotten(Self, m.From, m.Session, m.Number));
    }

    private void OnSessionForgotten(SessionForgotten m)
    {
        if (m.To != Self || !_sessionEnds.TryGetValue(m.Session, out var end) || !end.Racks.TryGetValue(m.From.Rack, out var number) || number != m.Number) return;
        end.Racks.Remove(m.From.Rack);
        if (end.Racks.Count == 0) ResendSessionEnd(m.Session);
    }
}
