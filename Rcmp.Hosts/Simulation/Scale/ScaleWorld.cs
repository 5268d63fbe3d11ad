using System.Diagnostics;
using System.Globalization;
using Rcmp.Cluster.Serialization;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>Racks, the directory's shards and a master on one clock, without faults: the product's state machines, whose messages are counted. Each of them takes one message at a time.</summary>
internal sealed partial class ScaleWorld
{
    public const int PageSize = 4096;
    private const long Never = 24 * 3600 * 1_000_000_000L;
    private const int Shards = 64;
    private const long SecondNs = 1_000_000_000;
    private const int EventsBetweenLooks = 4096;
    private const int EncodingTurns = 20;

    /// <summary>What the state machines take for a message, as <see cref="ScalePoint.ShardHandlingNs"/> and <see cref="ScalePoint.RackHandlingNs"/> were measured: a constant, so that a seed always gives the same.</summary>
    private const long HandlingNs = 4_000;

    private readonly ScaleOptions _options;
    private readonly CancellationToken _ct;
    private readonly PageGeometry _geometry = new(PageSize);
    private readonly SimQueue _queue = new();
    private readonly ScaleRack[] _racks;
    private readonly ScaleShard[] _shards = new ScaleShard[Shards];
    private readonly MasterCore _master = new(new MasterOptions { GraceNs = 0 });
    private readonly MasterEffects _masterEffects;
    private readonly ScaleServer _masterServer = new();
    private readonly Dictionary<Type, (int Bytes, long Ns)> _masterMessages = [];
    private readonly HashSet<PageId> _shared = [];
    private readonly RegionLayout _layout;
    private RosterChanged _roster;
    private SimRandom _random;
    private bool _clientsRun;
    private bool _heatIsStill;

    public ScaleWorld(ScaleOptions options, CancellationToken ct = default)
    {
        (_options, _ct) = (options, ct);
        _random = new SimRandom(SimRandom.Mix(options.Seed, 0x5CA1E, 0));
        _masterEffects = new MasterEffects(this);
        var pages = options.Pages / options.Racks;
        _layout = RegionPlan.Compute(new RegionCreateOptions { PoolId = Guid.Empty, PageSizeBytes = PageSize }, long.Max(8 << 20, pages * PageSize));
        RosterEntry[] entries = [.. Enumerable.Range(1, options.Racks).Select(EntryOf)];
        _roster = new RosterChanged(1, ValueList<RosterEntry>.Of(entries));
        // A quarter more frames than pages: room to move.
        var frames = checked((int)(pages * 5 / 4)) + 256;
        var tableEntries = (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)long.Max(_layout.PageTableEntries, 2 * frames));
        _racks = [.. entries.Select(entry => new ScaleRack(
            this, options, entry.Rack,
            new ScaleStore(frames, tableEntries, (int)pages, new SuperblockState(entry.Rack, entry.Generation, 1, entries, new Dictionary<ShardId, Term>()), options.Racks + 64),
            // Shards are where they are in this world: nobody has to be greeted, and a rebuild's last message is not a greeting.
            new RackCoreOptions { Settings = Settings, RegionId = entry.RegionId, Policy = options.Policy, GreetDelayNs = Never }))];
    }

    public long NowNs { get; private set; } = 1;

    public ScaleTraffic Traffic { get; private set; } = new();

    private static PoolSettings Settings => new(Guid.Empty, PageSize, Shards, RegionLayout.FormatVersion);

    private long ServiceNs => _options.MessageCpuNs + HandlingNs;

    public ScaleRack RackOf(RackId rack) => _racks[rack.Value - 1];

    /// <summary>The pages in order, those of the first rack first.</summary>
    public PageId PageAt(long number)
    {
        var perRack = _options.Pages / _options.Racks;
        return _racks[(int)long.Min(number / perRack, _racks.Length - 1)].First.Plus(number % perRack);
    }

    public void Add(long delayNs, SimEventKind kind, object target, object? payload = null, long stamp = 0) => _queue.Add(NowNs + delayNs, kind, target, payload, stamp);

    public void Later(long delayNs, Action work) => Add(delayNs, SimEventKind.RackWork, work);

    public void SendToShard(ShardId shard, IPoolProtocol message)
    {
        Traffic.CountDirectory(message);
        NoteShared(message);
        Send(_shards[shard.Value].Server, _shards[shard.Value], message);
    }

    /// <summary>What the directory keeps something about: pages that it was asked for, and those that are hot somewhere.</summary>
    private void NoteShared(IPoolProtocol message)
    {
        if (message is ResolvePages resolve) _shared.Add(resolve.Pages[0]);
        else if (message is HeatReport report)
        {
            foreach (var page in report.Pages)
            {
                if (page.Heat > 0) _shared.Add(page.Page);
            }
        }
    }

    public void SendToRack(RackId rack, IPoolProtocol message)
    {
        // A rack that joins for the measurement of joining is nowhere.
        if (rack.Value <= _racks.Length) Send(RackOf(rack).Server, RackOf(rack), message);
    }

    public void SendToMaster(IPoolProtocol message)
    {
        CountMasterBytes(message);
        Send(_masterServer, _master, message);
    }

    private void Send(ScaleServer server, object target, IPoolProtocol message) =>
        _queue.Add(server.Serve(NowNs + _options.MessageNs, ServiceNs), SimEventKind.Message, target, message);

    /// <summary>Those of one kind are as long as each other, as long as the roster is the same. Most have the roster in them: encoding them is what they cost.</summary>
    private void CountMasterBytes(IPoolProtocol message)
    {
        if (!_masterMessages.TryGetValue(message.GetType(), out var cost)) _masterMessages[message.GetType()] = cost = Encoding(message);
        Traffic.MasterBytes += cost.Bytes;
        _masterServer.CountCodec(cost.Ns);
    }

    private static (int Bytes, long Ns) Encoding(IPoolProtocol message)
    {
        var (bytes, fastest) = (0, long.MaxValue);
        for (var turn = 0; turn < EncodingTurns; turn++)
        {
            var began = Stopwatch.GetTimestamp();
            bytes = PoolSerializer.Encode(message).Length;
            fastest = long.Min(fastest, (long)Stopwatch.GetElapsedTime(began).TotalNanoseconds);
        }

        return (bytes, fastest);
    }

    private static RosterEntry EntryOf(int rack) =>
        new(new RackId((ushort)rack), new Guid(rack, 0, 0, new byte[8]), new Generation(1), rack.ToString(CultureInfo.InvariantCulture), false);

    private void StartShards()
    {
        for (var i = 0; i < Shards; i++)
        {
            _shards[i] = new ScaleShard(this, new DirectoryShard(
                new ShardId(i), (uint)_random.Next() | 1, new DirectoryOptions { Geometry = _geometry, Shards = Shards, Policy = _options.Policy }, () => _random.Next()));
            _shards[i].Handle(_roster);
        }
    }

    private void RunFor(long ns)
    {
        var left = EventsBetweenLooks;
        for (var ends = NowNs + ns; _queue.NextNs <= ends;)
        {
            if (--left == 0)
            {
                _ct.ThrowIfCancellationRequested();
                Share = double.Max(Share, (double)NowNs / TotalNs);
                left = EventsBetweenLooks;
            }

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
            case (SimEventKind.Message, ScaleShard shard): shard.Handle((IPoolProtocol)e.Payload!); break;
            case (SimEventKind.Message, MasterCore master): Handle(master, (IPoolProtocol)e.Payload!); break;
            case (SimEventKind.RackTick, ScaleRack rack): rack.Tick(e.Stamp); break;
            case (SimEventKind.RackSample, ScaleRack rack) when !_heatIsStill: rack.Sample(); break;
            case (SimEventKind.Client, ScaleRack rack) when _clientsRun: rack.Use(); break;
            case (SimEventKind.ShardTick, ScaleShard shard): shard.Tick(e.Stamp); break;
            case (SimEventKind.RackWork, Action work): work(); break;
        }
    }

    private void Handle(MasterCore master, IPoolProtocol message)
    {
        var began = Stopwatch.GetTimestamp();
        master.Handle(message, NowNs, _masterEffects);
        _masterServer.CountHandling(began);
    }

    private sealed class MasterEffects(ScaleWorld world) : IMasterEffects
    {
        public void SendToNode(string nodeAddress, IPoolProtocol message)
        {
            world._masterServer.CountSent();
            world.CountMasterBytes(message);
            world.SendToRack(new RackId(ushort.Parse(nodeAddress, CultureInfo.InvariantCulture)), message);
        }

        public void Broadcast(RosterChanged roster)
        {
            world._roster = roster;
            foreach (var rack in world._racks)
            {
                world._masterServer.CountSent();
                world.CountMasterBytes(roster);
                world.SendToRack(rack.Id, roster);
            }

            foreach (var shard in world._shards) world.Add(world._options.MessageNs, SimEventKind.Message, shard, roster);
        }

        public void Log(RackLogLevel level, string message)
        {
        }
    }
}
