using System.Diagnostics;
using System.Globalization;
using Rcmp.Cluster.Serialization;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>Racks, the directory's shards and a master on one clock, without faults: the product's state machines, whose messages are counted.</summary>
internal sealed class ScaleWorld
{
    private const int PageSize = 4096;
    private const int Shards = 64;
    private const long SecondNs = 1_000_000_000;

    private readonly ScaleOptions _options;
    private readonly PageGeometry _geometry = new(PageSize);
    private readonly SimQueue _queue = new();
    private readonly ScaleRack[] _racks;
    private readonly Shard[] _shards = new Shard[Shards];
    private readonly MasterCore _master = new(new MasterOptions { GraceNs = 0 });
    private readonly MasterEffects _masterEffects;
    private readonly HashSet<PageId> _shared = [];
    private RosterChanged _roster;
    private SimRandom _random;
    private long _heatBytes;
    private long _masterMessages;
    private long _moves;
    private bool _clientsRun;
    private bool _heatIsStill;

    public ScaleWorld(ScaleOptions options)
    {
        _options = options;
        _random = new SimRandom(SimRandom.Mix(options.Seed, 0x5CA1E, 0));
        _masterEffects = new MasterEffects(this);
        RosterEntry[] entries =
        [
            .. Enumerable.Range(1, options.Racks).Select(i => new RosterEntry(
                new RackId((ushort)i), new Guid(i, 0, 0, new byte[8]), new Generation(0), i.ToString(CultureInfo.InvariantCulture), false)),
        ];
        _roster = new RosterChanged(1, ValueList<RosterEntry>.Of(entries));
        var settings = new PoolSettings(Guid.Empty, PageSize, Shards, RegionLayout.FormatVersion);
        // A quarter more frames than pages: room to move.
        var frames = checked((int)(options.Pages / options.Racks * 5 / 4)) + 256;
        _racks = [.. entries.Select(entry => new ScaleRack(
            this, options, entry.Rack,
            new SimStore(frames, 2 * frames, new SuperblockState(entry.Rack, new Generation(0), 1, entries, new Dictionary<ShardId, Term>()), Wrong, options.Racks + 64),
            new RackCoreOptions { Settings = settings, RegionId = entry.RegionId, Policy = options.Policy }))];
    }

    public long NowNs { get; private set; } = 1;

    public ScaleRack RackOf(RackId rack) => _racks[rack.Value - 1];

    /// <summary>The pages in order, those of the first rack first.</summary>
    public PageId PageAt(long number)
    {
        var perRack = _options.Pages / _options.Racks;
        return _racks[(int)long.Min(number / perRack, _racks.Length - 1)].First.Plus(number % perRack);
    }

    public void Add(long delayNs, SimEventKind kind, object target, object? payload = null, long stamp = 0) => _queue.Add(NowNs + delayNs, kind, target, payload, stamp);

    public void Later(long delayNs, Action work) => Add(delayNs, SimEventKind.RackWork, work);

    public void CountMove() => _moves++;

    public void SendToShard(ShardId shard, IPoolProtocol message)
    {
        _shards[shard.Value].Messages++;
        if (message is ResolvePages resolve)
        {
            foreach (var page in resolve.Pages) _shared.Add(page);
            for (var i = 0; i < resolve.Span.Count; i++) _shared.Add(resolve.Span.First.Plus(i));
        }

        if (message is HeatReport) _heatBytes += PoolSerializer.Encode(message).Length;
        Add(_options.HopNs, SimEventKind.Message, _shards[shard.Value], message);
    }

    public void SendToRack(RackId rack, IPoolProtocol message) => Add(_options.HopNs, SimEventKind.Message, RackOf(rack), message);

    public void SendToMaster(IPoolProtocol message)
    {
        _masterMessages++;
        Add(_options.HopNs, SimEventKind.Message, _master, message);
    }

    /// <summary>Starts the pool, uses it, and starts all its shards anew in the end.</summary>
    public ScalePoint Run()
    {
        var watch = Stopwatch.StartNew();
        foreach (var rack in _racks) rack.Start();
        StartShards();
        RunFor(SecondNs);
        foreach (var rack in _racks) rack.Allocate(_options.Pages / _options.Racks);
        RunFor(SecondNs);
        if (Array.Find(_racks, rack => rack.First == PageId.None) is { } without) throw new SimViolation($"rack {without.Id} has not allocated its pages within a second");

        _clientsRun = true;
        foreach (var rack in _racks) rack.StartClients();
        RunFor((long)(_options.WarmupSeconds * SecondNs));
        foreach (var rack in _racks) rack.Forget();
        foreach (var shard in _shards) shard.Messages = 0;
        (_heatBytes, _masterMessages, _moves) = (0, 0, 0);
        RunFor((long)(_options.Seconds * SecondNs));
        return Point(watch);
    }

    private ScalePoint Point(Stopwatch watch)
    {
        var hits = _racks.Sum(rack => rack.Hits);
        var accesses = long.Max(1, hits + _racks.Sum(rack => rack.Remote));
        var (seconds, racks) = (_options.Seconds, _options.Racks);
        var (messages, busiest) = (_shards.Sum(shard => shard.Messages), _shards.Max(shard => shard.Messages));
        var (heatBytes, masterMessages, moves) = (_heatBytes, _masterMessages, _moves);
        _clientsRun = false;
        RunFor(SecondNs);
        var directoryBytes = DirectoryBytes();
        var (rebuildMessages, rebuildNs) = Rebuild();
        var layout = RegionPlan.Compute(new RegionCreateOptions { PoolId = Guid.Empty, PageSizeBytes = PageSize }, long.Max(8 << 20, _options.Pages / racks * PageSize));
        return new ScalePoint
        {
            Racks = racks, Pages = _options.Pages, HotPages = _options.HotPages, Accesses = accesses,
            RackHitShare = (double)hits / accesses,
            DirectoryMessagesPerAccess = (double)messages / accesses,
            MovesPerSecond = moves / seconds,
            BytesMovedPerRackSecond = moves * (double)PageSize / seconds / racks,
            HeatBytesPerRackSecond = heatBytes / seconds / racks,
            BusiestShardMessagesPerSecond = busiest / seconds,
            MasterMessagesPerSecond = masterMessages / seconds,
            RegionBytesPerPage = (double)layout.FramesOffset / layout.FrameCount,
            DirectoryBytesPerPage = directoryBytes / (double)long.Max(1, _shared.Count),
            RebuildMessagesPerShard = (double)rebuildMessages / Shards,
            RebuildSeconds = rebuildNs / (double)SecondNs,
            WallSeconds = watch.Elapsed.TotalSeconds,
        };
    }

    /// <summary>What goes away with the shards.</summary>
    private long DirectoryBytes()
    {
        var with = GC.GetTotalMemory(true);
        // Events that are still to come hold the shards themselves.
        foreach (var shard in _shards) shard.Drop();
        var without = GC.GetTotalMemory(true);
        return long.Max(0, with - without);
    }

    private (long Messages, long Ns) Rebuild()
    {
        // What a shard asks for, and nothing else.
        _heatIsStill = true;
        RunFor(SecondNs);
        var began = NowNs;
        StartShards();
        RunFor(SecondNs);
        return (_shards.Sum(shard => shard.Messages), long.Max(0, _shards.Max(shard => shard.LastNs) - began));
    }

    private void StartShards()
    {
        for (var i = 0; i < Shards; i++)
        {
            _shards[i] = new Shard(this, new DirectoryShard(
                new ShardId(i), (uint)_random.Next() | 1, new DirectoryOptions { Geometry = _geometry, Shards = Shards, Policy = _options.Policy }, () => _random.Next()));
            _shards[i].Handle(_roster);
        }
    }

    private void RunFor(long ns)
    {
        for (var ends = NowNs + ns; _queue.NextNs <= ends;)
        {
            var next = _queue.Take();
            NowNs = long.Max(NowNs, next.DueNs);
            Run(next);
        }
    }

    private void Run(in SimEvent e)
    {
        switch (e.Kind, e.Target)
        {
            case (SimEventKind.Message, ScaleRack rack): rack.Deliver((IPoolProtocol)e.Payload!); break;
            case (SimEventKind.Message, Shard shard): shard.Handle((IPoolProtocol)e.Payload!); break;
            case (SimEventKind.Message, MasterCore master): master.Handle((IPoolProtocol)e.Payload!, NowNs, _masterEffects); break;
            case (SimEventKind.RackTick, ScaleRack rack): rack.Tick(e.Stamp); break;
            case (SimEventKind.RackSample, ScaleRack rack) when !_heatIsStill: rack.Sample(); break;
            case (SimEventKind.Client, ScaleRack rack) when _clientsRun: rack.Use(); break;
            case (SimEventKind.ShardTick, Shard shard): shard.Tick(e.Stamp); break;
            case (SimEventKind.RackWork, Action work): work(); break;
        }
    }

    private static void Wrong(string what) => throw new SimViolation(what);

    private sealed class Shard(ScaleWorld world, DirectoryShard core) : IShardEffects
    {
        private long _tickNs = long.MaxValue;
        private long _tickStamp;
        private DirectoryShard? _core = core;

        /// <summary>To it and from it.</summary>
        public long Messages { get; set; }

        public long LastNs { get; private set; }

        public void Handle(IPoolProtocol message)
        {
            LastNs = world.NowNs;
            _core?.Handle(message, world.NowNs, this);
            ScheduleTick();
        }

        public void Tick(long stamp)
        {
            if (stamp != _tickStamp) return;
            _tickNs = long.MaxValue;
            _core?.Tick(world.NowNs, this);
            ScheduleTick();
        }

        public void Drop() => _core = null;

        public void SendToRack(RackId rack, IPoolProtocol message)
        {
            Messages++;
            world.SendToRack(rack, message);
        }

        public void Log(RackLogLevel level, string message)
        {
        }

        public void Fatal(string message) => throw new SimViolation($"a shard stopped: {message}");

        private void ScheduleTick()
        {
            if (_core?.NextDeadlineNs is not { } next || next >= _tickNs) return;
            _tickNs = next;
            world.Add(long.Max(0, next - world.NowNs), SimEventKind.ShardTick, this, null, ++_tickStamp);
        }
    }

    private sealed class MasterEffects(ScaleWorld world) : IMasterEffects
    {
        public void SendToNode(string nodeAddress, IPoolProtocol message)
        {
            world._masterMessages++;
            world.SendToRack(new RackId(ushort.Parse(nodeAddress, CultureInfo.InvariantCulture)), message);
        }

        public void Broadcast(RosterChanged roster)
        {
            world._roster = roster;
            world._masterMessages += world._racks.Length;
            foreach (var rack in world._racks) world.SendToRack(rack.Id, roster);
            foreach (var shard in world._shards) world.Add(world._options.HopNs, SimEventKind.Message, shard, roster);
        }

        public void Log(RackLogLevel level, string message)
        {
        }
    }
}
