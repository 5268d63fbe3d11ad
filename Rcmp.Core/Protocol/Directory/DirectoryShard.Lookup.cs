using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>Finding out where a page is, and settling what an earlier incarnation left half done.</summary>
internal sealed partial class DirectoryShard
{
    private void LookFor(Page page, bool all)
    {
        page.Phase = PagePhase.Looking;
        page.Owner = RackId.None;
        // One that has never answered this reign was asked when the reign began.
        var askedNs = IsPromised(_options.Geometry.BirthRackOf(page.Id)) ? _now : _reignSinceNs;
        page.Lookup = new Lookup
        {
            Question = new AttemptId(_term, ++_attempts), All = all, WidensNs = askedNs + (_options.LookupTimeoutNs / 8), EndsNs = _now + _options.LookupTimeoutNs,
        };
        page.Tries = 0;
        AskRacks(page);
    }

    private void AskRacks(Page page)
    {
        var lookup = page.Lookup!;
        var birth = _options.Geometry.BirthRackOf(page.Id);
        // One that is silent may be down for long, and the page in another rack, whose resident row proves that by itself.
        if (!_racks.ContainsKey(birth) || lookup.WidensNs <= _now) lookup.All = true;
        foreach (var rack in _racks.Keys)
        {
            if (lookup.Answers.ContainsKey(rack) || (!lookup.All && rack != birth)) continue;
            TrySend(rack, OrderKind.Report, page, lookup.Question);
        }

        var againNs = _now + Backoff(page.Tries++);
        _timers.Set(new TimerKey(TimerKind.Page, page.Id.Value), lookup.All ? againNs : long.Min(againNs, lookup.WidensNs));
        if (lookup.All) Decide(page);
    }

    /// <summary>A row that is not what the shard may believe, as a rack tells it by itself: one in transition, or none at the supposed owner.</summary>
    private void OnRowInTransition(RackId rack, in RowReport row)
    {
        if (row.State == RowState.Free)
        {
            if (_pages.TryGetValue(row.Page, out var believed) && believed.Phase == PagePhase.Stable && believed.Owner == rack) LookFor(believed, all: true);
            return;
        }

        var page = PageOf(row.Page);
        switch (page.Phase)
        {
            case PagePhase.Looking when page.Lookup is null:
                LookFor(page, all: true);
                break;
            case PagePhase.Looking:
                if (page.Lookup.All) break;
                page.Lookup.All = true;
                AskRacks(page);
                break;
            case PagePhase.Stable:
                // A late order of a move that was given up, or what another rack has left of one.
                if (row.State == RowState.Incoming) Drop(rack, row.Page, row.Attempt);
                else LookFor(page, all: true);
                break;
            default:
                if (row.State == RowState.Incoming && page.Move?.Attempt != row.Attempt) Drop(rack, row.Page, row.Attempt);
                break;
        }
    }

    private void OnReport(OrderAnswered m, Page page)
    {
        if (page.Lookup is null && page.Believed != default && page.Believed == m.Attempt && m.Row.State == RowState.Resident && m.Rack.Rack != page.Owner)
            StopForTwoOwners(page, page.Owner, m.Rack.Rack);
        if (page.Lookup is not { } lookup || lookup.Question != m.Attempt) return;
        lookup.Answers[m.Rack.Rack] = m.Row;
        if (m.Row.State != RowState.Resident || m.Row.Unsettled)
        {
            if (!lookup.All)
            {
                lookup.All = true;
                page.Tries = 0;
                AskRacks(page);
                return;
            }
        }

        Decide(page);
    }

    /// <summary>A resident row alone proves ownership; a leaving or incoming one is settled only with the other rack's answer.</summary>
    private void Decide(Page page)
    {
        var answers = page.Lookup!.Answers;
        var residents = answers.Where(a => a.Value.State == RowState.Resident).Select(a => a.Key).ToList();
        if (residents.Count > 1)
        {
            StopForTwoOwners(page, residents[0], residents[1]);
            return;
        }

        if (residents.Count == 1)
        {
            foreach (var (rack, row) in answers)
            {
                if (row.State == RowState.Incoming) Drop(rack, page.Id, row.Attempt);
            }

            Found(page, residents[0], answers[residents[0]]);
            return;
        }

        foreach (var (rack, row) in answers)
        {
            if (row.State != RowState.Leaving || !HasAnswered(page, row.Peer)) continue;
            GiveUp(page, rack, row);
            return;
        }

        if (!page.Lookup.All || (_racks.Keys.Any(r => !answers.ContainsKey(r)) && !Is(ProtocolMutation.MissingTooEarly))) return;
        foreach (var (rack, row) in answers)
        {
            if (row.State == RowState.Leaving) return;
            if (row.State != RowState.Incoming) continue;
            _fx.Log(RackLogLevel.Error, $"Page {_options.Geometry.AddressOf(page.Id)} is lost: rack {row.Peer}, where it was, is not in the pool any more.");
            Drop(rack, page.Id, row.Attempt);
        }

        if (page.Lookup.IsAskedAnew) LookFor(page, all: true);
        else NoSuchPage(page);
    }

    private static void AskedAnew(Page page)
    {
        if (page.Lookup is { Answers.Count: > 0 } lookup) lookup.IsAskedAnew = true;
    }

    private void StopForTwoOwners(Page page, RackId one, RackId other) =>
        _fx.Fatal($"Page {_options.Geometry.AddressOf(page.Id)} has two owners, racks {one} and {other}: stopping before harm is done.");

    private bool HasAnswered(Page page, RackId rack) =>
        page.Lookup!.Answers.ContainsKey(rack) || !_racks.ContainsKey(rack) || Is(ProtocolMutation.UnknownIsAbsent);

    private void Found(Page page, RackId owner, in RowReport row)
    {
        page.Believed = page.Lookup!.Question;
        page.Lookup = null;
        page.Owner = owner;
        page.Epoch = row.Epoch;
        if (!row.Unsettled || Is(ProtocolMutation.MoveUnsettled))
        {
            BecomeStable(page);
            ConsiderReaders(page);
            return;
        }

        page.Move = new Move
        {
            Attempt = row.Attempt, From = row.Peer, To = owner, Epoch = row.Epoch, Reason = MoveReason.Heat, StartedNs = _now, Why = "settled after a restart",
        };
        Enter(page, PagePhase.Settling);
        FlushResolves(page);
    }

    /// <summary>The row leaves, and the rack it goes to has said that it has not got the page: the owner opens it again.</summary>
    private void GiveUp(Page page, RackId owner, in RowReport row)
    {
        page.Lookup = null;
        page.Owner = owner;
        page.Epoch = row.Epoch;
        page.Move = new Move
        {
            Attempt = row.Attempt, From = owner, To = row.Peer, Epoch = row.Epoch, Reason = MoveReason.Heat, StartedNs = _now, Why = "given up after a restart",
        };
        Abort(page, "its directory shard was restarted in the middle");
    }

    private void NoSuchPage(Page page)
    {
        var freedBy = page.Lookup!.Answers.Values.Select(r => r.FreedBy).FirstOrDefault(r => r != default);
        if (freedBy != default) _freed.Add(page.Id, freedBy);
        Remove(page);
        foreach (var resolve in page.Resolves.Values) Unresolved(resolve.Asker, page.Id, ResolveProblem.NoSuchPage, "no rack has the page");
        foreach (var request in page.Frees) AnswerFreeOfMissing(request);
        foreach (var request in page.Brings.Values)
            _fx.SendToRack(request.Asker.Rack, new BringAnswered(request.Asker, page.Id, RequestStatus.PageNotFound, "no rack has the page"));
        foreach (var request in page.Locates) AnswerLocate(request, null, RequestStatus.PageNotFound);
        foreach (var request in page.Confirms) _fx.SendToRack(request.Asker.Rack, new FreeConfirmed(request.Asker, page.Id, true));
    }

    private void AnswerFreeOfMissing(FreeRequest request)
    {
        var done = _freed.TryGet(request.Page, out var by) && by == request.Request;
        _fx.SendToRack(request.Asker.Rack, new FreeAnswered(
            request.Asker, request.Page, request.Request, done ? RequestStatus.Ok : RequestStatus.PageNotFound,
            done ? "" : $"{_options.Geometry.AddressOf(request.Page)} was never allocated, or was freed"));
    }

    private void Remove(Page page)
    {
        _pages.Remove(page.Id);
        _timers.Cancel(new TimerKey(TimerKind.Page, page.Id.Value));
    }

    private void OnLookupTimer(Page page)
    {
        if (page.Lookup!.EndsNs > _now)
        {
            AskRacks(page);
            return;
        }

        var silent = string.Join(", ", _racks.Keys.Where(r => !page.Lookup.Answers.ContainsKey(r)));
        var why = $"rack {silent} may have the page and does not answer";
        foreach (var resolve in page.Resolves.Values) Unresolved(resolve.Asker, page.Id, ResolveProblem.Unavailable, why);
        foreach (var request in page.Frees)
            _fx.SendToRack(request.Asker.Rack, new FreeAnswered(request.Asker, page.Id, request.Request, RequestStatus.Unavailable, why));
        foreach (var request in page.Brings.Values)
            _fx.SendToRack(request.Asker.Rack, new BringAnswered(request.Asker, page.Id, RequestStatus.Unavailable, why));
        foreach (var request in page.Locates) AnswerLocate(request, page, RequestStatus.Unavailable);
        page.Resolves.Clear();
        page.Frees.Clear();
        page.Brings.Clear();
        page.Locates.Clear();
        page.Confirms.Clear();

        // Rows in transition are looked after even if nobody waits; others are forgotten until somebody asks.
        if (page.Lookup.Answers.Values.Any(r => r.State != RowState.Free))
        {
            page.Lookup.EndsNs = _now + _options.LookupTimeoutNs;
            AskRacks(page);
        }
        else
        {
            Remove(page);
        }
    }
}
