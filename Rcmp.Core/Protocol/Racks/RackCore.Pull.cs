using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>The receiver's side of a move.</summary>
internal sealed partial class RackCore
{
    private readonly Dictionary<PageId, PullState> _pulls = [];
    private long _movedIn;
    private readonly Dictionary<ulong, PageId> _pullTickets = [];

    private sealed class PullState(PageOrder order)
    {
        public PageOrder Order { get; set; } = order;

        /// <summary>Of the copy under way; 0 while it waits for a link, and when it is complete.</summary>
        public ulong Ticket { get; set; }

        public bool Complete { get; set; }

        public long DurationNs { get; set; }

        public PageOrder? Dropped { get; set; }
    }

    private void OnPull(PageOrder order, bool known, in FrameRow row)
    {
        if (known && (row.State != RowState.Incoming || row.Attempt != order.Attempt))
        {
            Answer(order, OrderStatus.OtherRow, "the rack has another row of the page");
            return;
        }

        if (_over.TryGet((order.Page, order.Attempt), out _))
        {
            Answer(order, OrderStatus.OtherRow, "the move was given up");
            return;
        }

        if (!known && !TakeFrameForPull(order)) return;
        if (_pulls.TryGetValue(order.Page, out var pull))
        {
            if (pull.Complete) Answer(order, OrderStatus.Done, "", pull.DurationNs);
            return;
        }

        // Either new, or a restart of this process cut the copy short: the frame is filled again from the start.
        _pulls[order.Page] = new PullState(order);
        _timers.Set(new TimerKey(TimerKind.Pull, order.Page.Value), _now + _options.RequestTimeoutNs);
        TryStartPull(order.Page);
    }

    private bool TakeFrameForPull(PageOrder order)
    {
        var room = order.Reason == MoveReason.Eviction ? _free.Count > _reserve : _free.Count > 0;
        if (!room || TakesNothing)
        {
            Answer(order, OrderStatus.NoRoom, TakesNothing ? "the rack is being drained" : $"no free frame of {_store.FrameCount} (rcmp.swap.reserve keeps {_reserve})");
            return false;
        }

        var frame = _free.Dequeue();
        var row = _store.ReadRow(frame);
        ChangeRow(frame, row, new FrameRow(RowState.Incoming, order.Epoch, order.Page, order.Attempt, order.Peer.Rack, default, default, false, false));
        WantRoom();
        return true;
    }

    private void TryStartPull(PageId page)
    {
        if (!_pulls.TryGetValue(page, out var pull) || pull.Ticket != 0 || pull.Complete) return;
        var link = EnsureLink(pull.Order.Peer);
        if (link is not { Record: { } record }) return;
        pull.Ticket = NewTicket();
        _pullTickets[pull.Ticket] = page;
        _fx.Pull(pull.Ticket, page, record, pull.Order.Source, _frames[page]);
    }

    private void StartWaitingPulls(RackIncarnation owner)
    {
        foreach (var page in _pulls.Where(p => p.Value.Order.Peer == owner).Select(p => p.Key).ToArray()) TryStartPull(page);
    }

    private void OnPullEnded(PullEnded e)
    {
        if (!_pullTickets.Remove(e.Ticket, out var page) || !_pulls.TryGetValue(page, out var pull) || pull.Ticket != e.Ticket) return;
        pull.Ticket = 0;
        if (pull.Dropped is { } dropped)
        {
            DropIncoming(page);
            Answer(dropped, OrderStatus.Done, "");
            return;
        }

        var from = e.SourceRow;
        var intact = from.State == RowState.Leaving && from.Attempt == pull.Order.Attempt && from.Page == page && from.Peer == Self.Rack;
        if (e.Ok && (intact || Is(ProtocolMutation.SkipRowCheck)) && TryRow(page, out var frame, out var row))
        {
            // The state is the same, and the session's fields are complete before the shard can hear of it.
            ChangeRow(frame, row, row with { Session = from.Session, Request = from.Request, SessionScoped = from.SessionScoped });
            pull.Complete = true;
            pull.DurationNs = e.DurationNs;
            _timers.Cancel(new TimerKey(TimerKind.Pull, page.Value));
            Answer(pull.Order, OrderStatus.Done, "", e.DurationNs);
            return;
        }

        if (!e.Ok && _owners.TryGetValue(pull.Order.Peer.Rack, out var link)) VerifyLink(link);
        DropIncoming(page);
        Answer(pull.Order, e.Ok ? OrderStatus.OtherRow : OrderStatus.Failed, e.Ok ? "the owner's row is another one" : e.Error ?? "the copy failed");
    }

    private void OnPullTimeout(PageId page)
    {
        // A copy under way ends by the fabric's own deadline.
        if (!_pulls.TryGetValue(page, out var pull) || pull.Ticket != 0 || pull.Complete) return;
        DropIncoming(page);
        Answer(pull.Order, OrderStatus.Failed, $"no connection to rack {pull.Order.Peer.Rack}");
    }

    private void DropIncoming(PageId page)
    {
        _pulls.Remove(page);
        _timers.Cancel(new TimerKey(TimerKind.Pull, page.Value));
        if (!TryRow(page, out var frame, out var row) || row.State != RowState.Incoming) return;
        _over.Add((page, row.Attempt), true);
        FreeRow(frame, row, default);
        if (_store.Lookup(page).Kind is LocationKind.Absent && !_revoking.ContainsKey(page)) ReleaseEntry(page);
        CheckEndedSession(row.Session);
        AskAgain(page);
    }
}
