using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>Whether a page moves on account of heat. What was decided is kept, and tells why the page is where it is: also of one that is worth a move, which of the shard's own checks holds it.</summary>
internal sealed partial class DirectoryShard
{
    // Constants, and figures that become text when somebody asks: most reports of heat decide something.
    private const string Busy = "worth a move, but it is being moved or freed already";
    private const string Resting = "worth a move, but it rests after an attempt that failed";
    private const string Unpromised = "worth a move, but one of the two racks has not answered this directory shard yet";
    private const string Crowded = "worth a move, but the directory shard has as many moves under way as it may have";
    private const string Paced = "worth a move, but another page of the directory shard is closed for its own";

    private bool IsNear(RackHeat reader) => SwapPolicies.IsNear(_options.Policy, reader.Heat, reader.RemoteTimeNs, _moveCostNs, _options);

    /// <summary>What a decision waited for is known now.</summary>
    private void ConsiderReaders(Page page)
    {
        if (page.Phase != PagePhase.Stable) return;
        foreach (var reader in page.Heat.Where(h => h.Rack != page.Owner && IsNear(h)).OrderByDescending(h => h.Heat).Select(h => h.Rack).ToArray())
        {
            if (ConsiderMove(page, reader, firstTouch: false)) break;
        }
    }

    /// <summary>Decides, keeps the decision with its figures, and begins the move. True if it moves.</summary>
    private bool ConsiderMove(Page page, RackId reader, bool firstTouch)
    {
        var decision = Weigh(page, reader, firstTouch);
        AskOwnersHeat(page, decision.Figures);
        // Of a reader that has cooled down there was nothing to decide: what was decided last says more.
        if (decision is { Move: false, Figures: { ReaderHeat: 0, FirstTouch: false } } && page.Decision is not null) return false;
        page.Decision = decision;
        // How an earlier move ended is no part of this decision, unless the page rests because of it.
        if (decision.Rule != Resting) page.Outcome = null;
        if (!decision.Move) return false;
        BeginMove(page, reader, MoveReason.Heat);
        return true;
    }

    /// <summary>An owner that nobody has used has not reported, and a shard that has just started has not heard what did not change since.</summary>
    private void AskOwnersHeat(Page page, in SwapFigures figures)
    {
        if (figures.OwnerHeat is not null || _now - page.HeatAskedNs <= _options.ResendMinNs) return;
        if (!SwapPolicies.IsNear(_options.Policy, figures.ReaderHeat, figures.RemoteTimeNs, _moveCostNs, _options) || !_racks.TryGetValue(page.Owner, out var view)) return;
        page.HeatAskedNs = _now;
        _fx.SendToRack(page.Owner, new AskHeat(_shard, _term, new RackIncarnation(page.Owner, view.Generation), page.Id));
    }

    /// <summary>What the policy says, and of a page that is worth a move, what holds it.</summary>
    private SwapDecision Weigh(Page page, RackId reader, bool firstTouch)
    {
        double? ownerHeat = null;
        var readerHeat = 0.0;
        var remoteTime = 0L;
        foreach (var heat in page.Heat)
        {
            if (heat.Rack == page.Owner) ownerHeat = heat.Heat;
            if (heat.Rack == reader) (readerHeat, remoteTime) = (heat.Heat, heat.RemoteTimeNs);
        }

        var resident = page.SinceNs < 0 ? SwapFigures.ResidentUnknown : _now - page.SinceNs;
        var figures = new SwapFigures(page.Owner, reader, ownerHeat, readerHeat, remoteTime, _moveCostNs, resident, firstTouch);
        var decision = SwapPolicies.Decide(_options.Policy, figures, _options);
        return decision.Move && HeldBy(page, reader, firstTouch) is { } check ? new SwapDecision(false, check, figures) : decision;
    }

    /// <summary>Which check holds a page that is worth a move; null if none does.</summary>
    private string? HeldBy(Page page, RackId reader, bool firstTouch)
    {
        if (page.Phase != PagePhase.Stable || (page.HasWaiters && page.Frees.Count > 0)) return Busy;
        if (page.NotBeforeNs > _now) return Resting;
        if (!IsPromised(page.Owner) || !IsPromised(reader)) return Unpromised;
        if (_moves >= _options.MovesMax) return Crowded;
        return !firstTouch && _closed > 0 && _now - _closedSinceNs < _options.MovePaceNs ? Paced : null;
    }

    /// <summary>The last decision and what became of it; if nothing was decided yet, what would be decided now.</summary>
    private string DecisionOf(Page page) => (page.Decision ?? DecisionNow(page), page.Outcome ?? UnderWay(page.Move)) switch
    {
        ({ } decision, { } outcome) => $"{decision}; {outcome}",
        ({ } decision, null) => decision.ToString(),
        (null, { } outcome) => outcome,
        _ => "",
    };

    /// <summary>Of a move that no decision about heat has begun.</summary>
    private static string? UnderWay(Move? move) =>
        move is { Reason: not MoveReason.Heat } ? $"on its way to rack {move.To} ({move.Reason.ToString().ToLowerInvariant()})" : null;

    /// <summary>About the rack that uses the page most, of those that have not got it.</summary>
    private SwapDecision? DecisionNow(Page page)
    {
        RackHeat? hottest = null;
        foreach (var heat in page.Heat)
        {
            if (heat.Rack != page.Owner && heat.Heat > (hottest?.Heat ?? 0)) hottest = heat;
        }

        return hottest is null ? null : Weigh(page, hottest.Rack, firstTouch: false);
    }
}
