using Rcmp.Protocol;
using Rcmp.Regions;
using Rcmp.Runtime;

namespace Rcmp.Cluster.Configuration;

/// <summary>The rack's memory, as <c>rcmp.region</c> has it.</summary>
internal sealed record RegionOptions(
    string Path, long SizeBytes, bool HugePages, int? NumaNode, bool Populate, bool LockMemory, string Coherence, int Sessions, int GuardSlots)
{
    /// <summary>Where the session files are: beside the region, but for a device, which has no folder of its own.</summary>
    public string SessionDirectory =>
        Path.StartsWith("/dev/dax", StringComparison.Ordinal) ? $"/dev/shm/rcmp-{System.IO.Path.GetFileName(Path)}.sessions" : Path + ".sessions";
}

/// <summary>How the rack serves its pages, as <c>rcmp.fabric</c> has it.</summary>
internal sealed record FabricOptions(
    string Address, int ServiceThreads, TimeSpan Spin, int MaxConnections, TimeSpan Deadline, TimeSpan ConnectTimeout);

/// <summary>A rack daemon's configuration.</summary>
internal sealed record RackNodeOptions
{
    public required NodeOptions Node { get; init; }
    public required RegionOptions Region { get; init; }
    public required FabricOptions Fabric { get; init; }
    public required int ReserveFrames { get; init; }
    public required TimeSpan HeatHalfLife { get; init; }
    public required TimeSpan HeatSampleInterval { get; init; }
    public required TimeSpan GuardBudget { get; init; }
    public required TimeSpan GuardBackoff { get; init; }
    public required TimeSpan RevokeTimeout { get; init; }
    public required int RequestPagesMax { get; init; }
    public required int SessionPagesMax { get; init; }

    /// <summary>How to format a region that does not exist.</summary>
    public RegionCreateOptions ToRegionCreate() => new()
    {
        PoolId = Node.PoolId,
        SizeBytes = Region.SizeBytes,
        PageSizeBytes = Node.PageSize,
        NumaNode = Region.NumaNode,
        HugePages = Region.HugePages,
        Populate = Region.Populate,
        // Record 0 is the daemon's own.
        SessionCount = Region.Sessions + 1,
        SlotsPerSession = Region.GuardSlots,
    };

    public RackHostOptions ToHost(Guid regionId) => new()
    {
        RegionPath = Region.Path,
        RuntimeDirectory = Region.SessionDirectory,
        PoolId = Node.PoolId,
        PageSize = Node.PageSize,
        FabricAddress = Fabric.Address,
        ServiceThreads = Fabric.ServiceThreads,
        FabricSpin = Fabric.Spin,
        MaxConnections = Fabric.MaxConnections,
        FabricConnectTimeout = Fabric.ConnectTimeout,
        FabricTimeout = Fabric.Deadline,
        SampleInterval = HeatSampleInterval,
        PublishSelfLink = Node.Policy == SwapPolicy.RdmaOnly,
        LockMemory = Region.LockMemory,
        Core = new RackCoreOptions
        {
            Settings = Node.Settings,
            RegionId = regionId,
            Policy = Node.Policy,
            ReserveFrames = ReserveFrames,
            RevokeTimeoutNs = (long)RevokeTimeout.TotalNanoseconds,
            QuiesceBudgetNs = (long)GuardBudget.TotalNanoseconds,
            BackoffMinNs = (long)GuardBackoff.TotalNanoseconds,
            BackoffMaxNs = 256 * (long)GuardBackoff.TotalNanoseconds,
            RequestTimeoutNs = (long)Node.RequestTimeout.TotalNanoseconds,
            HeatHalfLifeNs = (long)HeatHalfLife.TotalNanoseconds,
            RequestPagesMax = RequestPagesMax,
            SessionPagesMax = SessionPagesMax,
        },
    };

    public static RackNodeOptions Load(string path) => Read(ConfigLoader.Load(path, NodeRole.Rack));

    public static RackNodeOptions Read(LoadedConfig loaded) => Read(loaded, loaded.Reader());

    public static RackNodeOptions Read(LoadedConfig loaded, SettingsReader reader)
    {
        var node = NodeOptions.Read(loaded, reader);
        if (node.Address.Port == 0) throw reader.Missing("rcmp.node.port", "the port of this rack's daemon, 1 to 65535");
        return new RackNodeOptions
        {
            Node = node,
            Region = ReadRegion(reader),
            Fabric = ReadFabric(reader),
            ReserveFrames = reader.Int32("rcmp.swap.reserve", 0, 1 << 20),
            HeatHalfLife = reader.Duration("rcmp.heat.half-life", TimeSpan.FromMicroseconds(1), TimeSpan.FromHours(1)),
            HeatSampleInterval = reader.Duration("rcmp.heat.sample-interval", TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1)),
            GuardBudget = reader.Duration("rcmp.guard.budget", TimeSpan.FromMicroseconds(10), TimeSpan.FromSeconds(10)),
            GuardBackoff = reader.Duration("rcmp.guard.backoff", TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1)),
            RevokeTimeout = reader.Duration("rcmp.revoke.timeout", TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(10)),
            RequestPagesMax = reader.Int32("rcmp.limits.request-pages", 1, int.MaxValue),
            SessionPagesMax = reader.Int32("rcmp.limits.session-pages", 0, int.MaxValue),
        };
    }

    public static FabricOptions ReadFabric(SettingsReader reader) => new(
        reader.Text("rcmp.fabric.address", "\"tcp://host:port\" or \"verbs://address:port\", in quotes", IsFabricAddress),
        reader.Int32("rcmp.fabric.service-threads", 1, 64),
        reader.Duration("rcmp.fabric.spin", TimeSpan.Zero, TimeSpan.FromSeconds(1)),
        reader.Int32("rcmp.fabric.max-connections", 1, 65536),
        reader.Duration("rcmp.fabric.deadline", TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(10)),
        reader.Duration("rcmp.fabric.connect-timeout", TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(10)));

    private static RegionOptions ReadRegion(SettingsReader reader)
    {
        var numaNode = reader.Int32("rcmp.region.numa-node", -1, 1023);
        var size = reader.Size("rcmp.region.size", 0, 16L << 40);
        if (size is > 0 and < 8 << 20) throw reader.Wrong("rcmp.region.size", Quantity.FormatSize(size), "a size from 8MiB to 16TiB, or 0");
        return new RegionOptions(
            reader.OptionalText("rcmp.region.path") ?? throw reader.Missing("rcmp.region.path", "the rack's region, such as /dev/shm/rcmp-rack0"),
            size,
            reader.Switch("rcmp.region.huge-pages"),
            numaNode < 0 ? null : numaNode,
            reader.Switch("rcmp.region.populate"),
            reader.Switch("rcmp.region.lock-memory"),
            reader.Choice("rcmp.region.coherence", "single-host"),
            reader.Int32("rcmp.region.sessions", 1, 4095),
            reader.Int32("rcmp.region.guard-slots", 4, 1024));
    }

    private static bool IsFabricAddress(string text)
    {
        // A port that is picked may have more digits than the 0 that asks for it.
        if (!LinkEntry.Fits(text + "00000")) return false;
        var scheme = text.IndexOf("://", StringComparison.Ordinal);
        if (scheme < 0) return false;
        var rest = text[(scheme + 3)..];
        if (text[..scheme] == "local") return rest.Length > 0;
        if (text[..scheme] is not ("tcp" or "verbs")) return false;
        var colon = rest.LastIndexOf(':');
        return colon > 0 && ushort.TryParse(rest[(colon + 1)..], out _) && Uri.CheckHostName(rest[..colon].Trim('[', ']')) != UriHostNameType.Unknown;
    }
}
