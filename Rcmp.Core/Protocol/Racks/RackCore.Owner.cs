using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>The owner's side: registrations of other racks, and the references they hold.</summary>
internal sealed partial class RackCore
{
    private readonly Dictionary<RackId, HolderLink> _holders = [];
    private readonly Dictionary<PageId, List<HolderLink>> _holdersOf = [];
    private readonly Dictionary<RackId, LinkId> _latestRegistration = [];
    private readonly Dictionary<RackId, LinkId> _endedRegistration = [];
    private readonly Dictionary<ulong, HolderLink> _fences = [];
    private readonly Dictionary<ulong, DestroyJob> _destroyTickets = [];
    private Guid _fabricKey;
    private string _fabricAddress = "";

    private sealed class HolderLink(LinkId id)
    {
        public LinkId Id { get; } = id;

        public ulong Number { get; set; }

        public HashSet<PageId> Pages { get; } = [];

        /// <summary>Being fenced: nothing is granted over it any more.</summary>
        public bool Ending { get; set; }

        /// <summary>What begins when the fence has ended.</summary>
        public RegisterHolder? Next { get; set; }
    }

    private sealed record DestroyJob(HolderLink Link, ValueList<ulong> Connections, PageId Page, ulong Number);

    private void OnFabricExposed(FabricExposed e)
    {
        _fabricKey = e.Key;
        _fabricAddress = e.Address;
    }

    private void OnRegisterHolder(RegisterHolder m)
    {
        if (m.Owner != Self || _fabricAddress.Length == 0 || IsForgotten(m.Holder.Rack)) return;
        var id = new LinkId(m.Owner, m.Holder, m.Registration);
        if (_latestRegistration.TryGetValue(m.Holder.Rack, out var latest) && IsEarlier(id, latest)) return;
        if (_endedRegistration.TryGetValue(m.Holder.Rack, out var ended) && ended == id)
        {
            // A late repeat: what has ended does not begin again.
            _fx.SendToRack(m.Holder.Rack, new LinkEnded(id));
            return;
        }

        _latestRegistration[m.Holder.Rack] = id;
        if (!_holders.TryGetValue(m.Holder.Rack, out var link)) BeginLink(id);
        else if (link.Id == id && !link.Ending) SendRegistered(id);
        else if (link.Id != id)
        {
            // The old registration and its connections end before the new one begins.
            link.Next = m;
            FenceLink(link);
        }
    }

    private static bool IsEarlier(LinkId id, LinkId latest) =>
        id.Holder.Generation.CompareTo(latest.Holder.Generation) < 0
        || (id.Holder.Generation == latest.Holder.Generation && id.Registration < latest.Registration);

    private void BeginLink(LinkId id)
    {
        _holders[id.Holder.Rack] = new HolderLink(id);
        _fx.AcceptRegistration(id);
        SendRegistered(id);
    }

    private void SendRegistered(LinkId id) => _fx.SendToRack(id.Holder.Rack, new HolderRegistered(id, _fabricKey, _fabricAddress));

    private void FenceLink(HolderLink link)
    {
        if (link.Ending) return;
        link.Ending = true;
        var ticket = NewTicket();
        _fences[ticket] = link;
        _fx.Fence(ticket, link.Id.Holder.Rack);
    }

    private void OnFenceEnded(ulong ticket)
    {
        if (_destroyTickets.Remove(ticket, out var job))
        {
            _fx.SendToRack(job.Link.Id.Holder.Rack, new ConnectionsDestroyed(job.Link.Id, job.Connections));
            if (!job.Page.IsNone) HolderGaveUp(job.Page, job.Link, job.Number);
            return;
        }

        if (!_fences.Remove(ticket, out var link)) return;
        _holders.Remove(link.Id.Holder.Rack);
        _endedRegistration[link.Id.Holder.Rack] = link.Id;
        foreach (var page in link.Pages) RemoveHolder(page, link, fromLink: false);
        link.Pages.Clear();
        _fx.SendToRack(link.Id.Holder.Rack, new LinkEnded(link.Id));
        if (link.Next is { } next && !IsForgotten(next.Holder.Rack)) BeginLink(new LinkId(next.Owner, next.Holder, next.Registration));
        foreach (var page in _takings.Keys.ToArray()) LinkIsOver(page, link);
    }

    private void RemoveHolder(PageId page, HolderLink link, bool fromLink = true)
    {
        if (fromLink) link.Pages.Remove(page);
        if (!_holdersOf.TryGetValue(page, out var list)) return;
        list.Remove(link);
        if (list.Count == 0) _holdersOf.Remove(page);
    }

    private void OnForwardedResolve(ForwardedResolve m)
    {
        if (m.Owner != Self) return;
        if (m.Asker.Rack == Self.Rack)
        {
            foreach (var page in m.Pages) OpenPage(page);
            TellIfMissing(m);
            return;
        }

        if (!_holders.TryGetValue(m.Asker.Rack, out var link) || link.Ending || link.Id.Holder != m.Asker)
        {
            if (m.Pages.Count == 0) return;
            var problem = link is { Ending: true } ? ResolveProblem.Busy : ResolveProblem.RegisterFirst;
            Refuse(m, ValueList<PageId>.Of(m.Pages[0]), problem, "the rack is not registered at the owner yet");
            return;
        }

        var grants = new List<PageGrant>(m.Pages.Count);
        foreach (var page in m.Pages)
        {
            if (MayGrant(page, out var grant)) grants.Add(grant);
        }

        var refused = m.Pages.Count > 0 && (grants.Count == 0 || grants[0].Page != m.Pages[0]);
        if (refused && m.Term == default)
        {
            _fx.SendToShard(m.Shard, new ResolvePages(m.Shard, m.Asker, m.Pages, m.Span));
            return;
        }

        // Neighbours that cannot be granted were not asked for by anybody: silence will do.
        if (refused)
        {
            Refuse(m, ValueList<PageId>.Of(m.Pages[0]), ResolveProblem.Busy, "the page is on its way to another rack, or being freed");
            TellIfMissing(m);
        }

        foreach (var grant in grants) AddHolder(grant.Page, link);
        var runs = GrantSpan(m.Span, link);
        if (grants.Count > 0 || runs.Count > 0 || (m.Pages.Count == 0 && m.Span.Count > 0))
            _fx.SendToRack(m.Asker.Rack, new GrantPages(link.Id, ++link.Number, ValueList<PageGrant>.Of(grants), runs, m.Span));
    }

    /// <summary>What there is of the span, as it is: nothing is evicted here to open a page that nobody waits for.</summary>
    private ValueList<GrantRun> GrantSpan(PageSpan span, HolderLink link)
    {
        var runs = new List<GrantRun>();
        for (var i = 0; i < int.Min(span.Count, _options.NeighboursMax + 1); i++)
        {
            var page = span.First.Plus(i);
            if (!MayGrant(page, out var grant, opens: false)) continue;
            AddHolder(page, link);
            if (runs.Count > 0 && runs[^1] is var run && run.First.Plus(run.Count) == page && run.Frame.Value + (uint)run.Count == grant.Frame.Value && run.Epoch == grant.Epoch)
                runs[^1] = run with { Count = run.Count + 1 };
            else
                runs.Add(new GrantRun(page, grant.Frame, grant.Epoch, 1));
        }

        return ValueList<GrantRun>.Of(runs);
    }

    /// <summary>The shard believes that the page is here, and it is not: it should look again.</summary>
    private void TellIfMissing(ForwardedResolve m)
    {
        if (m.Pages.Count > 0 && !_frames.ContainsKey(m.Pages[0])) _fx.SendToShard(m.Shard, new RowsPending(m.Shard, Self, ValueList<RowReport>.Of(Report(m.Pages[0]))));
    }

    private void Refuse(ForwardedResolve m, ValueList<PageId> pages, ResolveProblem problem, string why) =>
        _fx.SendToRack(m.Asker.Rack, new PagesUnresolved(Self, m.Asker, pages, problem, why));

    private bool MayGrant(PageId page, out PageGrant grant, bool opens = true)
    {
        grant = default;
        if (!TryRow(page, out var frame, out var row) || row.State != RowState.Resident) return false;
        if (_takings.ContainsKey(page) && !Is(ProtocolMutation.GrantWhileMoving)) return false;
        if (_store.Lookup(page).Kind != LocationKind.Resident && !(opens && OpenPage(page)) && !Is(ProtocolMutation.GrantWhileMoving)) return false;
        grant = new PageGrant(page, frame, row.Epoch);
        return true;
    }

    private void AddHolder(PageId page, HolderLink link)
    {
        if (!link.Pages.Add(page)) return;
        if (!_holdersOf.TryGetValue(page, out var list)) _holdersOf[page] = list = new List<HolderLink>(1);
        else if (Is(ProtocolMutation.ForgetHolder)) return;
        list.Add(link);
        WatchHeat(page);
    }

    private void OnDestroyConnectionsOrder(DestroyConnectionsOrder m)
    {
        if (m.Link.Owner.Rack != Self.Rack) return;
        if (!_holders.TryGetValue(m.Link.Holder.Rack, out var link) || link.Id != m.Link)
        {
            // Ended before, or granted by an earlier process of this rack: none of its connections exists any more.
            _fx.SendToRack(m.Link.Holder.Rack, new LinkEnded(m.Link));
        }
        else if (!link.Ending)
        {
            Destroy(new DestroyJob(link, m.Connections, PageId.None, 0));
        }
    }

    private void Destroy(DestroyJob job)
    {
        if (job.Connections.Count == 0)
        {
            _fx.SendToRack(job.Link.Id.Holder.Rack, new ConnectionsDestroyed(job.Link.Id, job.Connections));
            return;
        }

        var ticket = NewTicket();
        _destroyTickets[ticket] = job;
        _fx.DestroyConnections(ticket, job.Connections);
    }
}
