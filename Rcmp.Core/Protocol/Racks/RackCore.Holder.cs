using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>The holder's side: misses, references, and giving them back.</summary>
internal sealed partial class RackCore
{
    private readonly Dictionary<PageId, Miss> _misses = [];
    private readonly Dictionary<PageId, Revoking> _revoking = [];
    private readonly Dictionary<ulong, PageId> _revokeTickets = [];

    private sealed class Miss
    {
        public List<(ISessionRequest Request, long DeadlineNs)> Waiters { get; } = [];

        /// <summary>What is asked for along with the page.</summary>
        public PageSpan Span { get; init; }

        /// <summary>An answer is on its way that should have the page: nothing was sent for it.</summary>
        public bool CountsOnReadAhead { get; set; }

        public int Tries { get; set; }

        public RackIncarnation WaitsFor { get; set; }

        public string Why { get; set; } = "the directory has not answered";
    }

    private sealed class Revoking
    {
        public required LinkId Link { get; set; }

        public required ulong Number { get; set; }

        /// <summary>The entry was of the link, and is "moving" on account of this revocation.</summary>
        public bool Touched { get; set; }

        /// <summary>Another number came while guards were waited for: they are looked at again for it.</summary>
        public bool Again { get; set; }

        public ulong Ticket { get; set; }
    }

    private void OnResolveMiss(ResolveMiss m)
    {
        if (OpenPage(m.Page))
        {
            Done(m, RequestStatus.Ok, "");
            return;
        }

        var location = _store.Lookup(m.Page);
        if (location.Kind == LocationKind.Remote && _owners.Values.FirstOrDefault(l => l.Slot == location.LinkSlot) is { } link)
        {
            // Another client's miss was faster; or the link is dead and nobody told us.
            VerifyLink(link);
            Done(m, RequestStatus.Ok, "");
            return;
        }

        if (!_misses.TryGetValue(m.Page, out var miss))
        {
            BeginMiss(m);
        }
        else if (!miss.Waiters.Exists(w => w.Request.Request == m.Request && w.Request.Session == m.Session))
        {
            miss.Waiters.Add((m, _now + _options.RequestTimeoutNs));
        }
    }

    private void SendMiss(PageId page, Miss miss)
    {
        miss.CountsOnReadAhead = false;
        var shard = ShardOf(page);
        var pages = ValueList<PageId>.Of(page);
        var span = WithoutReachableEnds(miss.Span, page);
        if (miss.Tries == 0 && LinkToBirthOf(page) is { } link)
            _fx.SendToRack(link.Id.Owner.Rack, new ForwardedResolve(shard, default, link.Id.Owner, Self, pages, span));
        else
            _fx.SendToShard(shard, new ResolvePages(shard, Self, pages, span));
        _timers.Set(new TimerKey(TimerKind.Miss, page.Value), _now + Backoff(miss.Tries++));
    }

    private void RetryMiss(PageId page)
    {
        if (!_misses.TryGetValue(page, out var miss) || OpenPage(page)) return;
        foreach (var (request, _) in miss.Waiters.Where(w => w.DeadlineNs <= _now).ToArray())
            Done(request, RequestStatus.Unavailable, $"{Name(page)} could not be reached within {_options.RequestTimeoutNs / 1_000_000} ms (rcmp.request-timeout): {miss.Why}.");
        miss.Waiters.RemoveAll(w => w.DeadlineNs <= _now);
        if (miss.Waiters.Count == 0) _misses.Remove(page);
        else SendMiss(page, miss);
    }

    /// <summary>Something has changed for the page: those who wait for it ask at once.</summary>
    private void AskAgain(PageId page)
    {
        if (!_misses.TryGetValue(page, out var miss)) return;
        miss.Tries = 0;
        SendMiss(page, miss);
    }

    private void CompleteMiss(PageId page, RequestStatus status, string why)
    {
        if (!_misses.Remove(page, out var miss)) return;
        _timers.Cancel(new TimerKey(TimerKind.Miss, page.Value));
        foreach (var (request, _) in miss.Waiters) Done(request, status, why);
    }

    private void ResendMissesOf(RackIncarnation owner)
    {
        foreach (var (page, miss) in _misses.Where(m => m.Value.WaitsFor == owner).ToArray())
        {
            miss.WaitsFor = default;
            AskAgain(page);
        }
    }

    private void OnPagesUnresolved(PagesUnresolved m)
    {
        if (m.Asker != Self) return;
        foreach (var page in m.Pages)
        {
            if (OpenPage(page) || !_misses.TryGetValue(page, out var miss)) continue;
            miss.Why = m.Why;
            switch (m.Problem)
            {
                case ResolveProblem.NoSuchPage when !_frames.ContainsKey(page):
                    CompleteMiss(page, RequestStatus.PageNotFound, $"{Name(page)} was never allocated, or was freed.");
                    break;
                case ResolveProblem.RegisterFirst:
                    miss.WaitsFor = m.Answerer;
                    if (EnsureLink(m.Answerer) is { Record: not null } link) VerifyLink(link);
                    break;
                case ResolveProblem.Busy:
                    _timers.Set(new TimerKey(TimerKind.Miss, page.Value), _now + _options.ResendMinNs / 4);
                    break;
            }
        }
    }

    private void OnGrantPages(GrantPages m)
    {
        if (!_owners.TryGetValue(m.Link.Owner.Rack, out var link) || link.Id != m.Link || link.Record is null)
        {
            // The owner still believes in a link that is over here: whoever waits needs a new one.
            if (m.Link.Holder == Self && m.Pages.Any(g => _misses.ContainsKey(g.Page))) EnsureLink(m.Link.Owner);
            return;
        }

        var late = m.Number <= link.HighestRevocation && !Is(ProtocolMutation.IgnoreNumbers);
        foreach (var grant in m.Pages) OnGrant(link, grant, late);
        var room = RoomForNeighbours();
        var left = _options.NeighboursMax + 1;
        foreach (var run in m.Runs)
        {
            for (var i = 0; i < run.Count && left > 0; i++, left--)
            {
                var grant = new PageGrant(run.First.Plus(i), new FrameIndex(run.Frame.Value + (uint)i), run.Epoch);
                if (room > 0 || _misses.ContainsKey(grant.Page)) room -= OnGrant(link, grant, late) ? 1 : 0;
            }
        }

        OnReadAheadEnded(m.Span);
    }

    /// <summary>True if the reference was installed.</summary>
    private bool OnGrant(OwnerLink link, in PageGrant grant, bool late)
    {
        // Only what somebody waits for may push out another page: neighbours that did would push out each other.
        var location = Location.Remote(link.Slot, grant.Frame, grant.Epoch);
        var installed = !late && MayInstall(grant.Page) && (_misses.ContainsKey(grant.Page) ? TryPlace(grant.Page, location) : SetEntry(grant.Page, location));
        if (installed)
        {
            link.Pages.Add(grant.Page);
            WatchHeat(grant.Page);
        }

        if (_misses.Count == 0 || !_misses.TryGetValue(grant.Page, out var miss)) return installed;
        if (installed || _store.Lookup(grant.Page).Kind is LocationKind.Remote)
        {
            CompleteMiss(grant.Page, RequestStatus.Ok, "");
            return installed;
        }

        miss.Why = "its reference was revoked on the way, or the page table is full";
        _timers.Set(new TimerKey(TimerKind.Miss, grant.Page.Value), _now + _options.ResendMinNs / 4);
        return false;
    }

    private bool MayInstall(PageId page) =>
        (!_frames.ContainsKey(page) || Is(ProtocolMutation.InstallOverRow))
        && (_store.Lookup(page).Kind == LocationKind.Absent || Is(ProtocolMutation.InstallOverRow));

    private void OnRevokePage(RevokePage m)
    {
        if (!_owners.TryGetValue(m.Link.Owner.Rack, out var link) || link.Id != m.Link || link.Record is null) return;
        if (m.Number > link.HighestRevocation) link.HighestRevocation = m.Number;
        var location = _store.Lookup(m.Page);
        var touches = location.Kind == LocationKind.Remote && location.LinkSlot == link.Slot;
        if (touches)
        {
            link.Pages.Remove(m.Page);
            SetEntry(m.Page, Location.Moving);
        }

        if (!touches && Is(ProtocolMutation.ForgetConnections) && !_revoking.ContainsKey(m.Page))
        {
            _fx.SendToRack(m.Link.Owner.Rack, new RevokeAcknowledged(m.Link, m.Page, m.Number, ValueList<ulong>.Empty));
            return;
        }

        // Even if the entry is gone: an operation begun under it may be on its way, and the owner must hear over which connection.
        if (!_revoking.TryGetValue(m.Page, out var revoking))
        {
            _revoking[m.Page] = revoking = new Revoking { Link = m.Link, Number = m.Number, Touched = touches };
            QuiesceRevoked(m.Page, revoking);
            return;
        }

        revoking.Touched |= touches;
        if (revoking.Link == m.Link && revoking.Number >= m.Number && !touches) return;
        revoking.Again = true;
        revoking.Number = revoking.Link == m.Link ? ulong.Max(m.Number, revoking.Number) : m.Number;
        revoking.Link = m.Link;
    }

    /// <summary>An operation on the wire that is still under way after that is ended with its connection, and a write's outcome is unknown then. On a busy machine the owner's thread may not run for some milliseconds.</summary>
    private const int RemotePatience = 10;

    private void QuiesceRevoked(PageId page, Revoking revoking)
    {
        revoking.Again = false;
        revoking.Ticket = NewTicket();
        _revokeTickets[revoking.Ticket] = page;
        _fx.Quiesce(revoking.Ticket, page, long.Min(RemotePatience * _options.QuiesceBudgetNs, _options.RevokeTimeoutNs / 4), remoteOnly: true);
    }

    private bool OnRevokeQuiesced(QuiesceEnded e)
    {
        if (!_revokeTickets.Remove(e.Ticket, out var page)) return false;
        if (!_revoking.TryGetValue(page, out var revoking) || revoking.Ticket != e.Ticket) return true;
        if (revoking.Again)
        {
            QuiesceRevoked(page, revoking);
            return true;
        }

        _revoking.Remove(page);
        if (revoking.Touched && _store.Lookup(page).Kind == LocationKind.Moving && !IsResident(page)) LeaveEntry(page);
        if (_owners.TryGetValue(revoking.Link.Owner.Rack, out var link) && link.Id == revoking.Link)
        {
            _fx.SendToRack(
                revoking.Link.Owner.Rack, new RevokeAcknowledged(revoking.Link, page, revoking.Number, ValueList<ulong>.Of(e.Connections)));
        }

        if (!OpenPage(page)) AskAgain(page);
        return true;
    }

    private void OnQuiesceEnded(QuiesceEnded e)
    {
        if (!OnTakingQuiesced(e) && !OnRevokeQuiesced(e) && !OnReleaseQuiesced(e)) OnLinkQuiesced(e);
    }
}
