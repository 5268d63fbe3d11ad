using System.Diagnostics;
using Rcmp.Hosts.Workloads;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>A rack with its clients: the product's state machine over tables in memory.</summary>
internal sealed partial class ScaleRack
{
    private const int Neighbours = 15;
    private const int UniformOneIn = 20;
    private const double Theta = 0.99;
    private const long BurstNs = 1_000_000;
    public const long SampleNs = 20_000_000;
    private const long RegisterWithinNs = 2_000_000_000;

    private readonly ScaleWorld _world;
    private readonly ScaleOptions _options;
    private readonly KeyDistribution _keys;
    private readonly Dictionary<RequestId, (int Client, PageId Page)> _misses = [];
    private readonly HashSet<(int Client, PageId Page)> _missing = [];
    private readonly uint _remoteTime;
    private PageId[] _hot = [];
    private RackCore? _core;
    private SimRandom _random;
    private long _tickNs = long.MaxValue;
    private long _tickStamp;
    private long _samples;
    private long _samplingNs;
    private ulong _requests;

    public ScaleRack(ScaleWorld world, ScaleOptions options, RackId id, ScaleStore store, RackCoreOptions core)
    {
        (_world, _options, Id, Store) = (world, options, id, store);
        _random = new SimRandom(SimRandom.Mix(options.Seed, 0x5CA1E, id.Value));
        _keys = KeyDistribution.Create(KeyDistribution.Zipf, options.HotPages, Theta, options.Seed + id.Value, 0, 1);
        _core = new RackCore(store, core, () => _random.Next());
        // In the counter's unit, see AccessCounter.
        _remoteTime = (uint)(options.RemoteNs / 64);
    }

    public RackId Id { get; }

    public ScaleStore Store { get; }

    public ScaleServer Server { get; } = new();

    /// <summary>Of the pages that it allocated; none until it has.</summary>
    public PageId First { get; private set; }

    public long Hits { get; private set; }

    public long Remote { get; private set; }

    /// <summary>Of one turn.</summary>
    public double SampleMeanNs => _samples == 0 ? 0 : (double)_samplingNs / _samples;

    public void Start()
    {
        _core!.Start(_world.NowNs, this);
        _core.Handle(new FabricExposed(new Guid(Id.Value, 0, 0, new byte[8]), $"local://{Id}"), _world.NowNs, this);
        // Each at a time of its own within the interval of registrations, as racks are in a pool that has run for long.
        _world.Later(_random.Between(0, RegisterWithinNs), () => Happen(new NodeJoined(Id.ToString())));
        _world.Add(_random.Between(0, SampleNs), SimEventKind.RackSample, this);
    }

    public void Allocate(long pages) => Deliver(new AllocatePages(SessionOf(0), NewRequest(), pages, false));

    public void StartClients()
    {
        _hot = new PageId[_options.HotPages];
        for (var rank = 0; rank < _hot.Length; rank++) _hot[rank] = _world.PageAt((long)(SimRandom.Mix(_options.Seed, Id.Value, (ulong)rank) % (ulong)_options.Pages));
        _world.Add(_random.Between(0, BurstNs), SimEventKind.Client, this);
    }

    public void Forget()
    {
        (Hits, Remote, _samples, _samplingNs) = (0, 0, 0, 0);
        Server.Forget();
    }

    /// <summary>The state machine and what it holds can be collected; events that are still to come find nobody.</summary>
    public void Drop() => _core = null;

    public void Deliver(IPoolProtocol message)
    {
        if (_core is not { } core) return;
        var began = Stopwatch.GetTimestamp();
        core.Handle(message, _world.NowNs, this);
        Server.CountHandling(began);
        ScheduleTick();
    }

    public void Happen(IRackEvent e)
    {
        _core?.Handle(e, _world.NowNs, this);
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
        var began = Stopwatch.GetTimestamp();
        Happen(new SampleHeat());
        _samplingNs += (long)Stopwatch.GetElapsedTime(began).TotalNanoseconds;
        _samples++;
        _world.Add(SampleNs, SimEventKind.RackSample, this);
    }

    /// <summary>As many accesses of each client as fall on the next millisecond.</summary>
    public void Use()
    {
        for (var client = 0; client < _options.Clients; client++)
        {
            for (var left = AccessesNow(); left > 0; left--) Access(client, _random.OneIn(UniformOneIn) ? _world.PageAt((long)(_random.Next() % (ulong)_options.Pages)) : _hot[_keys.Next()]);
        }

        _world.Add(BurstNs, SimEventKind.Client, this);
    }

    /// <summary>A rate that is no whole number a millisecond: one more now and then.</summary>
    private int AccessesNow()
    {
        var (whole, part) = Math.DivRem(_options.AccessesPerSecond, 1000);
        return whole + ((long)(_random.Next() % 1000) < part ? 1 : 0);
    }

    private void Access(int client, PageId page)
    {
        switch (Store.Access(page, _remoteTime))
        {
            case LocationKind.Resident:
                Hits++;
                break;
            case LocationKind.Remote:
                Remote++;
                break;
            case LocationKind.Absent when _missing.Add((client, page)):
                var request = NewRequest();
                _misses[request] = (client, page);
                Deliver(new ResolveMiss(SessionOf(client), request, page, Neighbours));
                break;
        }
    }

    private SessionToken SessionOf(int client) => new(((ulong)Id.Value << 32) + (ulong)client + 1);

    private RequestId NewRequest() => new(((ulong)Id.Value << 40) + ++_requests);

    private void ScheduleTick()
    {
        if (_core is not { } core) return;
        var next = core.NextDeadlineNs;
        if (next >= _tickNs) return;
        _tickNs = next;
        _world.Add(long.Max(0, next - _world.NowNs), SimEventKind.RackTick, this, null, ++_tickStamp);
    }
}
