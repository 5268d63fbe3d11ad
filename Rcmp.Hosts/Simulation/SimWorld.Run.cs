using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Hosts.Simulation;

/// <summary>The course of a simulation: chaos, then calm in which everything must come right.</summary>
internal sealed partial class SimWorld
{
    private readonly List<PageId> _pages = [];

    /// <summary>Runs it all. Throws <see cref="SimViolation"/>.</summary>
    public void Run()
    {
        for (var i = 0; i < _options.Pages; i++) Allocate();
        for (var i = 0; i < _options.Steps; i++)
        {
            if (OneIn(_churn ? 18 : 60)) Disturb();
            Step();
        }

        Heal();
        EverythingIsReadable();
    }

    private void Step()
    {
        NowNs += StepNs;
        for (var i = _network.Count - 1; i >= 0; i--)
        {
            if (i >= _network.Count || _network[i].DueNs > NowNs) continue;
            var run = _network[i].Run;
            _network[i] = _network[^1];
            _network.RemoveAt(_network.Count - 1);
            run();
        }

        foreach (var rack in Racks.Values)
        {
            rack.Tick();
            if (!_calm && !OneIn(_workPace)) continue;
            rack.RunWork();
            rack.RunWork();
            if (OneIn(12)) rack.Happen(new SampleHeat());
        }

        foreach (var shard in _shards.ToArray())
        {
            if (shard.DiesNs <= NowNs && _shards.Count > 1) _shards.Remove(shard);
            else if (shard.Core.NextDeadlineNs <= NowNs) shard.Core.Tick(NowNs, shard);
        }

        if (_calm || OneIn(_operationPace)) RunOperation();
        foreach (var rack in Racks.Values)
        {
            foreach (var client in rack.Clients.ToArray())
            {
                if (!_calm && !OneIn(_clientPace)) continue;
                if (!client.IsIdle) client.Run();
                else if (_pages.Count > 0 && !_calm && OneIn(4)) client.Begin(PageFor(rack));
            }
        }
    }

    // Skewed, and shifting, so that pages are hot somewhere and get hot elsewhere.
    private PageId PageFor(SimRack rack) =>
        _pages[(int)((ulong)(rack.Id.Value + (NowNs / 400_000) + (OneIn(3) ? Pick(_pages.Count) : 0)) % (ulong)_pages.Count)];

    private void Disturb()
    {
        var rack = Racks.Values.ElementAt(Pick(Racks.Count));
        switch (Pick(_churn ? 14 : 12))
        {
            case 0 when rack.IsUp && Racks.Values.All(r => r.IsUp):
                Trace($"kill daemon {rack.Id}");
                rack.KillDaemon();
                break;
            case 1 or 2:
                foreach (var down in Racks.Values.Where(r => !r.IsUp))
                {
                    Trace($"start daemon {down.Id}");
                    down.StartDaemon();
                }

                break;
            case 3 when rack.Clients.Count > 0:
                var victim = rack.Clients[Pick(rack.Clients.Count)];
                rack.KillClient(victim);
                AddClient(rack);
                break;
            case 4 when rack.Clients.Count > 0:
                rack.Clients[Pick(rack.Clients.Count)].StoppedUntilNs = NowNs + (StepNs * Pick(600));
                break;
            case 5 or 6 or 12 or 13 when _shards.Count < 2:
                Trace("another shard incarnation");
                _shards[0].DiesNs = NowNs + (StepNs * (OneIn(2) ? 0 : Pick(500)));
                StartShard();
                break;
            case 7:
                _cut = (rack.Id, Racks.Keys.ElementAt(Pick(Racks.Count)), NowNs + (StepNs * Pick(400)));
                break;
            case 8: Free(); break;
            case 9: Allocate(); break;
            case 10 when OneIn(3): _master = new MasterCore(new MasterOptions { GraceNs = 0 }); break;
            case 11: Bring(rack); break;
        }
    }

    private void Ask(SimRack rack, ISessionRequest request, Action<ISessionReply> then)
    {
        _requests[request.Request] = then;
        rack.Tell(request);
    }

    private void Allocate()
    {
        var rack = Racks.Values.ElementAt(Pick(Racks.Count));
        if (rack.Clients.Count == 0 || _pages.Count >= _options.Pages) return;
        var session = rack.Clients[0].Session;
        Ask(rack, new AllocatePages(session, NewRequest(), OneIn(4) ? 3 : 1, false), reply =>
        {
            if (reply is not PagesAllocated allocated) return;
            Ask(rack, new AcknowledgeAllocation(session, NewRequest(), allocated.First, 3), _ => { });
            if (rack.Clients.TrueForAll(c => c.Session != session) || _pages.Contains(allocated.First)) return;
            if (_truth.ContainsKey(allocated.First)) Violated($"the id {allocated.First} was given out twice");
            _owners[allocated.First] = session;
            _pages.Add(allocated.First);
            _truth[allocated.First] = 0;
        });
    }

    private readonly Dictionary<PageId, SessionToken> _owners = [];

    private void Free()
    {
        if (_pages.Count < 3) return;
        var page = _pages[Pick(_pages.Count)];
        var rack = Racks.Values.ElementAt(Pick(Racks.Count));
        if (rack.Clients.Count == 0) return;
        _pages.Remove(page);
        _freeing.Add(page);
        Ask(rack, new FreePages(rack.Clients[0].Session, NewRequest(), page, 1), reply =>
        {
            if (reply is RequestDone { Status: RequestStatus.Ok } && _residents.GetValueOrDefault(page) > 0) Violated($"{page} is there after it was freed");
        });
    }

    private void Bring(SimRack rack)
    {
        if (_pages.Count > 0 && rack.Clients.Count > 0) Ask(rack, new BringPage(rack.Clients[0].Session, NewRequest(), _pages[Pick(_pages.Count)]), _ => { });
    }

    private void Heal()
    {
        Trace("calm");
        _calm = true;
        foreach (var rack in Racks.Values)
        {
            if (!rack.IsUp) rack.StartDaemon();
            foreach (var client in rack.Clients) client.StoppedUntilNs = 0;
        }

        while (_shards.Count > 1) _shards.RemoveAt(0);
        for (var i = 0; i < 1000; i++) Step();
    }

    /// <summary>Every page that was acknowledged and not freed can be used from every rack, and has all that was written.</summary>
    private void EverythingIsReadable()
    {
        foreach (var page in _pages)
        {
            foreach (var rack in Racks.Values)
            {
                var client = AddClient(rack);
                client.Begin(page);
                string? failure = null;
                for (var i = 0; i < 30_000 && client.Completed != page; i++)
                {
                    Step();
                    if (!client.IsIdle || client.Completed == page) continue;
                    failure = client.Failure;
                    if (MayBeLost(page, failure)) break;
                    client.Begin(page);
                }

                rack.Clients.Remove(client);
                if (client.Completed != page && !MayBeLost(page, failure)) Violated($"{page} cannot be used from rack {rack.Id} in the end: {failure}");
            }
        }

        // Evictions may go on for ever in a full pool; no row may stay in transition, though.
        for (var i = 0; i < 30_000 && Racks.Values.Any(InTransition); i++) Step();
        foreach (var rack in Racks.Values.Where(InTransition)) Violated($"rack {rack.Id} still has rows in transition: {rack.Core!.Status()}");
    }

    private static bool InTransition(SimRack rack) => rack.Core!.Status() is var status && status.Leaving + status.Incoming + status.Unsettled > 0;

    // The allocating client may have died before its acknowledgement arrived: then the page ended with its session.
    private bool MayBeLost(PageId page, string? failure) =>
        failure?.Contains(nameof(RequestStatus.PageNotFound)) == true && Racks.Values.All(r => r.Clients.TrueForAll(c => c.Session != _owners[page]));
}
