using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>The holder's side: links to owners, from registration to the reuse of their slots.</summary>
internal sealed partial class RackCore
{
    // The link number is unique over starts of the daemon too: the generation stands above it.
    // Connection names keep 24 bits of a link's number, and a daemon may find names of earlier starts in guard slots: 10 bits tell starts
    // apart, 14 the registrations of one start.
    public const int LinkNumberShift = 14;

    private readonly Dictionary<RackId, OwnerLink> _owners = [];
    private readonly Dictionary<int, OwnerLink> _deadLinks = [];
    private readonly Dictionary<ulong, OwnerLink> _linkTickets = [];
    private readonly Dictionary<ulong, DestroyRequest> _destroyRequests = [];
    private ulong _registrations;
    private readonly HashSet<ulong> _beingDestroyed = [];
    private ulong _lastDestroy;

    private sealed class OwnerLink(LinkId id)
    {
        public LinkId Id { get; } = id;

        public int Slot { get; set; } = -1;

        /// <summary>Set once the owner has accepted the registration.</summary>
        public LinkRecord? Record { get; set; }

        public ulong HighestRevocation { get; set; }

        public HashSet<PageId> Pages { get; } = [];

        public int Tries { get; set; }

        public long VerifiedNs { get; set; } = long.MinValue / 2;

        /// <summary>The owner has said, or its new generation shows, that no connection of the link exists any more.</summary>
        public bool ConfirmedDead { get; set; }
    }

    private sealed class DestroyRequest(OwnerLink link, IReadOnlyList<ulong> connections)
    {
        public OwnerLink Link { get; } = link;

        public IReadOnlyList<ulong> Connections { get; } = connections;

        public List<ISessionRequest> Waiters { get; } = [];

        public int Tries { get; set; }
    }

    /// <summary>Links of an earlier start of this daemon: the owner must end them, surviving clients may still use their connections.</summary>
    private void LoadOldLinks()
    {
        for (var slot = 0; slot < _store.LinkSlots; slot++)
        {
            if (_store.ReadLink(slot) is not { } record) continue;
            var link = new OwnerLink(record.Id) { Slot = slot, Record = record };
            foreach (var (page, location) in _store.RemoteEntries())
            {
                if (location.LinkSlot == slot) link.Pages.Add(page);
            }

            BuryLink(link);
        }
    }

    /// <summary>The link if it can be used; else its registration is begun, or goes on.</summary>
    private OwnerLink? EnsureLink(RackIncarnation owner)
    {
        if (_owners.TryGetValue(owner.Rack, out var link))
        {
            if (link.Id.Owner == owner) return link;
            if (link.Id.Owner.Generation.CompareTo(owner.Generation) > 0) return null;
            KillLink(link, confirmed: true);
        }

        if (owner.Rack == Self.Rack || IsForgotten(owner.Rack)) return null;
        _owners[owner.Rack] = link = new OwnerLink(new LinkId(owner, Self, ++_registrations));
        SendRegisterHolder(owner.Rack);
        return link;
    }

    private void SendRegisterHolder(RackId owner)
    {
        if (!_owners.TryGetValue(owner, out var link) || link.Record is not null) return;
        _fx.SendToRack(owner, new RegisterHolder(link.Id.Owner, Self, link.Id.Registration));
        _timers.Set(new TimerKey(TimerKind.OwnerLink, owner.Value), _now + Backoff(link.Tries++));
    }

    private void OnHolderRegistered(HolderRegistered m)
    {
        if (!_owners.TryGetValue(m.Link.Owner.Rack, out var link) || link.Id != m.Link || link.Record is not null) return;
        if (!LinkEntry.Fits(m.Address))
        {
            _fx.Log(RackLogLevel.Warning, $"Rack {m.Link.Owner.Rack} serves at '{m.Address}', which is longer than the {LinkEntry.AddressBytesMax} bytes of a link: change its rcmp.fabric.address.");
            return;
        }

        var record = new LinkRecord((Self.Generation.Value << LinkNumberShift) + m.Link.Registration, m.Link, m.Key, m.Address);
        var slot = _store.TryPublishLink(record);
        if (slot < 0)
        {
            _fx.Log(RackLogLevel.Warning, $"All {_store.LinkSlots} link slots of the region are in use: rack {m.Link.Owner.Rack} cannot be reached yet.");
            return;
        }

        link.Slot = slot;
        link.Record = record;
        _timers.Cancel(new TimerKey(TimerKind.OwnerLink, m.Link.Owner.Rack.Value));

        // The owner ended whatever this rack had there before it accepted this registration.
        foreach (var old in _deadLinks.Values.Where(d => d.Id.Owner.Rack == m.Link.Owner.Rack).ToArray()) ConfirmDead(old);
        StartWaitingPulls(m.Link.Owner);
        ResendMissesOf(m.Link.Owner);
    }

    private void OnLinkEnded(LinkId id)
    {
        if (_owners.TryGetValue(id.Owner.Rack, out var link) && link.Id == id) KillLink(link, confirmed: true);
        foreach (var dead in _deadLinks.Values.Where(d => d.Id == id).ToArray()) ConfirmDead(dead);
    }

    /// <summary>Asks the owner whether the link still stands. An order to destroy nothing is answered by "ended" if it does not.</summary>
    private void VerifyLink(OwnerLink link)
    {
        if (link.Record is null || _now - link.VerifiedNs < _options.ResendMinNs) return;
        link.VerifiedNs = _now;
        _fx.SendToRack(link.Id.Owner.Rack, new DestroyConnectionsOrder(link.Id, ValueList<ulong>.Empty));
    }

    private void KillLink(OwnerLink link, bool confirmed)
    {
        _owners.Remove(link.Id.Owner.Rack);
        _timers.Cancel(new TimerKey(TimerKind.OwnerLink, link.Id.Owner.Rack.Value));
        link.ConfirmedDead = confirmed;
        if (link.Record is null) return;
        BuryLink(link);
        if (confirmed) ConfirmDead(link);
    }

    /// <summary>Removes the entries; then the slot waits for barrier and guards.</summary>
    private void BuryLink(OwnerLink link)
    {
        foreach (var page in link.Pages)
        {
            var location = _store.Lookup(page);
            if (Is(ProtocolMutation.LinksOutliveRegistrations)) continue;
            if (location.Kind == LocationKind.Remote && location.LinkSlot == link.Slot) LeaveEntry(page);
        }

        link.Pages.Clear();
        _deadLinks[link.Slot] = link;
        QuiesceDeadLink(link.Slot);
        if (!link.ConfirmedDead) DestroyAtOwner(link.Record!.Number, [], null);
    }

    private void ConfirmDead(OwnerLink link)
    {
        link.ConfirmedDead = true;
        _fx.ReleaseConnectionsOf(link.Record!);
        foreach (var (id, request) in _destroyRequests.Where(d => d.Value.Link == link).ToArray()) EndDestroy(id, request);
        QuiesceDeadLink(link.Slot);
    }

    private void QuiesceDeadLink(int slot)
    {
        if (!_deadLinks.TryGetValue(slot, out var link) || _linkTickets.ContainsValue(link)) return;
        var ticket = NewTicket();
        _linkTickets[ticket] = link;
        _fx.QuiesceLink(ticket, link.Record!, _options.QuiesceBudgetNs);
    }

    private bool OnLinkQuiesced(QuiesceEnded e)
    {
        if (!_linkTickets.Remove(e.Ticket, out var link)) return false;
        if (e.Quiet && e.Connections.Count == 0)
        {
            _deadLinks.Remove(link.Slot);
            _store.ReleaseLink(link.Slot);
        }
        else
        {
            _timers.Set(new TimerKey(TimerKind.LinkQuiesce, (ulong)link.Slot), _now + _options.BackoffMaxNs);
        }

        return true;
    }

    /// <summary>Has the owner of the link destroy connections of ours, until it has said so.</summary>
    private void DestroyAtOwner(ulong linkNumber, IReadOnlyList<ulong> connections, ISessionRequest? waiter)
    {
        var link = _owners.Values.FirstOrDefault(l => l.Record is { } r && ConnectionName.IsSameLink(r.Number, linkNumber))
            ?? _deadLinks.Values.FirstOrDefault(l => ConnectionName.IsSameLink(l.Record!.Number, linkNumber));
        if (link is null || link.ConfirmedDead)
        {
            _fx.ReleaseConnections(connections);
            if (waiter is not null) Done(waiter, RequestStatus.Ok, "");
            return;
        }

        // Guard slots are looked at ten times a second, and clients report again and again: each is asked for once, until its owner answers. Nothing at all asks for the end of a dead link.
        IReadOnlyList<ulong> added = [.. connections.Where(_beingDestroyed.Add)];
        if (added.Count == 0 && connections.Count > 0) return;
        var id = ++_lastDestroy;
        var request = new DestroyRequest(link, added);
        if (waiter is not null) request.Waiters.Add(waiter);
        _destroyRequests[id] = request;
        ResendDestroy(id);
    }

    private void ResendDestroy(ulong id)
    {
        if (!_destroyRequests.TryGetValue(id, out var request)) return;
        var owner = request.Link.Id.Owner.Rack;
        if (IsForgotten(owner))
        {
            OnLinkEnded(request.Link.Id);
            EndDestroy(id, request);
            return;
        }

        _fx.SendToRack(owner, new DestroyConnectionsOrder(request.Link.Id, ValueList<ulong>.Of(request.Connections)));
        _timers.Set(new TimerKey(TimerKind.Destroy, id), _now + Backoff(request.Tries++));
    }

    private void OnConnectionsDestroyed(ConnectionsDestroyed m)
    {
        if (m.Link.Holder != Self && !_deadLinks.Values.Any(d => d.Id == m.Link)) return;
        if (m.Connections.Count > 0) _fx.ReleaseConnections(m.Connections);
        foreach (var (id, request) in _destroyRequests.Where(d => d.Value.Link.Id == m.Link).ToArray())
        {
            // For a dead link only its end will do.
            if (request.Connections.Count == 0 && _deadLinks.ContainsKey(request.Link.Slot)) continue;
            if (request.Connections.All(c => m.Connections.Contains(c))) EndDestroy(id, request);
        }
    }

    private void EndDestroy(ulong id, DestroyRequest request)
    {
        _destroyRequests.Remove(id);
        _beingDestroyed.ExceptWith(request.Connections);
        _timers.Cancel(new TimerKey(TimerKind.Destroy, id));
        if (request.Connections.Count > 0) _fx.ReleaseConnections(request.Connections);
        foreach (var waiter in request.Waiters) Done(waiter, RequestStatus.Ok, "");
    }
}
