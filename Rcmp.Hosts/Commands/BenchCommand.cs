using System.CommandLine;
using System.Globalization;
using System.Runtime.CompilerServices;
using Rcmp.Cluster.Status;
using Rcmp.Hosts.Bench;
using Rcmp.Hosts.Bench.Plots;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Commands;

internal sealed class BenchCommand : RcmpCommand
{
    private const string About =
        "Measure reads and writes by client processes, each operation timed. A thread starts an operation when its last one has ended, so operations that a delay held up are "
        + "not counted as late (coordinated omission): the percentiles are those of service, not of waiting. With --rate they are counted from when they were meant to start. "
        + "Two clock reads, some 50 ns, are in each latency; --baseline times batches instead. Several values of --payload, --threads and --policy are measured in every combination.";

    private readonly Option<string?> _config = SharedOptions.Text("--config", "FILE", "A client's configuration of a running cluster (default: bring a cluster, and take it down again).");
    private readonly Option<long?> _racks = SharedOptions.Count("--racks", "Racks of the cluster (default 2).", 1, 64);
    private readonly Option<long?> _clients = SharedOptions.Count("--clients", "Client processes (default 1).", 1, 1024);
    private readonly Option<IReadOnlyList<long>?> _threads = SharedOptions.Counts("--threads", "Threads of each client (default 1).", 1, 1024);
    private readonly Option<IReadOnlyList<ByteSize>?> _payload = SharedOptions.Sizes("--payload", "Bytes per operation (default 64B; --op cas: 8B).");
    private readonly Option<string?> _distribution = SharedOptions.Choice("--distribution", "Which addresses: uniform and sequential over payload-sized slots, zipf over pages (default zipf).", KeyDistribution.Names);
    private readonly Option<double?> _theta = SharedOptions.Number("--theta", "How skewed zipf is (default 0.99).", 0.01, 10);
    private readonly Option<ByteSize?> _range = SharedOptions.Size("--range", "Memory that is used (default 64MiB).");
    private readonly Option<long?> _operations = SharedOptions.Count("--operations", "End after so many operations, all clients together.", 1);
    private readonly Option<Duration?> _duration = SharedOptions.Time("--duration", "End after this time (default 5s).");
    private readonly Option<Duration?> _warmup = SharedOptions.Time("--warmup", "Not measured before (default 1s).");
    private readonly Option<string?> _operation = SharedOptions.Choice("--op", "What is done (default read).", WorkloadSpec.Operations);
    private readonly Option<double?> _mix = SharedOptions.Number("--mix", "With --op mixed: the share of writes (default 0.5).", 0, 1);
    private readonly Option<IReadOnlyList<string>?> _policy = SharedOptions.Policies();
    private readonly Option<long?> _bornIn = SharedOptions.Count("--born-in", "The rack that allocates the pages, from 0 (default 0).", 0, 63);
    private readonly Option<long?> _runIn = SharedOptions.Count("--run-in", "The rack of the clients, from 0 (default: that of --born-in).", 0, 63);
    private readonly Option<bool> _baseline = new("--baseline") { Description = "Also time rack hits, and plain copies from the same mapping at the same addresses, in batches." };
    private readonly Option<Duration?> _shift = SharedOptions.Time("--shift", "With zipf: other pages become hot each time this has passed.");
    private readonly Option<double?> _rate = SharedOptions.Number("--rate", "Operations that each thread starts a second, whether the last one has ended or not; latencies count from there.", 0.1, 1e7);
    private readonly Option<long?> _nodes = SharedOptions.Count("--nodes", "So many of these commands begin together, on any machines of the pool; each needs --config and --node.", 1, BarrierBoard.NodesMax);
    private readonly Option<long?> _node = SharedOptions.Count("--node", "Which of the --nodes this is, from 0. Node 0 has the pages.", 0, BarrierBoard.NodesMax - 1);
    private readonly Option<Duration?> _wait = SharedOptions.Time("--wait", "With --nodes: how long the others are waited for (default 1m).");
    private readonly Option<string?> _plot = SharedOptions.Text("--plot", "PATH", "Draw what was measured: into a directory as PNG and SVG, or into a file that ends so.");
    private readonly Option<string?> _csv = SharedOptions.Text("--csv", "FILE", "Add a row with each result to this file.");
    private readonly Option<bool> _json = SharedOptions.Json();

    public BenchCommand()
        : base("rw", About)
    {
        foreach (var option in new Option[]
        {
            _config, _racks, _clients, _threads, _payload, _distribution, _theta, _range, _operations, _duration, _warmup, _operation, _mix, _policy, _bornIn, _runIn, _baseline,
            _shift, _rate, _nodes, _node, _wait, _plot, _csv, _json,
        })
        {
            Add(option);
        }
    }

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var sweep = Read(context);
        sweep.Validate();
        var json = context.Get(_json);
        Action<string> say = (json ? context.Error : context.Out).WriteLine;
        List<BenchResult> results = [];
        try
        {
            await new BenchSweepRun(sweep, say, TerminalProgress.For(context)).RunAsync(
                result =>
                {
                    results.Add(result);
                    if (sweep.Common.CsvPath is { } csv) BenchCsv.Append(csv, result);
                    if (!json) Print(context.Out, result);
                },
                ct);
        }
        finally
        {
            // What was measured before a failure or Ctrl-C is worth as much as before.
            if (json && results.Count > 0) WriteJson(context.Out, sweep, results);
        }
        if (sweep.Common.PlotPath is { } plot) Plot(sweep, results, plot, say);
        return ExitCodes.Done;
    }

    internal static void WriteJson(TextWriter writer, BenchSweep sweep, IReadOnlyList<BenchResult> results)
    {
        if (sweep.Count == 1) JsonOutput.Write(writer, results[0]);
        else JsonOutput.Write(writer, new BenchResults(results.Count == sweep.Count && results.All(r => r.Ok), results));
    }

    // Drawing needs a native library: a method of its own, so that it is not loaded for those who draw nothing.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Plot(BenchSweep sweep, IReadOnlyList<BenchResult> results, string path, Action<string> say)
    {
        foreach (var file in PlotFiles.Write(new BenchCharts(sweep, results).Charts(), path)) say($"plotted {file}");
        if (!PlotFiles.HasFonts) say("this machine has no fonts: the PNGs have no text, the SVGs have (apt-get install fonts-dejavu-core)");
    }

    private BenchSweep Read(CommandContext context)
    {
        var defaults = new BenchOptions();
        var operation = context.Get(_operation) ?? defaults.Operation;
        var bornIn = (int)(context.Get(_bornIn) ?? defaults.BornIn);
        Refuse(context, _operations, _duration);
        foreach (var own in new Option[] { _racks, _policy, _bornIn, _runIn }) Refuse(context, _config, own);
        if (context.Has(_mix) && operation != WorkloadSpec.Mixed) throw CommandException.Usage("--mix needs --op mixed");
        if (context.Has(_nodes) != context.Has(_node)) throw CommandException.Usage("--nodes and --node belong together: how many there are, and which this is");
        if (context.Has(_wait) && !context.Has(_nodes)) throw CommandException.Usage("--wait needs --nodes");
        var payloads = context.Get(_payload) ?? [operation == WorkloadSpec.CompareAndSwap ? new ByteSize(sizeof(ulong)) : defaults.Payload];
        var threads = context.Get(_threads) ?? [defaults.Threads];
        var policies = context.Get(_policy) ?? [defaults.Policy];
        var common = new BenchOptions
        {
            Configuration = context.Get(_config),
            Racks = (int)(context.Get(_racks) ?? defaults.Racks),
            Clients = (int)(context.Get(_clients) ?? defaults.Clients),
            Threads = (int)threads[0],
            Payload = payloads[0],
            Distribution = context.Get(_distribution) ?? defaults.Distribution,
            Theta = context.Get(_theta) ?? defaults.Theta,
            Range = context.Get(_range) ?? defaults.Range,
            Operations = context.Get(_operations) ?? 0,
            Duration = context.Get(_duration) ?? defaults.Duration,
            Warmup = context.Get(_warmup) ?? defaults.Warmup,
            Operation = operation,
            WriteShare = context.Get(_mix) ?? defaults.WriteShare,
            Policy = policies[0],
            BornIn = bornIn,
            RunIn = (int)(context.Get(_runIn) ?? bornIn),
            Baseline = context.Get(_baseline),
            HasShift = context.Has(_shift),
            Shift = context.Get(_shift) ?? defaults.Shift,
            Rate = context.Get(_rate) ?? 0,
            Nodes = (int)(context.Get(_nodes) ?? defaults.Nodes),
            Node = (int)(context.Get(_node) ?? defaults.Node),
            Wait = context.Get(_wait) ?? defaults.Wait,
            PlotPath = context.Get(_plot),
            CsvPath = context.Get(_csv),
        };
        return new BenchSweep(common) { Policies = policies, Payloads = payloads, Threads = [.. threads.Select(t => (int)t)] };
    }

    private static void Refuse(CommandContext context, Option one, Option other)
    {
        if (context.Has(one) && context.Has(other)) throw CommandException.Usage($"{one.Name} and {other.Name} cannot be given together");
    }

    private static void Print(TextWriter writer, BenchResult result)
    {
        writer.WriteLine($"{Counts.Short(result.Operations)} operations, {Counts.Short(result.ThroughputPerSecond)} a second");
        writer.WriteLine($"{"",-12}{"mean",10}{"p50",10}{"p99",10}{"p99.9",10}{"p99.99",10}{"max",10}");
        Line("all", result.LatencyNs);
        Line("rack hits", result.RackHitLatencyNs);
        Line("Direct IO", result.DirectIoLatencyNs);
        writer.WriteLine($"{Counts.Short(result.RackHits)} rack hits, {Counts.Short(result.DirectIo)} Direct IO, {Counts.Short(result.Swaps)} swaps");
        if (result is { RackHitMeanNs: { } hit, PlainCopyMeanNs: { } copy })
        {
            writer.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"in batches: a rack hit {hit:0.0} ns, a plain copy {copy:0.0} ns, ratio {hit / Math.Max(copy, 0.001):0.00}"));
        }

        void Line(string name, BenchLatency l) => writer.WriteLine(
            $"{name,-12}{Latency.Short(l.Mean),10}{Latency.Short(l.P50),10}{Latency.Short(l.P99),10}{Latency.Short(l.P999),10}{Latency.Short(l.P9999),10}{Latency.Short(l.Max),10}");
    }
}
