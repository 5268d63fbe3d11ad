using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>Orders of directory shards: each a compare-and-set on a row, so that late and repeated ones find another row and do nothing.</summary>
internal sealed partial class RackCore
{
    private const int CancelledMax = 1 << 16;
    private const int RowsPerAnswer = 256;

    // A leave or pull that arrives after its reopen or drop would find a row that fits: the attempts that are over are remembered,
    // and those that were answered "not quiet".
    private readonly RecentMap<(PageId Page, AttemptId Attempt), bool> _over = new(CancelledMax);

    private void OnAskRows(AskRows m)
    {
        if (m.Rack != Self.Rack || !_wasRegistered || !Promise(m.Shard, m.Term)) return;
        var rows = new List<RowReport>();
        var last = true;
        foreach (var page in _unsettledRows.GetViewBetween(m.After.Plus(1), new PageId(ulong.MaxValue)))
        {
            if (ShardOf(page) != m.Shard) continue;
            if (rows.Count == RowsPerAnswer)
            {
                last = false;
                break;
            }

            rows.Add(Report(page));
        }

        _fx.SendToShard(m.Shard, new RowsAnswered(m.Shard, m.Term, Self, m.After, last, ValueList<RowReport>.Of(rows), ValueList<RackId>.Of(_forgotten.Order())));
    }

    /// <summary>Obeys the term from now on, and no lower one, across restarts. False if a higher one was promised before.</summary>
    private bool Promise(ShardId shard, Term term)
    {
        var promised = _terms.GetValueOrDefault(shard);
        if (term < promised && !Is(ProtocolMutation.AcceptLowerTerm))
        {
            RefuseTerm(shard, term);
            return false;
        }

        if (term > promised)
        {
            _terms[shard] = term;
            _store.SaveState(_store.State with { Terms = new Dictionary<ShardId, Term>(_terms) });
        }

        return true;
    }

    private void RefuseTerm(ShardId shard, Term term) =>
        _fx.SendToShard(shard, new TermRefused(shard, term, Self, _terms.GetValueOrDefault(shard)));

    private void OnPageOrder(PageOrder order)
    {
        if (order.Rack != Self)
        {
            if (order.Rack.Rack == Self.Rack) RefuseTerm(order.Shard, order.Term);
            return;
        }

        if (!Promise(order.Shard, order.Term)) return;
        var known = TryRow(order.Page, out var frame, out var row);
        switch (order.Order)
        {
            case OrderKind.Report: Answer(order, OrderStatus.Done, ""); break;
            case OrderKind.Leave: OnLeave(order, known, row); break;
            case OrderKind.Reopen: OnReopen(order, known, frame, row); break;
            case OrderKind.Release: OnRelease(order, known, frame, row); break;
            case OrderKind.Free: OnFree(order, known, row); break;
            case OrderKind.Pull: OnPull(order, known, row); break;
            case OrderKind.Commit: OnCommit(order, known, frame, row); break;
            case OrderKind.Settle: OnSettle(order, known, frame, row); break;
            case OrderKind.Drop: OnDrop(order, known, frame, row); break;
        }
    }

    private void Answer(PageOrder order, OrderStatus status, string why, long durationNs = 0) => _fx.SendToShard(order.Shard, new OrderAnswered(
        order.Shard, order.Term, Self, order.Order, order.Page, order.Attempt, status, Report(order.Page), durationNs, why));

    private void OnLeave(PageOrder order, bool known, in FrameRow row)
    {
        if (known && row.State == RowState.Leaving && row.Attempt == order.Attempt) Answer(order, OrderStatus.Done, "");
        else if (!known || row.State != RowState.Resident || row.Epoch != order.Epoch || _over.TryGet((order.Page, order.Attempt), out _))
            Answer(order, OrderStatus.OtherRow, "the page is not here at that epoch");
        else BeginTaking(order, row);
    }

    private void OnFree(PageOrder order, bool known, in FrameRow row)
    {
        if (!known && _freedBy.GetValueOrDefault(order.Page) == order.Request) Answer(order, OrderStatus.Done, "");
        else if (!known || row.State != RowState.Resident || row.Epoch != order.Epoch || _over.TryGet((order.Page, order.Attempt), out _))
            Answer(order, OrderStatus.OtherRow, "the page is not here at that epoch");
        else BeginTaking(order, row);
    }

    private void OnReopen(PageOrder order, bool known, FrameIndex frame, in FrameRow row)
    {
        _over.Add((order.Page, order.Attempt), true);
        if (_takings.TryGetValue(order.Page, out var taking) && taking.Order.Attempt == order.Attempt) StopTaking(order.Page);
        if (known && row.State == RowState.Leaving && row.Attempt == order.Attempt)
        {
            ChangeRow(frame, row, row with { State = RowState.Resident, Epoch = row.Epoch.Plus(2), Attempt = default, Peer = default });
            OpenPage(order.Page);
            EndIfSessionEnded(order.Page);
        }

        Answer(order, OrderStatus.Done, "");
    }

    private void OnRelease(PageOrder order, bool known, FrameIndex frame, in FrameRow row)
    {
        if (known && row.State == RowState.Leaving && row.Attempt == order.Attempt)
        {
            FreeRow(frame, row, default);
            LeaveEntry(order.Page);
            FollowEndedSession(row.Session, row.Peer);
            AskAgain(order.Page);
        }

        Answer(order, OrderStatus.Done, "");
    }

    private void OnCommit(PageOrder order, bool known, FrameIndex frame, in FrameRow row)
    {
        // A row without a pull is one that this process found at its start: a commit to this generation says that it was complete. One with
        // an unfinished pull is the work of a late repeat, and so is then the commit.
        var complete = !_pulls.TryGetValue(order.Page, out var pull) || pull.Complete;
        if (known && row.State == RowState.Incoming && row.Attempt == order.Attempt && complete)
        {
            _over.Add((order.Page, order.Attempt), true);
            _pulls.Remove(order.Page);
            _timers.Cancel(new TimerKey(TimerKind.Pull, order.Page.Value));
            ChangeRow(frame, row, row with { State = RowState.Resident, Epoch = row.Epoch.Plus(1), Unsettled = true });
            _movedIn++;
            ForgetReference(order.Page);
            OpenPage(order.Page);
            // Whoever asked for the page need not wait for the shard to hear of it.
            if (_brings.ContainsKey(order.Page)) ResendBring(order.Page);
            EndIfSessionEnded(order.Page);
        }

        Answer(order, known ? OrderStatus.Done : OrderStatus.OtherRow, "");
    }

    private void OnSettle(PageOrder order, bool known, FrameIndex frame, in FrameRow row)
    {
        if (known && row.State == RowState.Resident && row.Unsettled && row.Attempt == order.Attempt)
            ChangeRow(frame, row, row with { Unsettled = false, Attempt = default, Peer = default });
        Answer(order, OrderStatus.Done, "");
    }

    private void OnDrop(PageOrder order, bool known, FrameIndex frame, in FrameRow row)
    {
        _over.Add((order.Page, order.Attempt), true);
        if (known && row.State == RowState.Incoming && row.Attempt == order.Attempt)
        {
            if (_pulls.TryGetValue(order.Page, out var pull) && pull.Ticket != 0 && !Is(ProtocolMutation.DropWhilePulling))
            {
                // The copy still writes to the frame.
                pull.Dropped = order;
                return;
            }

            DropIncoming(order.Page);
        }

        Answer(order, OrderStatus.Done, "");
    }

    private void ReportPendingRows()
    {
        _timers.Set(new TimerKey(TimerKind.PendingRows, 0), _now + _options.ResendMaxNs);
        if (_unsettledRows.Count == 0 || Self.Rack.IsNone) return;
        foreach (var group in _unsettledRows.Take(RowsPerAnswer).GroupBy(ShardOf))
            _fx.SendToShard(group.Key, new RowsPending(group.Key, Self, ValueList<RowReport>.Of(group.Select(Report))));
    }
}
