using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Rcmp.DataPath;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Runtime.Embedded;

/// <summary>A whole pool in one process: the same racks, directory and master as in a cluster, with a queue for a network.</summary>
internal sealed partial class EmbeddedCluster : IDisposable
{
    private const int Shards = 4;

    private readonly EmbeddedPoolOptions _options;
    private readonly EmbeddedPlaces _places;
    private readonly ILogger _log;
    private readonly IFabric _fabric = new NativeFabric();
    private readonly string _directory;
    private readonly string _name = $"rcmp-embedded-{Environment.ProcessId}-{RandomNumberGenerator.GetHexString(8, true)}";
    private readonly EmbeddedDispatcher _dispatcher;
    private readonly List<RackHost> _racks = [];
    private readonly DirectoryShard[] _shards;
    private readonly MasterCore _master;
    private readonly ConcurrentDictionary<SessionToken, EmbeddedControlPlane> _sessions = [];
    private readonly Guid _poolId = Guid.NewGuid();
    private readonly PoolSettings _settings;
    private readonly DirectoryOptions _directoryOptions;
    private readonly ShardEffects[] _shardEffects;
    private readonly MasterEffects _masterEffects;
    private string? _fatal;

    public EmbeddedCluster(EmbeddedPoolOptions options, ILoggerFactory? loggers = null, EmbeddedPlaces? places = null)
    {
        options.Validate();
        _options = options;
        _places = places ?? new EmbeddedPlaces();
        _log = (loggers ?? options.LoggerFactory ?? NullLoggerFactory.Instance).CreateLogger("Rcmp.Embedded");
        _directory = options.Directory ?? PickDirectory();
        _dispatcher = new EmbeddedDispatcher(_log, Tick);
        _shardEffects = [.. Enumerable.Range(0, Shards).Select(i => new ShardEffects(this, new ShardId(i)))];
        _masterEffects = new MasterEffects(this);
        _settings = new PoolSettings(_poolId, options.PageSize, Shards, RegionLayout.FormatVersion);
        // Everybody is in this process: there is no rack to wait for before numbers are given out.
        _master = new MasterCore(new MasterOptions { Settings = _settings, GraceNs = 0 });
        _shards = new DirectoryShard[Shards];
        _directoryOptions = new DirectoryOptions { Geometry = new PageGeometry(options.PageSize), Shards = Shards, Policy = options.Policy };
        for (var i = 0; i < Shards; i++) _shards[i] = NewShard(new ShardId(i));
    }

    public IReadOnlyList<RackHost> Racks => _racks;

    /// <summary>For tests: sees every order before a shard sends it.</summary>
    internal Action<ShardId, IPoolProtocol>? ShardSending { get; set; }

    /// <summary>For tests: sees every message before a shard does; false loses it.</summary>
    internal Func<ShardId, IPoolProtocol, bool>? ShardHearing { get; set; }

    /// <summary>What ended the pool, if an invariant was broken.</summary>
    public string? FatalError => _fatal;

    public async Task StartAsync(CancellationToken ct)
    {
        _dispatcher.Start();
        for (var i = 0; i < _options.Racks; i++)
        {
            var path = IsDevice(i) ? _places.Device! : OwnFile(i);
            var layout = Region.Create(path, new RegionCreateOptions { SizeBytes = _options.RegionSize, PageSizeBytes = _options.PageSize, PoolId = _poolId, Force = IsDevice(i) });
            _racks.Add(StartRack(path, layout.RegionId, i));
            // One after the other, so that rack numbers follow the order; in the roster, so that the first allocation finds room in all of them.
            await WaitForAsync(() => _master.Roster.Entries.Any(entry => entry.RegionId == layout.RegionId), $"rack {i} to register", ct).ConfigureAwait(false);
        }
    }

    /// <summary>For tests: the rack's daemon ends, and another one takes its region. Clients of the old one are left behind.</summary>
    internal void RestartRack(int rack)
    {
        var old = _racks[rack];
        old.Dispose();
        _racks[rack] = StartRack(old.RegionPath, old.Layout.RegionId, rack);
    }

    private RackHost StartRack(string path, Guid regionId, int index)
    {
        var host = RackHost.Start(RackOptions(path, regionId, index), _fabric, _log);
        host.Attach(new Transport(this, $"embedded-{index}"));
        return host;
    }

    private string PickDirectory()
    {
        var needed = _options.RegionSize * _options.Racks;
        var directory = RegionFiles.PickDirectory(needed);
        if (directory != RegionFiles.SharedMemory) EmbeddedLog.RegionsAreFiles(_log, RegionFiles.SharedMemory, needed, directory);
        return directory;
    }

    private bool IsDevice(int rack) => rack == 0 && _places.Device is not null;

    private string OwnFile(int rack) => Path.Combine(_directory, $"{_name}-{rack}.region");

    /// <summary>A client in one of the racks, from 0. With <paramref name="ownsCluster"/> the cluster ends when it is disposed.</summary>
    public PoolClient Connect(int rack, bool ownsCluster = false)
    {
        var host = _racks[rack];
        var grant = host.OpenSession(new SessionRequest(_poolId, "embedded", Environment.ProcessId, RegionLayout.FormatVersion));
        var control = new EmbeddedControlPlane(host, grant.Token, () =>
        {
            _sessions.TryRemove(grant.Token, out _);
            // The client's last step: nothing of it touches the region any more.
            if (ownsCluster) Dispose();
        });
        _sessions[grant.Token] = control;
        var options = new PoolClientOptions { Timeout = _options.Timeout, RdmaOnly = _options.Policy == SwapPolicy.RdmaOnly };
        var client = PoolClient.Open(grant, control, _fabric, options);
        host.SessionReady(grant.Token);
        return client;
    }

    public void Dispose()
    {
        _dispatcher.Dispose();
        for (var i = 0; i < _racks.Count; i++)
        {
            _racks[i].Dispose();
            RegionFiles.Remove(OwnFile(i));
        }
    }

    private RackHostOptions RackOptions(string path, Guid regionId, int index) => new()
    {
        RegionPath = path,
        PoolId = _poolId,
        PageSize = _options.PageSize,
        FabricAddress = _places.Fabric ?? $"local://{_name}-{index}",
        PublishSelfLink = _options.Policy == SwapPolicy.RdmaOnly,
        RuntimeDirectory = OwnFile(index) + ".sessions",
        Core = new RackCoreOptions { Settings = _settings, RegionId = regionId, Policy = _options.Policy },
    };

    /// <summary>For tests: the shard dies with all it knew, and a new incarnation takes its place.</summary>
    internal void ReplaceShard(ShardId shard) => _dispatcher.Post(() =>
    {
        _shards[shard.Value] = NewShard(shard);
        _shards[shard.Value].Handle(_master.Roster, NowNs, _shardEffects[shard.Value]);
    });

    private DirectoryShard NewShard(ShardId shard) => new(shard, (uint)RandomWord(), _directoryOptions, RandomWord);

    private static ulong RandomWord() => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));

    private static long NowNs => (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));

    private void Tick()
    {
        var now = NowNs;
        for (var i = 0; i < Shards; i++)
            if (_shards[i].NextDeadlineNs <= now) _shards[i].Tick(now, _shardEffects[i]);
    }

    private RackHost? FindRack(RackId rack) => _racks.Find(host => host.Rack == rack);

    private static async Task WaitForAsync(Func<bool> condition, string what, CancellationToken ct)
    {
        var start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(10)) throw new PoolNotConnectedException($"Waited 10 s for {what}.");
            await Task.Delay(1, ct).ConfigureAwait(false);
        }
    }

    private void Stop(string message)
    {
        _fatal ??= message;
        EmbeddedLog.Fatal(_log, message);
    }
}
