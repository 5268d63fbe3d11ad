using Rcmp.Hosts.Linearizability;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation;

/// <summary>The course of a simulation: chaos, then calm in which everything must come right.</summary>
internal sealed partial class SimWorld
{
    private const long SettleNs = 2_500_000;
    private const long PatienceNs = 200_000_000;

    /// <summary>Runs it all. Throws <see cref="SimViolation"/>.</summary>
    public void Run()
    {
        _removal = Seed % 8 == 5;
        _wraps = Seed % 8 == 3;
        Queue.Add(NowNs + 1_000, SimEventKind.Disturbance, null);
        while (Steps < _options.Steps && Step())
        {
        }

        Heal();
        EverythingIsReadable();
        NothingIsInTransition();
        NothingIsLeftOfSessions();
        if (History.Check() is { Verdict: not LinearizabilityVerdict.Linearizable } wrong)
            Violated($"{SimHistory.PageOf(wrong.Key)} is not linearizable: {wrong.Explanation}");
    }

    private void Heal()
    {
        Trace("calm");
        IsCalm = true;
        Array.Clear(_cuts);
        while (_shards.Count > 1) _shards.RemoveAt(0);
        StartMaster();
        foreach (var rack in Racks.Values)
        {
            rack.Store.CrashAtWrite = 0;
            if (rack.IsForgotten) continue;
            if (!rack.IsUp) rack.StartDaemon();
            foreach (var client in rack.Clients) client.StoppedUntilNs = 0;
        }

        RunFor(SettleNs);
    }

    private void RunFor(long ns) => RunUntil(() => false, ns);

    /// <summary>False if the time is over before it is so.</summary>
    private bool RunUntil(Func<bool> isSo, long ns)
    {
        var ends = NowNs + ns;
        while (!isSo())
        {
            if (Queue.NextNs > ends)
            {
                NowNs = long.Max(NowNs, ends);
                return false;
            }

            Step();
        }

        return true;
    }

    /// <summary>Every page that was allocated and not freed can be used from every rack, and has all that was written.</summary>
    private void EverythingIsReadable()
    {
        var readers = Racks.Values.Where(r => !r.IsForgotten).Select(r => new Reader(this, r, AddClient(r, led: true), [.. _byId.Values.Where(IsCertain)])).ToList();
        if (!RunUntil(() => readers.TrueForAll(r => r.GoOn()), PatienceNs))
        {
            var waiting = readers.First(r => !r.GoOn());
            Violated($"{waiting.Page} cannot be used from rack {waiting.Rack.Id} in the end: {waiting.Client.Failure}");
        }
    }

    private sealed class Reader(SimWorld world, SimRack rack, SimClient client, List<SimPage> pages)
    {
        private int _next;
        private bool _begun;

        public SimRack Rack => rack;

        public SimClient Client => client;

        public PageId Page => pages[_next / SimStore.FrameWords].Id;

        /// <summary>True when it has been through all pages.</summary>
        public bool GoOn()
        {
            if (rack.IsForgotten) return true;
            if (!client.IsIdle) return false;
            if (_begun && client.Completed == Page) _next++;
            _begun = false;
            while (_next < pages.Count * SimStore.FrameWords && !world.IsCertain(pages[_next / SimStore.FrameWords])) _next++;
            if (_next >= pages.Count * SimStore.FrameWords) return true;
            _begun = true;
            client.Begin(world.MakeAccess(pages[_next / SimStore.FrameWords], _next % SimStore.FrameWords, WordOperation.FetchAdd, 1, 0));
            return false;
        }
    }

    // Evictions may go on for ever in a full pool; no row may stay in transition, though.
    private void NothingIsInTransition()
    {
        if (RunUntil(() => !Racks.Values.Any(InTransition), PatienceNs)) return;
        foreach (var rack in Racks.Values.Where(InTransition)) Violated($"rack {rack.Id} still has rows in transition: {rack.Core!.Status()}");
    }

    private static bool InTransition(SimRack rack) =>
        !rack.IsForgotten && rack.Core!.Status() is var status && status.Leaving + status.Incoming + status.Unsettled > 0;

    private void NothingIsLeftOfSessions()
    {
        AcknowledgeAgain();
        RunFor(500_000);
        foreach (var rack in Racks.Values)
        {
            foreach (var client in rack.Clients.ToArray()) rack.KillClient(client);
        }

        if (!RunUntil(() => Rows().All(r => r.Row.Session.IsNone), PatienceNs))
        {
            var left = Rows().First(r => !r.Row.Session.IsNone);
            Violated($"rack {left.Rack.Id} still has {left.Row.Page} of session {left.Row.Session}, which has ended");
        }

        foreach (var (rack, row) in Rows())
        {
            if (!_byId.TryGetValue(row.Page, out var page) || page.Freed) Violated($"rack {rack.Id} has {row.Page}, which nobody has: {row}");
        }

        // A full pool goes on evicting.
        if (RunUntil(() => _byId.Values.All(p => !IsCertain(p) || IsResidentOnce(p)), PatienceNs)) return;
        Violated($"{_byId.Values.First(p => IsCertain(p) && !IsResidentOnce(p)).Id} is not resident once in the end");
    }

    private bool IsResidentOnce(SimPage page) => Rows().Count(r => r.Row.Page == page.Id && r.Row.State == RowState.Resident) == 1;

    private IEnumerable<(SimRack Rack, FrameRow Row)> Rows()
    {
        foreach (var rack in Racks.Values)
        {
            for (uint i = 0; i < rack.Store.FrameCount && !rack.IsForgotten; i++)
            {
                if (rack.Store.ReadRow(new FrameIndex(i)) is { State: not RowState.Free } row) yield return (rack, row);
            }
        }
    }
}
