using System.Globalization;
using Rcmp.Hosts.Bench;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>Series of sizes, one after the other: each size its own pool.</summary>
internal sealed class ScaleRun(Action<string> say, IBenchProgress progress)
{
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(250);

    private static readonly (string Title, Func<ScalePoint, string> Of)[] Columns =
    [
        ("racks", p => Counts.Short(p.Racks)),
        ("pages", p => Counts.Short(p.Pages)),
        ("clients", p => Counts.Short(p.Clients)),
        ("hot", p => Counts.Short(p.HotPages)),
        ("rack hits", p => Percent(p.RackHitShare)),
        ("messages/access: first second", p => Text(p.FirstDirectoryMessagesPerAccess)),
        ("then", p => Text(p.DirectoryMessagesPerAccess)),
        ("of them heat", p => Text(p.HeatMessagesPerAccess)),
        ("first touches", p => Text(p.ResolveMessagesPerAccess)),
        ("busiest shard", p => $"{Counts.Short(p.BusiestShardMessagesPerSecond)}/s, {Percent(p.BusiestShardLoad)}"),
        ("rack's daemon", p => Percent(p.BusiestRackLoad)),
        ("master", p => $"{Percent(p.MasterLoad)}, {Bytes(p.MasterBytesPerSecond)}/s"),
        ("moves/s", p => Counts.Short(p.MovesPerSecond)),
        ("moved, a rack", p => Bytes(p.BytesMovedPerRackSecond) + "/s"),
        ("heat reports, a rack", p => Bytes(p.HeatBytesPerRackSecond) + "/s"),
        ("region/page", p => Bytes(p.RegionBytesPerPage)),
        ("daemon/page", p => Bytes(p.DaemonBytesPerPage)),
        ("daemons/reference", p => Bytes(p.DaemonBytesPerReference)),
        ("directory/shared page", p => Bytes(p.DirectoryBytesPerPage)),
        ("rebuild of a shard", p => $"{Counts.Short(p.RebuildMessagesPerShard)} messages, {Latency.Short(p.RebuildSeconds * 1e9)}"),
        ("a join", p => Bytes(p.JoinBytes)),
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

        foreach (var line in PlainTable.Lines([.. Columns.Select(c => c.Title)], [.. points.Select(p => Columns.Select(c => c.Of(p)).ToArray())])) say(line);
        return points;
    }

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
