using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Hosts.Simulation;

/// <summary>Racks, incarnations of a directory shard, a master, clients and a network that delays, repeats, reorders and loses: one queue of events, one clock, one seed. The state
/// machines are the product's own.</summary>
internal sealed partial class SimWorld
{
    private const long RegisterIntervalNs = 500_000;
    private const long RosterIntervalNs = 1_250_000;

    public const long ClientPatienceNs = 600_000;
    public const int DirectoryNode = 0;

    private readonly SimOptions _options;
    private readonly List<SimShard> _shards = [];
    private readonly Dictionary<RequestId, Action<ISessionReply>> _requests = [];
    private readonly PageGeometry _geometry = new(4096);
    private readonly bool _churn;
    private SimRandom _random;
    private MasterCore? _master;
    private uint _clients;

    public SimWorld(SimOptions options, SimSchedule? schedule = null)
    {
        _options = options;
        Schedule = schedule ?? new SimSchedule();
        IsCalm = options.Calm;
        _random = new SimRandom(SimRandom.Mix(options.Seed, 1, 1));
        _channels = new uint[(options.Racks + 1) * (options.Racks + 1)];
        _cuts = new long[_channels.Length];

        // Races need somebody to be slow: which one depends on the seed.
        _churn = options.Seed % 2 == 1;
        WorkPace = options.Seed % 3 == 1 ? 24_000 : 3_000;
        ClientPace = options.Seed % 7 < 3 ? 20_000 : 3_000;
        OperationPace = options.Seed % 5 < 2 ? 90_000 : 5_000;
        var settings = new PoolSettings(Guid.Empty, 4096, 1, 1);
        var entries = new List<RosterEntry>();
        for (ushort i = 1; i <= options.Racks; i++)
            entries.Add(new RosterEntry(new RackId(i), new Guid(i, 0, 0, new byte[8]), new Generation(0), i.ToString(System.Globalization.CultureInfo.InvariantCulture), false));
        _master = new MasterCore(new MasterOptions { GraceNs = 0, SilenceNs = 3 * RegisterIntervalNs });
        var frames = int.Max(6, (2 * options.Pages / options.Racks) + 2);
        foreach (var entry in entries)
        {
            var state = new SuperblockState(entry.Rack, new Generation(0), 1, entries, new Dictionary<ShardId, Term>());
            Racks[entry.Rack] = new SimRack(this, entry.Rack, new SimStore(frames, 2 * frames, state, Violated), new RackCoreOptions
            {
                // Under policy swap a rack asks the directory first, else the rack of birth: both ways, whatever the directory's policy is.
                Settings = settings, RegionId = entry.RegionId, Policy = options.Seed / 8 % 2 == 0 ? Policy : SwapPolicy.Swap, ReserveFrames = 2, RevokeTimeoutNs = 600_000, QuiesceBudgetNs = 100_000,
                BackoffMinNs = 20_000, BackoffMaxNs = 200_000, RequestTimeoutNs = 4_000_000, ResendMinNs = 40_000, ResendMaxNs = 400_000,
                RegisterIntervalNs = RegisterIntervalNs, GreetDelayNs = 300_000, SequenceBlock = 4, Mutation = options.Mutation,
            });
        }

        foreach (var rack in Racks.Values) rack.StartDaemon();
        for (var i = 0; i < options.Clients; i++) AddClient(Racks[new RackId((ushort)(1 + (i % options.Racks)))]);
        StartShard(DirectoryNode);
        Queue.Add(NowNs + RosterIntervalNs, SimEventKind.RosterDue, null);
        if (IsCalm) Settle();
    }

    public ulong Seed => _options.Seed;

    private SwapPolicy Policy => _options.Policy ?? (SwapPolicy)(_options.Seed / 2 % 2);

    public long NowNs { get; private set; } = 1;

    public long Steps { get; private set; }

    public SimQueue Queue { get; } = new();

    public SimSchedule Schedule { get; }

    public SimHistory History { get; } = new();

    public SimFaults Faults { get; } = new();

    public SortedDictionary<RackId, SimRack> Racks { get; } = [];

    public long Moves { get; private set; }

    public long Operations { get; private set; }

    /// <summary>No faults any more, and no load.</summary>
    public bool IsCalm { get; private set; }

    public long WorkPace { get; }

    public long ClientPace { get; }

    public long OperationPace { get; }

    public List<string> TraceLines { get; } = [];

    private sealed class SimShard(DirectoryShard core, int node) : IShardEffects
    {
        public required SimWorld World { get; init; }

        public DirectoryShard Core { get; } = core;

        public int Node { get; } = node;

        public long TickNs { get; set; } = long.MaxValue;

        public long TickStamp { get; set; }

        public void Handle(IPoolProtocol message)
        {
            Core.Handle(message, World.NowNs, this);
            ScheduleTick();
        }

        public void ScheduleTick()
        {
            var next = Core.NextDeadlineNs;
            if (next >= TickNs) return;
            TickNs = next;
            World.Queue.Add(long.Max(next, World.NowNs + 1), SimEventKind.ShardTick, this, null, ++TickStamp);
        }

        public void SendToRack(RackId rack, IPoolProtocol message)
        {
            if (message is PageOrder { Order: OrderKind.Commit } commit)
            {
                World.Moves++;
                if (commit.Reason == MoveReason.Eviction) World.Faults.Add("evictions");
            }

            World.SendToRack(Node, rack, message);
        }

        public void Log(RackLogLevel level, string message) => World.Trace($"shard {Core.Term}: {message}");

        public void Fatal(string message) => World.Violated($"shard stopped: {message}");
    }

    private sealed class MasterEffects(SimWorld world) : IMasterEffects
    {
        public void SendToNode(string nodeAddress, IPoolProtocol message)
        {
            if (ushort.TryParse(nodeAddress, out var rack)) world.SendToRack(DirectoryNode, new RackId(rack), message);
            else world.OnAdminAnswered((AdminAnswered)message);
        }

        public void Broadcast(RosterChanged roster)
        {
            foreach (var rack in world.Racks.Keys) world.SendToRack(DirectoryNode, rack, roster);
            foreach (var shard in world._shards) world.Later(SimEventKind.Message, shard, roster);
        }

        public void Log(RackLogLevel level, string message) => world.Trace($"master: {message}");
    }

    public bool Leaves(ProtocolMutation mutation) => _options.Mutation == mutation;

    public long Pace(ref SimRandom random, long pace) => IsCalm ? 1_000 + (random.Pick(4) * 500) : random.Between(500, pace);

    /// <summary>Now and then something takes much longer than it ever did.</summary>
    public long PaceWithStragglers(ref SimRandom random, long pace) => !IsCalm && random.OneIn(12) ? random.Between(pace, 800_000) : Pace(ref random, pace);

    public RequestId NewRequest(ref SimRandom random) => new(random.Next() | 1);

    public void Violated(string what) => throw new SimViolation(what);

    public void Trace(string line)
    {
        if (_options.Trace) TraceLines.Add($"{NowNs / 1000.0,10:0.000} us  {line}");
    }

    /// <summary>Carries out the next event. False if there is none.</summary>
    private bool Step()
    {
        while (Queue.Count > 0)
        {
            var next = Queue.Take();
            if (next.DueNs > NowNs) NowNs = next.DueNs;
            if (IsDeferred(next) || !Run(next)) continue;
            Steps++;
            return true;
        }

        return false;
    }

    // A process that is stopped finds everything waiting when it goes on.
    private bool IsDeferred(in SimEvent e)
    {
        if (e.Kind is SimEventKind.Client or SimEventKind.Operation or SimEventKind.RackAttach or SimEventKind.RackStart) return false;
        if ((e.Target as SimRack)?.PausedUntilNs is not { } until || until <= NowNs) return false;
        Queue.Add(until, e.Kind, e.Target, e.Payload, e.Stamp);
        return true;
    }

    private bool Run(in SimEvent e)
    {
        switch (e.Kind)
        {
            case SimEventKind.Disturbance: return Disturb();
            case SimEventKind.Message: return Deliver(e);
            case SimEventKind.RackTick: return ((SimRack)e.Target!).Tick(e.Stamp);
            case SimEventKind.RackWork: return ((SimRack)e.Target!).RunWork((SimWork)e.Payload!, e.Stamp);
            case SimEventKind.RackSample: return ((SimRack)e.Target!).Sample(e.Stamp);
            case SimEventKind.RackStart: return StartAgain((SimRack)e.Target!);
            case SimEventKind.RackAttach: return ((SimRack)e.Target!).Attach(e.Stamp);
            case SimEventKind.ShardTick: return TickShard((SimShard)e.Target!, e.Stamp);
            case SimEventKind.ShardDies: return _shards.Count > 1 && _shards.Remove((SimShard)e.Target!);
            case SimEventKind.MasterStarts: return StartMaster();
            case SimEventKind.RosterDue: return TellRoster();
            case SimEventKind.Operator: return RepeatOrder();
            case SimEventKind.Client: return ((SimClient)e.Target!).Run(e.Stamp);
            case SimEventKind.Operation: return RunOperation((SimOperation)e.Payload!);
            case SimEventKind.SessionRequest: return Ask((SimRack)e.Target!, (ISessionRequest)e.Payload!, e.Stamp);
            case SimEventKind.SessionReply: return Answer((SessionReplyTo)e.Payload!);
            default: return false;
        }
    }

    private bool TickShard(SimShard shard, long stamp)
    {
        if (stamp != shard.TickStamp || !_shards.Contains(shard)) return false;
        shard.TickNs = long.MaxValue;
        shard.Core.Tick(NowNs, shard);
        shard.ScheduleTick();
        return true;
    }

    private bool StartAgain(SimRack rack)
    {
        if (rack.IsUp) return false;
        Trace($"rack {rack.Id}: its daemon starts");
        rack.StartDaemon();
        return true;
    }

    private bool StartMaster()
    {
        if (_master is not null) return false;
        _master = new MasterCore(new MasterOptions { GraceNs = 0, SilenceNs = 3 * RegisterIntervalNs });
        return true;
    }

    // A broadcast may be lost, and a shard may have started where nobody had heard of a removal: so the master's actor tells every node the roster again and again, and the node tells its shards what is new.
    // Racks hear it when they register.
    private bool TellRoster()
    {
        Queue.Add(NowNs + RosterIntervalNs, SimEventKind.RosterDue, null);
        if (_master is not { Roster: { Entries.Count: > 0 } roster }) return false;
        var told = false;
        foreach (var shard in _shards)
        {
            if (IsCut(DirectoryNode, shard.Node)) continue;
            shard.Handle(roster);
            told = true;
        }

        return told;
    }

    private SimClient AddClient(SimRack rack, bool led = false)
    {
        var client = new SimClient(this, rack, ++_clients) { Led = led };
        rack.Clients.Add(client);
        if (!led) client.Start();
        return client;
    }

    private SimShard StartShard(int node)
    {
        var shard = new SimShard(new DirectoryShard(new ShardId(0), (uint)_random.Next(), new DirectoryOptions
        {
            Geometry = _geometry, Shards = 1, Policy = Policy, MovePaceNs = _options.Seed % 4 < 2 ? 0 : 20_000, MinResidenceNs = 30_000, MoveCostInitialNs = 100, StepTimeoutNs = 900_000,
            ResendMinNs = 40_000, ResendMaxNs = 400_000, BackoffMinNs = 20_000, BackoffMaxNs = 200_000, LookupTimeoutNs = 800_000, Watermark = 1,
            Mutation = _options.Mutation,
        }, _random.Next), node)
        { World = this };
        _shards.Add(shard);
        var roster = Racks.Values.Select(r => r.Core?.Roster).FirstOrDefault(r => r is { Version: > 0 })
            ?? new RosterChanged(1, ValueList<RosterEntry>.Of(Racks.First().Value.Store.State.Roster));
        shard.Handle(roster);
        return shard;
    }
}
