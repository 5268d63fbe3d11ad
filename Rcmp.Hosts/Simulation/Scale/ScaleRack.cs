using Rcmp.Hosts.Workloads;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>A rack with its clients: the product's state machine over tables in memory.</summary>
internal sealed class ScaleRack : IRackEffects
{
    private const int Neighbours = 15;
    private const int UniformOneIn = 20;
    private const double Theta = 0.99;
    private const long BurstNs = 1_000_000;
    private const long QuiesceNs = 5_000;

    private readonly ScaleWorld _world;
    private readonly ScaleOptions _options;
    private readonly RackCore _core;
    private readonly SessionToken _session;
    private readonly KeyDistribution _keys;
    private readonly Dictionary<RequestId, PageId> _misses = [];
    private readonly HashSet<PageId> _missing = [];
    private SimRandom _random;
    private long _tickNs = long.MaxValue;
    private long _tickStamp;
    private ulong _requests;

    public ScaleRack(ScaleWorld world, ScaleOptions options, RackId id, SimStore store, RackCoreOptions core)
    {
        (_world, _options, Id, Store) = (world, options, id, store);
        _random = new SimRandom(SimRandom.Mix(options.Seed, 0x5CA1E, id.Value));
        _session = new SessionToken(id.Value);
        _keys = KeyDistribution.Create(KeyDistribution.Zipf, options.HotPages, Theta, options.Seed + id.Value, 0, 1);
        _core = new RackCore(store, core, () => _random.Next());
    }

    public RackId Id { get; }

    public SimStore Store { get; }

    /// <summary>Of the pages that it allocated; none until it has.</summary>
    public PageId First { get; private set; }

    public long Hits { get; private set; }

    public long Remote { get; private set; }

    public void Start()
    {
        Store.Reattach(_ => false);
        _core.Start(_world.NowNs, this);
        _core.Handle(new FabricExposed(new Guid(Id.Value, 0, 0, new byte[8]), $"local://{Id}"), _world.NowNs, this);
        Happen(new NodeJoined(Id.ToString()));
        _world.Add(_random.Between(0, 20_000_000), SimEventKind.RackSample, this);
    }

    public void Allocate(long pages) => Deliver(new AllocatePages(_session, NewRequest(), pages, false));

    public void StartClients() => _world.Add(_random.Between(0, BurstNs), SimEventKind.Client, this);

    public void Forget() => (Hits, Remote) = (0, 0);

    public void Deliver(IPoolProtocol message)
    {
        _core.Handle(message, _world.NowNs, this);
        ScheduleTick();
    }

    public void Happen(IRackEvent e)
    {
        _core.Handle(e, _world.NowNs, this);
        ScheduleTick();
    }

    public void Tick(long stamp)
    {
        if (stamp != _tickStamp) return;
        _tickNs = long.MaxValue;
        Happen(new Tick());
    }

    public void Sample()
    {
        Happen(new SampleHeat());
        _world.Add(20_000_000, SimEventKind.RackSample, this);
    }

    /// <summary>As many accesses as fall on the next millisecond.</summary>
    public void Use()
    {
        for (var left = (int)(_options.AccessesPerSecond * BurstNs / 1_000_000_000); left > 0; left--)
        {
            var page = _random.OneIn(UniformOneIn) ? _world.PageAt((long)(_random.Next() % (ulong)_options.Pages)) : HotPage(_keys.Next());
            switch (Store.Lookup(page).Kind)
            {
                case LocationKind.Resident:
                    Hits++;
                    Store.Touch(page, 0);
                    break;
                case LocationKind.Remote:
                    Remote++;
                    // In the counter's unit, see AccessCounter.
                    Store.Touch(page, (uint)(_options.RemoteNs / 64));
                    break;
                case LocationKind.Absent when _missing.Add(page):
                    var request = NewRequest();
                    _misses[request] = page;
                    Deliver(new ResolveMiss(_session, request, page, Neighbours));
                    break;
            }
        }

        _world.Add(BurstNs, SimEventKind.Client, this);
    }

    private PageId HotPage(long rank) => _world.PageAt((long)(SimRandom.Mix(_options.Seed, Id.Value, (ulong)rank) % (ulong)_options.Pages));

    private RequestId NewRequest() => new(((ulong)Id.Value << 40) + ++_requests);

    private void ScheduleTick()
    {
        var next = _core.NextDeadlineNs;
        if (next >= _tickNs) return;
        _tickNs = next;
        _world.Add(long.Max(0, next - _world.NowNs), SimEventKind.RackTick, this, null, ++_tickStamp);
    }

    void IRackEffects.SendToShard(ShardId shard, IPoolProtocol message) => _world.SendToShard(shard, message);

    void IRackEffects.SendToRack(RackId rack, IPoolProtocol message) => _world.SendToRack(rack, message);

    void IRackEffects.SendToMaster(IPoolProtocol message) => _world.SendToMaster(message);

    void IRackEffects.SendToSession(SessionToken session, IPoolProtocol message)
    {
        if (message is PagesAllocated allocated)
        {
            First = allocated.First;
            _world.Later(_options.HopNs, () => Deliver(new AcknowledgeAllocation(_session, NewRequest(), First, _options.Pages / _options.Racks)));
        }
        else if (message is ISessionReply reply && _misses.Remove(reply.Request, out var page))
        {
            _missing.Remove(page);
        }
    }

    void IRackEffects.Quiesce(ulong ticket, PageId page, long budgetNs, bool remoteOnly) => Quiet(ticket);

    void IRackEffects.QuiesceLink(ulong ticket, LinkRecord link, long budgetNs) => Quiet(ticket);

    private void Quiet(ulong ticket) => _world.Later(QuiesceNs, () => Happen(new QuiesceEnded(ticket, true, [], null)));

    void IRackEffects.Pull(ulong ticket, PageId page, LinkRecord from, FrameIndex source, FrameIndex target) => _world.Later(_options.PullNs, () =>
    {
        _world.CountMove();
        Happen(new PullEnded(ticket, true, _world.RackOf(from.Id.Owner.Rack).Store.ReadRow(source), _options.PullNs, null));
    });

    void IRackEffects.AcceptRegistration(LinkId link)
    {
    }

    void IRackEffects.Fence(ulong ticket, RackId rack) => _world.Later(QuiesceNs, () => Happen(new FenceEnded(ticket)));

    void IRackEffects.DestroyConnections(ulong ticket, IReadOnlyList<ulong> connections) => _world.Later(QuiesceNs, () => Happen(new FenceEnded(ticket)));

    void IRackEffects.ReleaseConnections(IReadOnlyList<ulong> connections)
    {
    }

    void IRackEffects.ReleaseConnectionsOf(LinkRecord link)
    {
    }

    void IRackEffects.Registered(RackId rack)
    {
    }

    void IRackEffects.RosterKnown(RosterChanged roster)
    {
    }

    void IRackEffects.SessionFreed(SessionToken session)
    {
    }

    void IRackEffects.Log(RackLogLevel level, string message)
    {
    }

    void IRackEffects.Fatal(string message) => throw new SimViolation($"rack {Id} stopped: {message}");
}
