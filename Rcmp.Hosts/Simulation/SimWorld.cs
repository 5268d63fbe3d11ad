using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation;

/// <summary>What a simulation does.</summary>
internal sealed record SimOptions(ulong Seed, int Steps = 1500, int Racks = 3, int Pages = 6, ProtocolMutation Mutation = ProtocolMutation.None, bool Trace = false,
    bool Calm = false, SwapPolicy? Policy = null);

/// <summary>The rule that was broken.</summary>
internal sealed class SimViolation(string message) : Exception(message);

/// <summary>Racks, two incarnations of a directory shard, a master, clients and a network that delays, repeats, reorders and loses, all
/// driven by one seed. Every increment checks that the word it finds is the word the last one left.</summary>
internal sealed partial class SimWorld
{
    public const long ClientPatienceNs = 3_000_000;
    private const long StepNs = 2_000;

    private readonly SimOptions _options;
    private readonly List<(long DueNs, Action Run)> _network = [];
    private readonly List<SimShard> _shards = [];
    private readonly List<SimOperation> _operations = [];
    private readonly Dictionary<PageId, ulong> _truth = [];
    private readonly Dictionary<PageId, int> _residents = [];
    private readonly HashSet<PageId> _freeing = [];
    private readonly Dictionary<RequestId, Action<ISessionReply>> _requests = [];
    private readonly List<string> _trace = [];
    private readonly PageGeometry _geometry = new(4096);
    private MasterCore _master;
    private ulong _state;
    private ulong _names;
    private readonly bool _churn;
    private readonly int _workPace;
    private readonly int _clientPace;
    private readonly int _operationPace;
    private bool _calm;
    private (RackId Left, RackId Right, long EndsNs) _cut;

    public SimWorld(SimOptions options)
    {
        _options = options;
        _calm = options.Calm;

        // Races need somebody to be slow: which one depends on the seed.
        _churn = options.Seed % 2 == 1;
        _workPace = options.Seed % 3 == 1 ? 12 : 1;
        _clientPace = options.Seed % 7 < 3 ? 8 : 1;
        _operationPace = options.Seed % 5 < 2 ? 40 : 2;
        _state = (options.Seed * 0x9E3779B97F4A7C15UL) + 1;
        var settings = new PoolSettings(Guid.Empty, 4096, 1, 1);
        var entries = new List<RosterEntry>();
        for (ushort i = 1; i <= options.Racks; i++)
            entries.Add(new RosterEntry(new RackId(i), new Guid(i, 0, 0, new byte[8]), new Generation(0), i.ToString(), false));
        _master = new MasterCore(new MasterOptions { GraceNs = 0 });
        foreach (var entry in entries)
        {
            var state = new SuperblockState(entry.Rack, new Generation(0), 1, entries, new Dictionary<ShardId, Term>());
            var store = new SimStore(6, 12, state, Violated) { ResidentChanged = OnResident };
            Racks[entry.Rack] = new SimRack(this, entry.Rack, store, new RackCoreOptions
            {
                Settings = settings, RegionId = entry.RegionId, ReserveFrames = 2, RevokeTimeoutNs = 600_000, QuiesceBudgetNs = 100_000,
                BackoffMinNs = 20_000, BackoffMaxNs = 200_000, RequestTimeoutNs = 4_000_000, ResendMinNs = 40_000, ResendMaxNs = 400_000,
                RegisterIntervalNs = 500_000, SequenceBlock = 4, Mutation = options.Mutation,
            });
        }

        foreach (var rack in Racks.Values)
        {
            rack.StartDaemon();
            for (var i = 0; i < 2; i++) AddClient(rack);
        }

        StartShard();
    }

    public long NowNs { get; private set; } = 1;

    public SortedDictionary<RackId, SimRack> Racks { get; } = [];

    public int Moves { get; private set; }

    public long Increments { get; private set; }

    public IReadOnlyList<string> TraceLines => _trace;

    private sealed class SimShard(DirectoryShard core) : IShardEffects
    {
        public required SimWorld World { get; init; }

        public DirectoryShard Core { get; } = core;

        public long DiesNs { get; set; } = long.MaxValue;

        public void SendToRack(RackId rack, IPoolProtocol message)
        {
            if (message is PageOrder { Order: OrderKind.Commit }) World.Moves++;
            World.SendToRack(RackId.None, rack, message);
        }

        public void Log(RackLogLevel level, string message) => World.Trace($"shard {Core.Term}: {message}");

        public void Fatal(string message) => World.Violated($"shard stopped: {message}");
    }

    private sealed class MasterEffects(SimWorld world) : IMasterEffects
    {
        public void SendToNode(string nodeAddress, IPoolProtocol message) =>
            world.SendToRack(RackId.None, new RackId(ushort.Parse(nodeAddress)), message);

        public void Broadcast(RosterChanged roster)
        {
            foreach (var rack in world.Racks.Keys) world.SendToRack(RackId.None, rack, roster);
            foreach (var shard in world._shards) world.Later(() => shard.Core.Handle(roster, world.NowNs, shard));
        }

        public void Log(RackLogLevel level, string message) => world.Trace($"master: {message}");
    }

    public ulong Random()
    {
        _state += 0x9E3779B97F4A7C15UL;
        var z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    public int Pick(int count) => (int)(Random() % (ulong)count);

    public RequestId NewRequest() => new(Random() | 1);

    private bool OneIn(int n) => Pick(n) == 0;

    public void Violated(string what) => throw new SimViolation($"seed {_options.Seed}, {NowNs} ns: {what}");

    public void Trace(string line)
    {
        if (_options.Trace) _trace.Add($"{NowNs,10} {line}");
    }

    private void OnResident(PageId page, int change)
    {
        var count = _residents[page] = _residents.GetValueOrDefault(page) + change;
        if (count > 1) Violated($"page {page} has two owners");
    }

    public void Later(Action run) => _network.Add((NowNs + (StepNs * Pick(10)), run));

    private void Send(RackId from, RackId to, object message, Action deliver)
    {
        if (!_calm)
        {
            if (OneIn(30)) return;
            var cut = NowNs < _cut.EndsNs && ((from == _cut.Left && to == _cut.Right) || (from == _cut.Right && to == _cut.Left));
            if (cut) return;
        }

        var copies = !_calm && OneIn(12) ? 2 : 1;
        for (var i = 0; i < copies; i++)
        {
            var delay = StepNs * (OneIn(8) && !_calm ? Pick(600) : Pick(15));
            _network.Add((NowNs + delay, () =>
            {
                Trace($"{from}->{to} {message}");
                deliver();
            }
            ));
        }
    }

    public void SendToRack(RackId from, RackId to, IPoolProtocol message) => Send(from, to, message, () => Racks[to].Deliver(message));

    public void SendToShard(RackId from, ShardId shard, IPoolProtocol message) => Send(from, RackId.None, message, () =>
    {
        var target = _shards[_shards.Count > 1 && OneIn(2) ? 0 : _shards.Count - 1];
        target.Core.Handle(message, NowNs, target);
    });

    public void SendToMaster(RackId from, IPoolProtocol message) =>
        Send(from, RackId.None, message, () => _master.Handle(message, NowNs, new MasterEffects(this)));

    public void ToSession(SessionToken session, ISessionReply reply)
    {
        if (_requests.Remove(reply.Request, out var handler)) handler(reply);
        foreach (var rack in Racks.Values)
        {
            foreach (var client in rack.Clients)
            {
                if (client.Session == session) client.OnReply(reply);
            }
        }
    }

    public SimConnection? Connect(SimRack rack, LinkRecord link)
    {
        var owner = Racks[link.Id.Owner.Rack];
        if (!owner.Accepts(link)) return null;
        var connection = new SimConnection(++_names, link.Number, link.Id);
        owner.Accepted[connection.Name] = connection;
        return connection;
    }

    public bool IsAlive(ulong connection) => Racks.Values.Any(r => r.Accepted.ContainsKey(connection));

    public void Abandon(SimRack rack, SimClient client, SimSlot slot)
    {
        if (client.Dead) return;
        rack.Abandoned.Add(slot);
    }

    public void Post(SimOperation operation) => _operations.Add(operation);

    /// <summary>It may be carried out or not: nothing to do, since the truth counts what was executed.</summary>
    public void OutcomeUnknown(SimOperation operation) => Trace($"unknown outcome on {operation.Page}");

    /// <summary>One increment, in place. The frame must be the page's, and the word the one that the last increment left.</summary>
    public void Increment(SimRack rack, PageId page, FrameIndex frame, string by)
    {
        var row = rack.Store.ReadRow(frame);
        if (row.State != RowState.Resident || row.Page != page) Violated($"a stray byte by {by}: {page} in frame {frame} of rack {rack.Id}, which is {row}");
        ref var word = ref rack.Store.Memory[frame.Value];
        var truth = _truth.GetValueOrDefault(page);
        if (word != truth) Violated($"a lost write: {page} in rack {rack.Id} has {word}, the last was {truth}");
        word = truth + 1;
        _truth[page] = truth + 1;
        Increments++;
    }

    private void RunOperation()
    {
        if (_operations.Count == 0) return;
        var operation = _operations[Pick(_operations.Count)];
        _operations.Remove(operation);
        if (!IsAlive(operation.Connection)) return;
        Increment(Racks[operation.Owner], operation.Page, operation.Frame, "a one-sided operation");
        operation.Executed = true;
    }

    private SimClient AddClient(SimRack rack)
    {
        var client = new SimClient(this, rack, new SessionToken(Random() | 1));
        rack.Clients.Add(client);
        return client;
    }

    private SimShard StartShard()
    {
        var shard = new SimShard(new DirectoryShard(new ShardId(0), (uint)Random(), new DirectoryOptions
        {
            Geometry = _geometry, Shards = 1, Policy = _options.Policy ?? (SwapPolicy)(_options.Seed / 2 % 2), MinResidenceNs = 30_000, MoveCostInitialNs = 100, StepTimeoutNs = 900_000,
            ResendMinNs = 40_000, ResendMaxNs = 400_000, BackoffMinNs = 20_000, BackoffMaxNs = 200_000, LookupTimeoutNs = 800_000, Watermark = 1,
            Mutation = _options.Mutation,
        }, Random))
        { World = this };
        _shards.Add(shard);
        var roster = Racks.Values.Select(r => r.Core?.Roster).FirstOrDefault(r => r is { Version: > 0 })
            ?? new RosterChanged(1, ValueList<RosterEntry>.Of(Racks.First().Value.Store.State.Roster));
        shard.Core.Handle(roster, NowNs, shard);
        return shard;
    }
}
