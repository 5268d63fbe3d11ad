using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>Moves and frees, step by step.</summary>
internal sealed partial class DirectoryShard
{
    private void Enter(Page page, PagePhase phase)
    {
        page.Phase = phase;
        page.Tries = 0;
        if (page.Move is { } move) move.StepEndsNs = _now + _options.StepTimeoutNs;
        SendStep(page);
    }

    private bool CanMoveTo(Page page, RackId to) =>
        page.Phase == PagePhase.Stable && to != page.Owner && _moves < _options.MovesMax && IsPromised(page.Owner) && IsPromised(to);

    private bool IsPromised(RackId rack) => _racks.TryGetValue(rack, out var view) && view.Promised;

    private void BeginMove(Page page, RackId to, MoveReason reason)
    {
        page.Believed = default;
        page.Outcome = null;
        _moves++;
        page.Move = new Move
        {
            Attempt = new AttemptId(_term, ++_attempts), From = page.Owner, To = to, Epoch = page.Epoch, Reason = reason, StartedNs = _now, IsClosed = reason == MoveReason.Heat, IsCounted = true,
        };
        if (page.Move.IsClosed)
        {
            _closed++;
            _closedSinceNs = _now;
        }

        Enter(page, PagePhase.Leaving);
    }

    /// <summary>The page is open again, here or there, or is about to be.</summary>
    private void Opened(Move move)
    {
        if (move.IsCounted) _moves--;
        move.IsCounted = false;
        if (!move.IsClosed) return;
        move.IsClosed = false;
        _closed--;
    }

    /// <summary>Follows the lowest tenth of what moves take until the page is open again: those under way at once, and whatever else runs, delay each other, which is not what a move costs.</summary>
    private void LearnCost(long tookNs) => _moveCostNs += tookNs < _moveCostNs ? -_moveCostNs / 8 : _moveCostNs / 72;

    /// <summary>Sends the order of the phase, now and until it is answered.</summary>
    private void SendStep(Page page)
    {
        var move = page.Move;
        switch (page.Phase)
        {
            case PagePhase.Leaving: TrySend(move!.From, OrderKind.Leave, page, move.Attempt, move); break;
            case PagePhase.Pulling: TrySend(move!.To, OrderKind.Pull, page, move.Attempt, move); break;
            case PagePhase.Committing:
                if (Is(ProtocolMutation.ReleaseBeforeCommit)) TrySend(move!.From, OrderKind.Release, page, move.Attempt, move);
                TrySend(move!.To, OrderKind.Commit, page, move.Attempt, move);
                break;
            case PagePhase.Settling when !move!.Released && _racks.ContainsKey(move.From): TrySend(move.From, OrderKind.Release, page, move.Attempt, move); break;
            case PagePhase.Settling: TrySend(move!.To, OrderKind.Settle, page, move.Attempt, move); break;
            case PagePhase.Aborting: TrySend(move!.From, OrderKind.Reopen, page, move.Attempt, move); break;
            case PagePhase.Freeing: TrySend(page.Owner, OrderKind.Free, page, page.Free!.Attempt, null, page.Free.Request.Request); break;
            default: return;
        }

        _timers.Set(new TimerKey(TimerKind.Page, page.Id.Value), _now + Backoff(page.Tries++));
    }

    private void OnPageTimer(PageId id)
    {
        if (!_pages.TryGetValue(id, out var page)) return;
        switch (page.Phase)
        {
            // Without a question only its heat is known, and nobody waits for it.
            case PagePhase.Looking when page.Lookup is null: break;
            case PagePhase.Looking: OnLookupTimer(page); break;
            case PagePhase.Stable: Serve(page); break;
            case PagePhase.Leaving or PagePhase.Pulling when page.Move!.StepEndsNs <= _now: Abort(page, $"no answer while {page.Phase}"); break;
            default: SendStep(page); break;
        }
    }

    private void OnOrderAnswered(OrderAnswered m)
    {
        Learn(m.Rack);
        if (m.Term != _term || !IsCurrent(m.Rack)) return;
        if (m.Order == OrderKind.Drop)
        {
            if (m.Row.State != RowState.Incoming || m.Row.Attempt != m.Attempt)
            {
                _drops.Remove((m.Rack.Rack, m.Page, m.Attempt));
                _timers.Cancel(new TimerKey(TimerKind.Drop, m.Page.Value, m.Attempt, m.Rack.Rack));
            }

            return;
        }

        if (!_pages.TryGetValue(m.Page, out var page))
        {
            if (m.Row.State is RowState.Leaving or RowState.Incoming) OnRowInTransition(m.Rack.Rack, m.Row);
            return;
        }

        if (m.Order == OrderKind.Report) OnReport(m, page);
        else if (m.Order == OrderKind.Free) OnFreeStep(m, page);
        else if (page.Move is { } move && move.Attempt == m.Attempt) OnMoveStep(m, page, move);
        else if (m.Row.State is RowState.Leaving or RowState.Incoming) OnRowInTransition(m.Rack.Rack, m.Row);
    }

    private void OnMoveStep(OrderAnswered m, Page page, Move move)
    {
        switch (page.Phase, m.Order)
        {
            case (PagePhase.Leaving, OrderKind.Leave) when m.Row.State == RowState.Leaving && m.Row.Attempt == move.Attempt:
                move.Source = m.Row.Frame;
                Enter(page, PagePhase.Pulling);
                break;
            case (PagePhase.Leaving, OrderKind.Leave):
                StayAfterLeave(m, page);
                break;
            case (PagePhase.Pulling, OrderKind.Pull) when m.Status == OrderStatus.Done:
                Enter(page, PagePhase.Committing);
                break;
            case (PagePhase.Pulling, OrderKind.Pull):
                if (m.Row.State == RowState.Incoming && m.Row.Attempt != move.Attempt) Drop(m.Rack.Rack, page.Id, m.Row.Attempt);
                Abort(page, $"rack {move.To}: {m.Why}");
                break;
            case (PagePhase.Committing, OrderKind.Commit) when m.Row.State == RowState.Resident && m.Row.Attempt == move.Attempt:
                Committed(page, move, m.Row);
                break;
            case (PagePhase.Committing, OrderKind.Commit) when m.Row.State != RowState.Incoming:
                _fx.Log(RackLogLevel.Error, $"Rack {move.To} has {m.Row} where {move.Attempt} was to be committed.");
                EndMove(page);
                LookFor(page, all: true);
                break;
            case (PagePhase.Settling, OrderKind.Release) when m.Row.State != RowState.Leaving || m.Row.Attempt != move.Attempt:
                move.Released = true;
                Enter(page, PagePhase.Settling);
                break;
            case (PagePhase.Settling, OrderKind.Settle) when !m.Row.Unsettled:
                Settled(page);
                break;
            case (PagePhase.Aborting, OrderKind.Reopen) when m.Row.State != RowState.Leaving || m.Row.Attempt != move.Attempt:
                Reopened(m, page, move);
                break;
        }
    }

    private void StayAfterLeave(OrderAnswered m, Page page)
    {
        // Before the move is ended: whoever has asked for the page is told this.
        page.Outcome = $"the page stays: {m.Why}";
        EndMove(page, moved: false);
        if (m.Row.State != RowState.Resident)
        {
            LookFor(page, all: true);
            return;
        }

        page.Epoch = m.Row.Epoch;
        BackOff(page, page.Outcome);
        BecomeStable(page);
        if (m.Row.Unsettled) LookFor(page, all: true);
    }

    private void Committed(Page page, Move move, in RowReport row)
    {
        Opened(move);
        LearnCost(_now - move.StartedNs);
        page.Owner = move.To;
        page.Epoch = row.Epoch;
        page.SinceNs = _now;
        page.Failures = 0;
        foreach (var heat in page.Heat) heat.RemoteTimeNs = 0;
        page.Outcome = $"moved to rack {move.To} ({move.Reason.ToString().ToLowerInvariant()})";
        Enter(page, PagePhase.Settling);
        if (Is(ProtocolMutation.MoveUnsettled)) Settled(page);

        // The page is open at its new owner already.
        FlushResolves(page);
    }

    private void Settled(Page page)
    {
        EndMove(page, moved: true);
        BecomeStable(page);
    }

    private void Abort(Page page, string why)
    {
        var move = page.Move!;
        Opened(move);
        BackOff(page, $"the move to rack {move.To} was given up: {why}");
        // Before the page has left, its new rack was told nothing.
        if (page.Phase != PagePhase.Leaving && _racks.ContainsKey(move.To)) Drop(move.To, page.Id, move.Attempt);
        Enter(page, PagePhase.Aborting);
    }

    private void Reopened(OrderAnswered m, Page page, Move move)
    {
        EndMove(page, moved: false);
        if (m.Row.State == RowState.Resident && !m.Row.Unsettled)
        {
            page.Owner = move.From;
            page.Epoch = m.Row.Epoch;
            BecomeStable(page);
        }
        else
        {
            LookFor(page, all: true);
        }
    }

    private void EndMove(Page page, bool moved = false)
    {
        if (page.Move is not { } move) return;
        page.Move = null;
        Opened(move);
        if (move.Reason == MoveReason.Eviction && move.Attempt.Term == _term && _racks.TryGetValue(move.From, out var view))
            _fx.SendToRack(move.From, new EvictAnswered(new RackIncarnation(move.From, view.Generation), page.Id, moved));
        if (moved || move.Reason != MoveReason.Pin) return;
        if (page.Brings.Remove(move.To, out var bring))
        {
            _fx.SendToRack(bring.Asker.Rack, new BringAnswered(
                bring.Asker, page.Id, RequestStatus.Unavailable, page.Outcome ?? "the move was given up"));
        }
    }

    private void BackOff(Page page, string outcome)
    {
        page.Outcome = outcome;
        page.NotBeforeNs = _now + long.Min(_options.BackoffMinNs << int.Min(page.Failures++, 20), _options.BackoffMaxNs);
    }

    private void BecomeStable(Page page)
    {
        page.Phase = PagePhase.Stable;
        page.Tries = 0;
        _timers.Cancel(new TimerKey(TimerKind.Page, page.Id.Value));
        FlushResolves(page);
        foreach (var request in page.Locates) AnswerLocate(request, page, RequestStatus.Ok);
        page.Locates.Clear();
        foreach (var request in page.Confirms) _fx.SendToRack(request.Asker.Rack, new FreeConfirmed(request.Asker, page.Id, false));
        page.Confirms.Clear();
        Serve(page);
        page.ForgetEmptyLists();
    }

    /// <summary>What waited for the page to be stable: frees before pins.</summary>
    private void Serve(Page page)
    {
        if (page.Phase != PagePhase.Stable || !page.HasWaiters) return;
        if (page.Frees.Count > 0)
        {
            var request = page.Frees[0];
            page.Frees.RemoveAt(0);
            page.Believed = default;
            page.Free = new FreeStep { Attempt = new AttemptId(_term, ++_attempts), Request = request };
            Enter(page, PagePhase.Freeing);
            return;
        }

        foreach (var bring in page.Brings.Values.ToArray())
        {
            if (bring.Asker.Rack == page.Owner)
            {
                page.Brings.Remove(bring.Asker.Rack);
                _fx.SendToRack(bring.Asker.Rack, new BringAnswered(bring.Asker, page.Id, RequestStatus.Ok, ""));
            }
            else if (page.NotBeforeNs > _now)
            {
                _timers.Set(new TimerKey(TimerKind.Page, page.Id.Value), page.NotBeforeNs);
                return;
            }
            else if (CanMoveTo(page, bring.Asker.Rack))
            {
                BeginMove(page, bring.Asker.Rack, MoveReason.Pin);
                return;
            }
        }
    }

    private void OnFreeStep(OrderAnswered m, Page page)
    {
        if (page.Free is not { } free || free.Attempt != m.Attempt || page.Phase != PagePhase.Freeing || m.Rack.Rack != page.Owner) return;
        var request = free.Request;
        if (m.Status == OrderStatus.Done)
        {
            _freed.Add(page.Id, request.Request);
            page.Free = null;
            _fx.SendToRack(request.Asker.Rack, new FreeAnswered(request.Asker, page.Id, request.Request, RequestStatus.Ok, ""));
            Remove(page);
            foreach (var resolve in page.Resolves.Values) Unresolved(resolve.Asker, page.Id, ResolveProblem.NoSuchPage, "the page was freed");
            foreach (var other in page.Frees) AnswerFreeOfMissing(other);
            foreach (var bring in page.Brings.Values)
                _fx.SendToRack(bring.Asker.Rack, new BringAnswered(bring.Asker, page.Id, RequestStatus.PageNotFound, "the page was freed"));
            return;
        }

        page.Free = null;
        if (m.Row.State == RowState.Resident && !m.Row.Unsettled)
        {
            page.Epoch = m.Row.Epoch;
            BackOff(page, $"not freed: {m.Why}");
            _fx.SendToRack(request.Asker.Rack, new FreeAnswered(request.Asker, page.Id, request.Request, RequestStatus.Unavailable, m.Why));
            BecomeStable(page);
        }
        else
        {
            page.Frees.Insert(0, request);
            LookFor(page, all: true);
        }
    }
}
