using System.Diagnostics;
using Rcmp.Protocol.Messages;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>From the start of the pool to its figures.</summary>
internal sealed partial class ScaleWorld
{
    private const long StartNs = 4 * SecondNs;
    private const long PlacingNs = SecondNs;
    private const long CalmNs = SecondNs;
    private const int CalmTurnsMax = 30;

    // Many racks whose answers cost much each take longer than a moment.
    private const long RebuildMaxNs = 5 * SecondNs;

    /// <summary>How much of it is done, for a person who waits.</summary>
    public double Share { get; private set; }

    private long TotalNs => StartNs + PlacingNs + (long)((_options.WarmupSeconds + _options.Seconds) * SecondNs) + (2 * CalmNs);

    private sealed record Window(ScaleTraffic Traffic, double Seconds, long Accesses)
    {
        /// <summary>To shards and from them.</summary>
        public required long DirectoryMessages { get; init; }

        public required double HitShare { get; init; }

        public required double BusiestShardMessages { get; init; }

        public required double ShardLoad { get; init; }

        public required double RackLoad { get; init; }

        public required double MasterLoad { get; init; }

        public required double MasterMessages { get; init; }

        public required (double Shard, double Rack, double Master, double Sample) Handling { get; init; }

        public double PerAccess(long count) => (double)count / Accesses;

        public double PerSecond(long count) => count / Seconds;
    }

    /// <summary>Starts the pool, uses it, and starts all its shards anew in the end.</summary>
    public ScalePoint Run()
    {
        var watch = Stopwatch.StartNew();
        // What others in this process have left to finalizers would be freed in the middle, and told as less than nothing.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var empty = Heap();
        foreach (var rack in _racks) rack.Start();
        StartShards();
        RunFor(StartNs);
        foreach (var rack in _racks) rack.Allocate(_options.Pages / _options.Racks);
        RunFor(PlacingNs);
        if (Array.Find(_racks, rack => rack.First == PageId.None) is { } without) throw new SimViolation($"rack {without.Id} has not allocated its pages within a second");

        var placed = long.Max(0, Heap() - empty);
        _clientsRun = true;
        foreach (var rack in _racks) rack.StartClients();
        var first = Measure(_options.WarmupSeconds > 0 ? double.Min(1, _options.WarmupSeconds) : _options.Seconds);
        RunFor((long)(double.Max(0, _options.WarmupSeconds - first.Seconds) * SecondNs));
        var steady = _options.WarmupSeconds > 0 ? Measure(_options.Seconds) : first;
        _clientsRun = false;
        CalmDown();
        var point = Point(first, steady, placed);
        return point with { WallSeconds = watch.Elapsed.TotalSeconds };
    }

    /// <summary>Those who were given more than they can do have messages to work off: a rebuild would be told with them.</summary>
    private void CalmDown()
    {
        for (var turn = 0; turn < CalmTurnsMax; turn++)
        {
            RunFor(CalmNs);
            if (_racks.All(rack => rack.Server.IsIdle(NowNs)) && _shards.All(shard => shard.Server.IsIdle(NowNs))) break;
        }
    }

    private Window Measure(double seconds)
    {
        foreach (var rack in _racks) rack.Forget();
        foreach (var shard in _shards) shard.Server.Forget();
        _masterServer.Forget();
        Traffic = new ScaleTraffic();
        RunFor((long)(seconds * SecondNs));
        // What is sent from now on counts elsewhere.
        var traffic = Traffic;
        Traffic = new ScaleTraffic();
        var hits = _racks.Sum(rack => rack.Hits);
        var accesses = long.Max(1, hits + _racks.Sum(rack => rack.Remote));
        var (cpu, handling) = (_options.MessageCpuNs, (Shard: Mean(_shards.Select(shard => shard.Server)), Rack: Mean(_racks.Select(rack => rack.Server)), Master: Mean([_masterServer]), Sample: _racks.Average(rack => rack.SampleMeanNs)));
        return new Window(traffic, seconds, accesses)
        {
            DirectoryMessages = _shards.Sum(shard => shard.Server.Messages),
            HitShare = (double)hits / accesses,
            BusiestShardMessages = _shards.Max(shard => shard.Server.Messages) / seconds,
            ShardLoad = _shards.Max(shard => shard.Server.Load(cpu, handling.Shard, seconds)),
            RackLoad = _racks.Max(rack => rack.Server.Load(cpu, handling.Rack, seconds)) + (handling.Sample / ScaleRack.SampleNs),
            MasterLoad = _masterServer.Load(cpu, handling.Master, seconds),
            MasterMessages = _masterServer.Messages / seconds,
            Handling = handling,
        };
    }

    private static double Mean(IEnumerable<ScaleServer> servers)
    {
        var (ns, handled) = servers.Aggregate((Ns: 0L, Handled: 0L), (sum, server) => (sum.Ns + server.HandlingNs, sum.Handled + server.Handled));
        return (double)ns / long.Max(1, handled);
    }

    private ScalePoint Point(Window first, Window steady, long placedBytes)
    {
        var (traffic, racks) = (steady.Traffic, _options.Racks);
        var references = _racks.Average(rack => rack.Store.References);
        var directoryBytes = Freed(() => Array.ForEach(_shards, shard => shard.Drop()));
        var (rebuildMessages, rebuildNs) = Rebuild();
        var joinBytes = Join();
        var daemonBytes = Freed(() => Array.ForEach(_racks, rack => rack.Drop()));
        return new ScalePoint
        {
            Racks = racks, Pages = _options.Pages, Clients = _options.Clients, HotPages = _options.HotPages, AccessesPerRackSecond = (double)_options.Clients * _options.AccessesPerSecond, Accesses = steady.Accesses,
            RackHitShare = steady.HitShare,
            FirstRackHitShare = first.HitShare,
            DirectoryMessagesPerAccess = steady.PerAccess(steady.DirectoryMessages),
            FirstDirectoryMessagesPerAccess = first.PerAccess(first.DirectoryMessages),
            ResolveMessagesPerAccess = steady.PerAccess(traffic.Resolves),
            HeatMessagesPerAccess = steady.PerAccess(traffic.Heat),
            MoveMessagesPerAccess = steady.PerAccess(traffic.MoveOrders),
            MovesPerSecond = steady.PerSecond(traffic.Moves),
            BytesMovedPerRackSecond = steady.PerSecond(traffic.Moves) * PageSize / racks,
            HeatBytesPerRackSecond = steady.PerSecond(traffic.HeatBytes) / racks,
            HeatMessagesPerRackSecond = steady.PerSecond(traffic.Reports) / racks,
            HeatPagesPerMessage = (double)traffic.ReportedPages / long.Max(1, traffic.Reports),
            ReferencesPerRack = references,
            BusiestShardMessagesPerSecond = steady.BusiestShardMessages,
            FirstBusiestShardMessagesPerSecond = first.BusiestShardMessages,
            BusiestShardLoad = steady.ShardLoad, BusiestRackLoad = steady.RackLoad, MasterLoad = steady.MasterLoad,
            ShardHandlingNs = steady.Handling.Shard, RackHandlingNs = steady.Handling.Rack, MasterHandlingNs = steady.Handling.Master, HeatSampleNs = steady.Handling.Sample,
            MasterMessagesPerSecond = steady.MasterMessages,
            MasterBytesPerSecond = steady.PerSecond(traffic.MasterBytes),
            JoinBytes = joinBytes,
            RegionBytesPerPage = (double)_layout.FramesOffset / _layout.FrameCount,
            DaemonBytesPerPage = placedBytes / (double)_options.Pages,
            DaemonBytesPerReference = references == 0 ? 0 : long.Max(0, daemonBytes - placedBytes) / (references * racks),
            DirectoryBytesPerPage = directoryBytes / (double)long.Max(1, _shared.Count),
            SharedPages = _shared.Count,
            RebuildMessagesPerShard = (double)rebuildMessages / Shards,
            RebuildSeconds = rebuildNs / (double)SecondNs,
            WallSeconds = 0,
        };
    }

    private static long Freed(Action drop)
    {
        var with = Heap();
        drop();
        return long.Max(0, with - Heap());
    }

    /// <summary>GetTotalMemory(true) would collect up to twenty times: seconds each, with some gigabytes.</summary>
    private static long Heap()
    {
        GC.Collect();
        return GC.GetTotalMemory(false);
    }

    private (long Messages, long Ns) Rebuild()
    {
        // What a shard asks for, and nothing else.
        _heatIsStill = true;
        RunFor(CalmNs);
        var began = NowNs;
        StartShards();
        RunFor(RebuildMaxNs);
        return (_shards.Sum(shard => shard.Server.Messages), long.Max(0, _shards.Max(shard => shard.LastNs) - began));
    }

    /// <summary>What the master sends when one more rack joins.</summary>
    private long Join()
    {
        var entry = EntryOf(_options.Racks + 1);
        Traffic = new ScaleTraffic();
        Handle(_master, new RegisterRack(entry.RegionId, entry.Rack, entry.Generation, entry.NodeAddress, Settings, _roster.Version, _roster.Entries, 1, 1, 0));
        return Traffic.MasterBytes;
    }
}
