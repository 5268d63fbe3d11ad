using System.Globalization;
using Rcmp.Hosts.Bench.Plots;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>What a series shows: how each cost grows with its number.</summary>
internal sealed class ScaleCharts(ScaleSweep sweep, IReadOnlyList<ScalePoint> points)
{
    private const int NanosecondsPerSecond = 1_000_000_000;

    public IReadOnlyList<Chart> Charts() =>
    [
        Lines("messages", "Directory messages", "messages of the directory an access", Plain,
            ("all, first second", p => p.FirstDirectoryMessagesPerAccess), ("all, after the warm-up", p => p.DirectoryMessagesPerAccess), ("heat", p => p.HeatMessagesPerAccess),
            ("first touches", p => p.ResolveMessagesPerAccess), ("moves", p => p.MoveMessagesPerAccess)),
        Lines("load", "Load", "share of one core", Percent,
            ("busiest shard", p => p.BusiestShardLoad), ("busiest rack's daemon", p => p.BusiestRackLoad), ("master", p => p.MasterLoad), ("a whole core", _ => 1)),
        Lines("traffic", "Control traffic and moves", "traffic", PerSecond,
            ("moved pages, a rack", p => p.BytesMovedPerRackSecond), ("heat reports, a rack", p => p.HeatBytesPerRackSecond), ("registrations, the master", p => p.MasterBytesPerSecond)),
        Lines("memory", "Memory for a page", "memory", Bytes,
            ("region's tables", p => p.RegionBytesPerPage), ("rack's daemon", p => p.DaemonBytesPerPage), ("both daemons, for a reference", p => p.DaemonBytesPerReference), ("directory, for a shared page", p => p.DirectoryBytesPerPage)),
        Lines("rebuild", "Rebuilding the directory", "simulated time", Latency.Short, ("all 64 shards at once", p => p.RebuildSeconds * NanosecondsPerSecond)),
    ];

    private Chart Lines(string name, string title, string label, Func<double, string> format, params (string Name, Func<ScalePoint, double> Of)[] lines) => new()
    {
        Name = $"scale-{sweep.Name}-{name}",
        Title = $"{title} by {sweep.Growing}",
        // A longer title would not fit.
        X = new ChartAxis($"{sweep.Growing} ({Fixed})", Round, Logarithmic: true, [.. points.Select(sweep.Of)]),
        Y = new ChartAxis(label, format, Logarithmic: true),
        Series = [.. lines.Select((line, color) => new ChartSeries(line.Name, [.. points.Select(p => new ChartPoint(sweep.Of(p), line.Of(p)))], color))],
    };

    /// <summary>What all sizes have in common.</summary>
    public string Fixed
    {
        get
        {
            (Func<ScalePoint, double> Of, string Name)[] numbers =
            [
                (p => p.Racks, "racks"), (p => p.Pages, "pages"), (p => p.Clients, "clients a rack"), (p => p.HotPages, "hot pages a rack"), (p => p.AccessesPerRackSecond, "accesses/s a rack"),
            ];
            return string.Join(", ", numbers.Where(n => points.Select(n.Of).Distinct().Count() == 1).Select(n => $"{Round(n.Of(points[0]))} {n.Name}"));
        }
    }

    private static string Plain(double value) => value.ToString("0.######", CultureInfo.InvariantCulture);

    private static string Percent(double share) => (100 * share).ToString("0.####", CultureInfo.InvariantCulture) + " %";

    private static string Round(double value) => value switch
    {
        >= 1e9 => Text(value / 1e9) + " G",
        >= 1e6 => Text(value / 1e6) + " M",
        >= 1e4 => Text(value / 1e3) + " k",
        _ => Text(value),
    };

    private static string Bytes(double bytes) => (bytes < 1e4 ? Round(bytes) + " B" : Round(bytes) + "B");

    private static string PerSecond(double bytes) => Bytes(bytes) + "/s";

    private static string Text(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);
}
