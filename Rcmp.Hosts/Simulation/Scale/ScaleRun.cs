using System.Globalization;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>Sizes, one after the other: each its own pool.</summary>
internal static class ScaleRun
{
    private static readonly string[] Titles =
    [
        "racks", "pages", "hot", "rack hits", "directory messages per access", "moves/s", "moved per rack", "heat reports per rack", "busiest shard", "master", "region B/page", "directory B/page",
        "rebuild",
    ];

    /// <summary>Each number grows while the others stay.</summary>
    public static IReadOnlyList<ScaleOptions> Sweep(ScaleOptions size) =>
    [
        .. new long[] { 1_000, 10_000, 100_000, 1_000_000 }.Select(pages => size with { Pages = pages, HotPages = (int)long.Min(size.HotPages, pages / 10) }),
        .. new[] { 2, 16, 64, 256, 1000 }.Select(racks => size with { Racks = racks, Pages = long.Max(size.Pages, racks * 256L), HotPages = 100, AccessesPerSecond = 2_000 }),
        .. new[] { 10, 100, 1_000, 10_000 }.Select(hot => size with { Racks = 8, HotPages = hot }),
    ];

    public static IReadOnlyList<ScalePoint> Run(IReadOnlyList<ScaleOptions> sizes, Action<string> say, CancellationToken ct)
    {
        var points = new List<ScalePoint>();
        foreach (var size in sizes)
        {
            ct.ThrowIfCancellationRequested();
            points.Add(new ScaleWorld(size).Run());
            say(string.Create(CultureInfo.InvariantCulture, $"{size.Racks} racks, {size.Pages} pages, {size.HotPages} hot: {points[^1].WallSeconds:0.0} s"));
        }

        foreach (var line in PlainTable.Lines(Titles, [.. points.Select(Cells)])) say(line);
        return points;
    }

    private static string[] Cells(ScalePoint p) =>
    [
        Counts.Short(p.Racks), Counts.Short(p.Pages), Counts.Short(p.HotPages), Text(100 * p.RackHitShare) + " %", p.DirectoryMessagesPerAccess.ToString("0.####", CultureInfo.InvariantCulture),
        Counts.Short(p.MovesPerSecond), Bytes(p.BytesMovedPerRackSecond), Bytes(p.HeatBytesPerRackSecond), Counts.Short(p.BusiestShardMessagesPerSecond) + "/s",
        Counts.Short(p.MasterMessagesPerSecond) + "/s", Text(p.RegionBytesPerPage), Text(p.DirectoryBytesPerPage),
        $"{Text(p.RebuildMessagesPerShard)} messages, {Text(1000 * p.RebuildSeconds)} ms",
    ];

    private static string Bytes(double perSecond) => Counts.Short(perSecond) + "B/s";

    private static string Text(double value) => value.ToString(value < 100 ? "0.#" : "0", CultureInfo.InvariantCulture);
}
