using System.CommandLine;
using System.Runtime.CompilerServices;
using Rcmp.Hosts.Bench;
using Rcmp.Hosts.Bench.Plots;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Simulation.Scale;

namespace Rcmp.Hosts.Commands;

/// <summary>simulate --scale: what a pool costs at growing sizes.</summary>
internal sealed partial class SimulateCommand
{
    private const int RacksOfScaleMax = 1000;
    private const int PagesOfScaleMax = 10_000_000;

    private readonly Option<bool> _scale = new("--scale")
    {
        Description = "Without faults: what a pool costs as its pages, racks, clients and hot pages grow, with the product's state machines. With --racks (to 1000), --pages (to 10000000), --clients (of each "
            + "rack) or --hot: that size alone.",
    };

    private readonly Option<IReadOnlyList<string>?> _sweep = SharedOptions.Choices(
        "--sweep", "With --scale: let this grow, and keep the others as they are or as --racks, --pages, --clients and --hot say (default: each in turn).", ScaleSweep.Names);

    private readonly Option<bool> _full = new("--full") { Description = "With --scale: the largest sizes too, 10000000 pages and 1000 racks; some ten minutes in all, and up to 8 GiB of memory." };
    private readonly Option<bool> _quick = new("--quick") { Description = "With --scale: the two smallest sizes of each series." };
    private readonly Option<long?> _hot = SharedOptions.Count("--hot", "With --scale: pages that a rack uses most (default 1000).", 1, 1_000_000);
    private readonly Option<long?> _rate = SharedOptions.Count("--rate", "With --scale: accesses a second of each client (default 2500).", 1, 10_000_000);
    private readonly Option<Duration?> _warmup = SharedOptions.Time("--warmup", "With --scale: simulated time before the measurement; its first second is reported by itself (default 3s).");
    private readonly Option<Duration?> _measured = SharedOptions.Time("--measured", "With --scale: simulated time that is measured (default 1s).");
    private readonly Option<Duration?> _message = SharedOptions.Time("--message", "With --scale: what a control message takes from one process to another (default 300us).");
    private readonly Option<Duration?> _messageCpu = SharedOptions.Time("--message-cpu", "With --scale: what it takes of a core at each end (default 15us).");
    private readonly Option<string?> _plot = SharedOptions.Text("--plot", "DIR", "With --scale: draw each series there, as PNG and SVG.");
    private readonly Option<string?> _csv = SharedOptions.Text("--csv", "FILE", "With --scale: add a row for each size to this file.");

    private Option[] ScaleOnly => [_sweep, _full, _quick, _hot, _rate, _warmup, _measured, _message, _messageCpu, _plot, _csv];

    private async Task<int> RunScaleAsync(CommandContext context, CancellationToken ct)
    {
        foreach (var other in new Option[] { _seeds, _duration, _steps, _mutation, _trace })
        {
            if (context.Has(other)) throw CommandException.Usage($"{other.Name} and --scale cannot be given together");
        }

        var (plot, csv, json) = (context.Get(_plot), context.Get(_csv), context.Get(_json));
        var sweeps = Sweeps(context);
        foreach (var size in sweeps.SelectMany(sweep => sweep.Sizes)) size.Validate();
        if (plot is not null && sweeps.All(sweep => sweep.Sizes.Count < 2)) throw CommandException.Usage("--plot: one size makes no plot; leave out its numbers, or name what grows by --sweep");
        if (plot is not null && File.Exists(plot)) throw CommandException.Usage($"--plot: {plot} is a file; give a directory");
        CheckParent("--plot", plot);
        CheckParent("--csv", csv);

        Action<string> say = (json ? context.Error : context.Out).WriteLine;
        var expected = TimeSpan.FromSeconds(sweeps.SelectMany(sweep => sweep.Sizes).Sum(size => size.ExpectedSeconds));
        if (expected > TimeSpan.FromMinutes(1)) say($"This takes some {Math.Ceiling(expected.TotalMinutes):0} minutes.");
        var run = new ScaleRun(say, TerminalProgress.For(context));
        List<ScalePoint> points = [];
        var ok = false;
        try
        {
            foreach (var sweep in sweeps)
            {
                var of = await run.RunAsync(
                    sweep,
                    point =>
                    {
                        points.Add(point);
                        if (csv is not null) ScaleCsv.Append(csv, point);
                    },
                    ct);
                if (plot is not null && of.Count > 1) Plot(sweep, of, plot, say);
            }

            ok = true;
        }
        finally
        {
            // What was measured before Ctrl-C is worth as much as before.
            if (json && points.Count > 0) JsonOutput.Write(context.Out, new { ok, points });
        }

        return ExitCodes.Done;
    }

    private List<ScaleSweep> Sweeps(CommandContext context)
    {
        var defaults = new ScaleOptions();
        var size = defaults with
        {
            Seed = (ulong)(context.Get(_seed) ?? (long)defaults.Seed),
            Racks = (int)(context.Get(_racks) ?? defaults.Racks),
            Pages = context.Get(_pages) ?? defaults.Pages,
            Clients = (int)(context.Get(_clients) ?? defaults.Clients),
            HotPages = (int)(context.Get(_hot) ?? defaults.HotPages),
            AccessesPerSecond = (int)(context.Get(_rate) ?? defaults.AccessesPerSecond),
            WarmupSeconds = context.Get(_warmup)?.Value.TotalSeconds ?? defaults.WarmupSeconds,
            Seconds = context.Get(_measured)?.Value.TotalSeconds ?? defaults.Seconds,
            MessageNs = Nanoseconds(_message) ?? defaults.MessageNs,
            MessageCpuNs = Nanoseconds(_messageCpu) ?? defaults.MessageCpuNs,
        };
        if (context.Get(_full) && context.Get(_quick)) throw CommandException.Usage("--full and --quick cannot be given together");
        var reach = context.Get(_full) ? ScaleReach.Full : context.Get(_quick) ? ScaleReach.Quick : ScaleReach.Usual;
        if (context.Get(_sweep) is { } names) return [.. names.Select(name => ScaleSweep.Create(name, size, reach))];
        var isOneSize = new Option[] { _racks, _pages, _clients, _hot }.Any(context.Has);
        if (isOneSize && reach != ScaleReach.Usual) throw CommandException.Usage("--full and --quick choose sizes of a series: leave out the numbers, or name what grows by --sweep");
        return isOneSize ? [new ScaleSweep("size", "", p => p.Pages, [size])] : [.. ScaleSweep.Names.Select(name => ScaleSweep.Create(name, size, reach))];

        long? Nanoseconds(Option<Duration?> option) => context.Get(option) is { } time ? (long)time.Value.TotalNanoseconds : null;
    }

    private static void CheckParent(string option, string? path)
    {
        if (path is null) return;
        if (path.Length == 0) throw CommandException.Usage($"{option}: the path is empty");
        if (!Directory.Exists(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))))) throw CommandException.Usage($"{option}: the directory that '{path}' is to be in does not exist");
    }

    // Drawing needs a native library: a method of its own, so that it is not loaded for those who draw nothing.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Plot(ScaleSweep sweep, IReadOnlyList<ScalePoint> points, string directory, Action<string> say)
    {
        foreach (var file in PlotFiles.Write(new ScaleCharts(sweep, points).Charts(), directory)) say($"plotted {file}");
        if (!PlotFiles.HasFonts) say("this machine has no fonts: the PNGs have no text, the SVGs have (apt-get install fonts-dejavu-core)");
    }
}
