using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>What racks ask of a shard, and heat.</summary>
internal sealed partial class DirectoryShard
{
    private void OnResolvePages(ResolvePages m)
    {
        Learn(m.Asker);
        if (m.Pages.Count == 0 || _forgotten.Contains(m.Asker.Rack)) return;
        var page = PageOf(m.Pages[0]);
        // A repeat is no new question, or one that comes faster than the answers would be asked for ever.
        if (!page.Resolves.ContainsKey(m.Asker.Rack)) AskedAnew(page);
        page.Resolves[m.Asker.Rack] = m;
        switch (page.Phase)
        {
            case PagePhase.Looking when page.Lookup is null: LookFor(page, all: false); break;
            case PagePhase.Settling: FlushResolves(page); break;
            case PagePhase.Stable:
                if (_options.Policy == SwapPolicy.Swap && m.Asker.Rack != page.Owner && ConsiderMove(page, m.Asker.Rack, firstTouch: true)) break;
                FlushResolves(page);
                break;
        }
    }

    private void FlushResolves(Page page)
    {
        if (!page.HasWaiters || !_racks.TryGetValue(page.Owner, out var view)) return;
        foreach (var m in page.Resolves.Values)
        {
            // Neighbours go along unseen: the owner grants those that it has.
            _fx.SendToRack(page.Owner, new ForwardedResolve(_shard, _term, new RackIncarnation(page.Owner, view.Generation), m.Asker, m.Pages, m.Span));
        }

        page.Resolves.Clear();
        if (page.Phase == PagePhase.Stable) page.ForgetEmptyLists();
    }

    private void Unresolved(RackIncarnation asker, PageId page, ResolveProblem problem, string why) =>
        _fx.SendToRack(asker.Rack, new PagesUnresolved(default, asker, ValueList<PageId>.Of(page), problem, why));

    private void OnFreeRequest(FreeRequest m)
    {
        Learn(m.Asker);
        if (_freed.TryGet(m.Page, out var by) && by == m.Request && !_pages.ContainsKey(m.Page))
        {
            AnswerFreeOfMissing(m);
            return;
        }

        var page = PageOf(m.Page);
        if (page.Free?.Request is { } running && running.Request == m.Request) return;
        if (!page.Frees.Exists(f => f.Request == m.Request))
        {
            page.Frees.Add(m);
            AskedAnew(page);
        }

        WakeUp(page);
    }

    private void OnBringRequest(BringRequest m)
    {
        Learn(m.Asker);
        var page = PageOf(m.Page);
        if (!page.Brings.ContainsKey(m.Asker.Rack)) AskedAnew(page);
        page.Brings[m.Asker.Rack] = m;
        WakeUp(page);
    }

    private void WakeUp(Page page)
    {
        if (page.Phase == PagePhase.Looking && page.Lookup is null) LookFor(page, all: false);
        else if (page.Phase == PagePhase.Stable) Serve(page);
    }

    private void OnConfirmFree(ConfirmFree m)
    {
        Learn(m.Asker);
        var page = PageOf(m.Page);
        if (page.Phase != PagePhase.Looking)
        {
            _fx.SendToRack(m.Asker.Rack, new FreeConfirmed(m.Asker, m.Page, false));
            return;
        }

        if (!page.Confirms.Contains(m))
        {
            page.Confirms.Add(m);
            AskedAnew(page);
        }

        if (page.Lookup is null) LookFor(page, all: true);
    }

    private void OnEvictRequest(EvictRequest m)
    {
        Learn(m.Owner);
        var page = PageOf(m.Page);
        if (page.Phase == PagePhase.Looking && page.Lookup is null) LookFor(page, all: false);
        if (page.Phase == PagePhase.Looking || (page.Move is { Reason: MoveReason.Eviction } move && move.From == m.Owner.Rack)) return;
        if (page.Owner == m.Owner.Rack && page.NotBeforeNs <= _now && CanMoveTo(page, m.To) && page.Frees.Count == 0)
        {
            BeginMove(page, m.To, MoveReason.Eviction);
            return;
        }

        if (page.Phase == PagePhase.Stable) _fx.SendToRack(m.Owner.Rack, new EvictAnswered(m.Owner, m.Page, page.Owner != m.Owner.Rack));
    }

    private void OnLocateRequest(LocateRequest m)
    {
        Learn(m.Asker);
        var page = PageOf(m.Page);
        if (page.Phase != PagePhase.Looking)
        {
            AnswerLocate(m, page, RequestStatus.Ok);
            return;
        }

        if (!page.Locates.Exists(l => l.Request == m.Request))
        {
            page.Locates.Add(m);
            AskedAnew(page);
        }

        if (page.Lookup is null) LookFor(page, all: false);
    }

    private void AnswerLocate(LocateRequest m, Page? page, RequestStatus status)
    {
        var address = _options.Geometry.AddressOf(m.Page);
        var why = status switch
        {
            RequestStatus.PageNotFound => $"{address} was never allocated, or was freed.",
            RequestStatus.Unavailable => $"{address} cannot be located now: a rack that may have it does not answer.",
            _ => "",
        };
        var heat = page is null ? [] : page.Heat.Select(h => new RackHeatValue(h.Rack, h.Heat));
        _fx.SendToRack(m.Asker.Rack, new LocateAnswered(
            m.Asker, m.Session, m.Request, status, why, m.Page, page?.Owner ?? RackId.None, page?.Epoch ?? default,
            page?.Phase.ToString().ToLowerInvariant() ?? "", ValueList<RackHeatValue>.Of(heat), page is null || status != RequestStatus.Ok ? "" : DecisionOf(page)));
    }

    private void OnHeatReport(HeatReport m)
    {
        Learn(m.Rack);
        if (!_racks.TryGetValue(m.Rack.Rack, out var view) || view.Generation != m.Rack.Generation) return;
        foreach (var value in m.Pages)
        {
            if (!double.IsFinite(value.Heat) || value.Heat < 0) continue;
            var page = PageOf(value.Page);
            var heat = page.Heat.Find(h => h.Rack == m.Rack.Rack);
            var isNews = heat is null;
            if (heat is null) page.Heat.Add(heat = new RackHeat(m.Rack.Rack));
            heat.Heat = value.Heat;
            if (m.Rack.Rack != page.Owner) heat.RemoteTimeNs += long.Max(0, value.RemoteTimeNs);
            if (page.Phase == PagePhase.Looking && page.Lookup is null)
            {
                if (IsNear(heat)) LookFor(page, all: false);
                else if (!page.HasWaiters && page.Heat.TrueForAll(h => h.Heat == 0)) Remove(page);
            }
            else if (page.Phase == PagePhase.Stable)
            {
                if (page.Owner != m.Rack.Rack) ConsiderMove(page, m.Rack.Rack, firstTouch: false);
                else if (isNews) ConsiderReaders(page);
            }
        }
    }
}
