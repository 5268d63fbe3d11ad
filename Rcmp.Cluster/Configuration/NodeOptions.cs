using Akka.Configuration;
using Microsoft.Extensions.Logging;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Cluster.Configuration;

/// <summary>What every program reads.</summary>
/// <param name="Source">The file, for messages.</param>
/// <param name="TimingProfile">default or fast.</param>
/// <param name="LogLevel">From <c>rcmp.log.level</c>.</param>
/// <param name="LogFile">From <c>rcmp.log.file</c>; null means standard error.</param>
/// <param name="MessageBytesMax">From <c>rcmp.limits.message-size</c>.</param>
/// <param name="AkkaOverrides">The user's file: its akka section wins over ours.</param>
internal sealed record CommonOptions(string Source, string TimingProfile, LogLevel LogLevel, string? LogFile, int MessageBytesMax, Config AkkaOverrides)
{
    public static CommonOptions Read(LoadedConfig loaded, SettingsReader reader) => new(
        loaded.Source, reader.Choice("rcmp.timing-profile", "default", "fast"), ReadLevel(reader), reader.OptionalText("rcmp.log.file"),
        (int)reader.Size("rcmp.limits.message-size", 1 << 20, 256 << 20), loaded.User);

    private static LogLevel ReadLevel(SettingsReader reader) =>
        reader.Choice("rcmp.log.level", "trace", "debug", "information", "warning", "error") switch
        {
            "trace" => LogLevel.Trace,
            "debug" => LogLevel.Debug,
            "warning" => LogLevel.Warning,
            "error" => LogLevel.Error,
            _ => LogLevel.Information,
        };
}

/// <summary>What masters and racks have in common.</summary>
internal sealed record NodeOptions
{
    public required CommonOptions Common { get; init; }
    public required Guid PoolId { get; init; }
    public required int PageSize { get; init; }
    public required NodeAddress Address { get; init; }
    public required int ConnectionsMax { get; init; }
    public required IReadOnlyList<NodeAddress> SeedNodes { get; init; }
    public required int DirectoryShards { get; init; }
    public required TimeSpan JoinTimeout { get; init; }
    public required TimeSpan RequestTimeout { get; init; }

    // Every directory node may host any shard, so masters read the policy too.
    public required SwapPolicy Policy { get; init; }
    public required double Watermark { get; init; }
    public required TimeSpan MinResidence { get; init; }

    public PageGeometry Geometry => new(PageSize);

    public PoolSettings Settings => new(PoolId, PageSize, DirectoryShards, RegionLayout.FormatVersion, Policy);

    public DirectoryOptions ToDirectory() => new()
    {
        Geometry = Geometry,
        Shards = DirectoryShards,
        Policy = Policy,
        Watermark = Watermark,
        MinResidenceNs = (long)MinResidence.TotalNanoseconds,
    };

    public static NodeOptions Read(LoadedConfig loaded, SettingsReader reader)
    {
        var common = CommonOptions.Read(loaded, reader);
        var host = reader.Host();
        var port = reader.Int32("rcmp.node.port", 0, 65535);
        var seeds = reader.Addresses("rcmp.seed-nodes");
        if (seeds.Count == 0) throw reader.Missing("rcmp.seed-nodes", "the masters, such as [\"127.0.0.1:4100\"]");
        return new NodeOptions
        {
            Common = common,
            PoolId = reader.RequiredGuid("rcmp.pool.id"),
            PageSize = ReadPageSize(reader),
            Address = new NodeAddress(host, port),
            ConnectionsMax = reader.Int32("rcmp.node.max-connections", 8, 65536),
            SeedNodes = seeds,
            DirectoryShards = reader.Int32("rcmp.directory.shards", 1, StateCopies.TermsMax),
            JoinTimeout = reader.Duration("rcmp.join-timeout", TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)),
            RequestTimeout = reader.Duration("rcmp.request-timeout", TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10)),
            Policy = ReadPolicy(reader),
            Watermark = reader.Number("rcmp.swap.watermark", 0, 1_000_000),
            MinResidence = reader.Duration("rcmp.swap.min-residence", TimeSpan.Zero, TimeSpan.FromHours(1)),
        };
    }

    public static SwapPolicy ReadPolicy(SettingsReader reader) =>
        reader.Choice("rcmp.swap.policy", "adaptive", "watermark", "direct-io", "swap", "rdma-only") switch
        {
            "watermark" => SwapPolicy.Watermark,
            "direct-io" => SwapPolicy.DirectIo,
            "swap" => SwapPolicy.Swap,
            "rdma-only" => SwapPolicy.RdmaOnly,
            _ => SwapPolicy.Adaptive,
        };

    private static int ReadPageSize(SettingsReader reader)
    {
        const string key = "rcmp.pool.page-size";
        var size = reader.Size(key, PageGeometry.PageSizeMin, PageGeometry.PageSizeMax);
        return PageGeometry.IsValidPageSize(size) ? (int)size : throw reader.Wrong(key, Quantity.FormatSize(size), "a power of two from 4KiB to 2MiB");
    }
}

/// <summary>A master's configuration.</summary>
internal sealed record MasterNodeOptions(NodeOptions Node, TimeSpan Grace)
{
    public static MasterNodeOptions Load(string path) => Read(ConfigLoader.Load(path, NodeRole.Master));

    public static MasterNodeOptions Read(LoadedConfig loaded) => Read(loaded, loaded.Reader());

    public static MasterNodeOptions Read(LoadedConfig loaded, SettingsReader reader)
    {
        var node = NodeOptions.Read(loaded, reader);
        if (node.Address.Port == 0) throw reader.Missing("rcmp.node.port", "the port of this master, 1 to 65535");
        if (!node.SeedNodes.Contains(node.Address))
            throw reader.Wrong("rcmp.seed-nodes", string.Join(", ", node.SeedNodes), $"a list that has this master too, {node.Address}");
        return new MasterNodeOptions(node, reader.Duration("rcmp.master.grace", TimeSpan.Zero, TimeSpan.FromMinutes(10)));
    }
}
