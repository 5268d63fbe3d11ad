using System.Globalization;
using Rcmp.Hosts.Bench;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>Series of sizes, one after the other: each size its own pool.</summary>
internal sealed class ScaleRun(Action<string> say, IBenchProgress progress)
{
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(250);

    private static readonly (string Title, Func<ScalePoint, string> Of)[] Messages =
    [
        ("rack hits", p => Percent(p.RackHitShare)),
        ("directory messages an access: first second", p => Text(p.FirstDirectoryMessagesPerAccess)),
        ("then", p => Text(p.DirectoryMessagesPerAccess)),
        ("heat", p => Text(p.HeatMessagesPerAccess)),
        ("first touches", p => Text(p.ResolveMessagesPerAccess)),
        ("moves", p => Text(p.MoveMessagesPerAccess)),
        ("moves/s", p => Counts.Short(p.MovesPerSecond)),
        ("moved, a rack", p => Bytes(p.BytesMovedPerRackSecond) + "/s"),
        ("heat reports, a rack", p => $"{Counts.Short(p.HeatMessagesPerRackSecond)}/s, {Bytes(p.HeatBytesPerRackSecond)}/s"),
    ];

    private static readonly (string Title, Func<ScalePoint, string> Of)[] Loads =
    [
        ("of a core: busiest shard", p => $"{Percent(p.BusiestShardLoad)} ({Counts.Short(p.BusiestShardMessagesPerSecond)}/s)"),
        ("rack's daemon", p => Percent(p.BusiestRackLoad)),
        ("master", p => Percent(p.MasterLoad)),
        ("registrations", p => Bytes(p.MasterBytesPerSecond) + "/s"),
        ("a join", p => Bytes(p.JoinBytes)),
        ("handling: shard", p => Latency.Short(p.ShardHandlingNs)),
        ("rack", p => Latency.Short(p.RackHandlingNs)),
        ("master", p => Latency.Short(p.MasterHandlingNs)),
        ("rebuild", p => $"{Counts.Short(p.RebuildMessagesPerShard)} messages a shard, {Latency.Short(p.RebuildSeconds * 1e9)}"),
    ];

    private static readonly (string Title, Func<ScalePoint, string> Of)[] Memory =
    [
        ("region/page", p => Bytes(p.RegionBytesPerPage)),
        ("daemon/page", p => Bytes(p.DaemonBytesPerPage)),
        ("daemons/reference", p => Bytes(p.DaemonBytesPerReference)),
        ("references, a rack", p => Counts.Short(p.ReferencesPerRack)),
        ("directory/shared page", p => Bytes(p.DirectoryBytesPerPage)),
        ("shared pages", p => Counts.Short(p.SharedPages)),
        ("simulated in", p => Latency.Short(p.WallSeconds * 1e9)),
    ];

    /// <summary>The sizes of a series that are done are told as they come: whoever ends a long run keeps them.</summary>
    public async Task<IReadOnlyList<ScalePoint>> RunAsync(ScaleSweep sweep, Action<ScalePoint> done, CancellationToken ct)
    {
        List<ScalePoint> points = [];
        foreach (var size in sweep.Sizes)
        {
            ct.ThrowIfCancellationRequested();
            var point = await progress.ShowAsync($"{size.Racks} racks, {Counts.Short(size.Pages)} pages, {size.Clients} clients, {size.HotPages} hot", TimeSpan.Zero, share => RunAsync(size, share, ct)) with { Sweep = sweep.Name };
            points.Add(point);
            done(point);
        }

        say($"{(sweep.Sizes.Count > 1 ? $"By {sweep.Growing}" : "One size")} ({new ScaleCharts(sweep, points).Fixed}):");
        foreach (var columns in new[] { Messages, Loads, Memory })
        {
            say("");
            string[] titles = [.. sweep.Sizes.Count > 1 ? [sweep.Name] : Array.Empty<string>(), .. columns.Select(c => c.Title)];
            foreach (var line in PlainTable.Lines(titles, [.. points.Select(p => Row(sweep, columns, p))])) say(line);
        }

        say("");
        return points;
    }

    private static string[] Row(ScaleSweep sweep, (string Title, Func<ScalePoint, string> Of)[] columns, ScalePoint point) =>
        [.. sweep.Sizes.Count > 1 ? [Counts.Short(sweep.Of(point))] : Array.Empty<string>(), .. columns.Select(c => c.Of(point))];

    private static async Task<ScalePoint> RunAsync(ScaleOptions size, Action<double> share, CancellationToken ct)
    {
        var world = new ScaleWorld(size, ct);
        var running = Task.Run(world.Run, CancellationToken.None);
        while (await Task.WhenAny(running, Task.Delay(Refresh, CancellationToken.None)) != running) share(world.Share);
        return await running;
    }

    private static string Bytes(double bytes) => (bytes < 10e3 ? Text(bytes) + " " : Counts.Short(bytes)) + "B";

    private static string Percent(double share) => Text(100 * share) + " %";

    private static string Text(double value) => value.ToString(value switch { >= 100 => "0", >= 1 => "0.#", _ => "0.####" }, CultureInfo.InvariantCulture);
}
