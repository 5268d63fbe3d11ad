using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>Taking a page away from all who use it: the first half of a move and of a free.</summary>
internal sealed partial class RackCore
{
    private const long HeldUpShownNs = 60_000_000_000;

    private readonly Dictionary<PageId, Taking> _takings = [];
    private readonly Dictionary<ulong, PageId> _takingTickets = [];
    private readonly Dictionary<PageId, (HeldUpPage Page, long SeenNs)> _heldUp = [];

    private sealed class Taking(PageOrder order)
    {
        public PageOrder Order { get; } = order;

        public bool OwnersQuiet { get; set; }

        /// <summary>Revocations not acknowledged yet, with the number that is awaited.</summary>
        public Dictionary<HolderLink, ulong> Awaited { get; } = [];

        /// <summary>Acknowledged, but naming connections which are being destroyed.</summary>
        public HashSet<HolderLink> Destroying { get; } = [];

        public int Tries { get; set; }
    }

    private void BeginTaking(PageOrder order, in FrameRow row)
    {
        if (_takings.TryGetValue(order.Page, out var current))
        {
            // A repeat is answered when the first one ends; another order waits for it and is sent again by its shard.
            if (current.Order.Attempt.Term < order.Term) _fx.Log(RackLogLevel.Debug, $"{Name(order.Page)} is being taken under term {current.Order.Term}.");
            return;
        }

        if ((row.Unsettled && !Is(ProtocolMutation.MoveUnsettled)) || (order.Order == OrderKind.Leave && IsUnacknowledged(row)))
        {
            _over.Add((order.Page, order.Attempt), true);
            Answer(order, OrderStatus.NotYet, row.Unsettled ? "the last move is not settled yet" : "the allocation is not acknowledged yet");
            return;
        }

        var taking = new Taking(order);
        _takings[order.Page] = taking;
        SetEntry(order.Page, Location.Moving);
        var ticket = NewTicket();
        _takingTickets[ticket] = order.Page;
        if (_holdersOf.TryGetValue(order.Page, out var holders))
        {
            foreach (var link in holders) taking.Awaited[link] = ++link.Number;
        }

        if (taking.Awaited.Count > 0)
        {
            ResendRevocations(order.Page);
            _timers.Set(new TimerKey(TimerKind.HolderFence, order.Page.Value), _now + _options.RevokeTimeoutNs);
        }

        _fx.Quiesce(ticket, order.Page, _options.QuiesceBudgetNs, remoteOnly: false);
        if (!Is(ProtocolMutation.SkipQuiesce)) return;
        taking.OwnersQuiet = true;
        FinishTakingIfReady(order.Page, taking);
    }

    private static bool IsUnacknowledged(in FrameRow row) => !row.Session.IsNone && row.Request != default;

    private void ResendRevocations(PageId page)
    {
        if (!_takings.TryGetValue(page, out var taking)) return;
        foreach (var (link, number) in taking.Awaited)
        {
            if (!link.Ending && !taking.Destroying.Contains(link)) _fx.SendToRack(link.Id.Holder.Rack, new RevokePage(link.Id, page, number));
        }

        _timers.Set(new TimerKey(TimerKind.HolderRevoke, page.Value), _now + Backoff(taking.Tries++));
    }

    private void FenceSilentHolders(PageId page)
    {
        if (!_takings.TryGetValue(page, out var taking)) return;
        foreach (var link in taking.Awaited.Keys)
        {
            if (taking.Destroying.Contains(link)) continue;
            _fx.Log(RackLogLevel.Warning, $"Rack {link.Id.Holder.Rack} did not give back {Name(page)} in time: its connections are destroyed.");
            FenceLink(link);
        }
    }

    private void OnRevokeAcknowledged(RevokeAcknowledged m)
    {
        if (!_holders.TryGetValue(m.Link.Holder.Rack, out var link) || link.Id != m.Link || link.Ending) return;
        if (!_takings.TryGetValue(m.Page, out var taking) || !taking.Awaited.TryGetValue(link, out var number)) return;
        if ((number != m.Number && !Is(ProtocolMutation.AcceptAnyAcknowledgement)) || taking.Destroying.Contains(link)) return;
        if (m.Connections.Count == 0)
        {
            HolderGaveUp(m.Page, link, number);
            return;
        }

        taking.Destroying.Add(link);
        Destroy(new DestroyJob(link, m.Connections, m.Page, number));
    }

    private void HolderGaveUp(PageId page, HolderLink link, ulong number)
    {
        if (!_takings.TryGetValue(page, out var taking) || !taking.Awaited.TryGetValue(link, out var awaited) || awaited != number) return;
        RemoveHolder(page, link);
        taking.Awaited.Remove(link);
        taking.Destroying.Remove(link);
        FinishTakingIfReady(page, taking);
    }

    private void LinkIsOver(PageId page, HolderLink link)
    {
        if (!_takings.TryGetValue(page, out var taking) || !taking.Awaited.Remove(link)) return;
        taking.Destroying.Remove(link);
        FinishTakingIfReady(page, taking);
    }

    private bool OnTakingQuiesced(QuiesceEnded e)
    {
        if (!_takingTickets.Remove(e.Ticket, out var page)) return false;
        if (!_takings.TryGetValue(page, out var taking)) return true;
        if (e.Quiet)
        {
            taking.OwnersQuiet = true;
            FinishTakingIfReady(page, taking);
            return true;
        }

        var by = e.HeldUpBy ?? "a guard";
        var tries = _heldUp.TryGetValue(page, out var before) ? before.Page.Tries + 1 : 1;
        if (tries == 1) _fx.Log(RackLogLevel.Warning, $"{Name(page)} does not get quiet: held up by {by}. It stays where it is, and is tried again. See docs/failures/client-stopped.md.");
        _heldUp[page] = (new HeldUpPage(page, tries, by, taking.Order.Order.ToString()), _now);
        _over.Add((page, taking.Order.Attempt), true);
        StopTaking(page);
        Answer(taking.Order, OrderStatus.NotQuiet, $"held up by {by} (docs/failures/client-stopped.md)");
        return true;
    }

    private IEnumerable<HeldUpPage> HeldUpLately()
    {
        // A page that nobody wants to move any more would be named for ever.
        foreach (var (page, (_, seenNs)) in _heldUp.ToArray())
        {
            if (_now - seenNs > HeldUpShownNs || !_frames.ContainsKey(page)) _heldUp.Remove(page);
        }

        return _heldUp.Values.Select(h => h.Page);
    }

    /// <summary>The page opens again where it is. Holders that gave it up ask anew; those that did not keep what they have.</summary>
    private void StopTaking(PageId page)
    {
        EndTaking(page);
        OpenPage(page);
    }

    private void EndTaking(PageId page)
    {
        _takings.Remove(page);
        _timers.Cancel(new TimerKey(TimerKind.HolderRevoke, page.Value));
        _timers.Cancel(new TimerKey(TimerKind.HolderFence, page.Value));
    }

    private void FinishTakingIfReady(PageId page, Taking taking)
    {
        if (!taking.OwnersQuiet || (taking.Awaited.Count > 0 && !Is(ProtocolMutation.SkipRevoke))) return;
        var order = taking.Order;
        if (_terms.GetValueOrDefault(order.Shard) > order.Term && !Is(ProtocolMutation.NoSecondTermCheck))
        {
            // A newer incarnation of the shard has been promised obedience meanwhile, and knows nothing of this order.
            StopTaking(page);
            RefuseTerm(order.Shard, order.Term);
            return;
        }

        EndTaking(page);
        _heldUp.Remove(page);
        if (!TryRow(page, out var frame, out var row)) return;
        if (order.Order == OrderKind.Leave)
        {
            ChangeRow(frame, row, row with { State = RowState.Leaving, Attempt = order.Attempt, Peer = order.Peer.Rack, Unsettled = false });
        }
        else
        {
            FreeRow(frame, row, order.Request);
            LeaveEntry(page);
        }

        Answer(order, OrderStatus.Done, "");
        AskAgain(page);
    }

    /// <summary>The page is not here any more: clients miss it from now on.</summary>
    private void LeaveEntry(PageId page)
    {
        SetEntry(page, Location.Absent);
        ReleaseEntry(page);
    }
}
