using System.CommandLine;
using System.Globalization;
using Rcmp.Hosts.Bench;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Commands;

internal sealed class BenchCommand : RcmpCommand
{
    private const string About =
        "Measure reads and writes by client processes, each operation timed. A thread starts an operation when its last one has ended, so operations that a delay held up are "
        + "not counted as late (coordinated omission): the percentiles are those of service, not of waiting. Two clock reads, some 50 ns, are in each latency; --baseline times batches instead.";

    private readonly Option<string?> _config = SharedOptions.Text("--config", "FILE", "A client's configuration of a running cluster (default: bring a cluster, and take it down again).");
    private readonly Option<long?> _racks = SharedOptions.Count("--racks", "Racks of the cluster (default 2).", 1, 64);
    private readonly Option<long?> _clients = SharedOptions.Count("--clients", "Client processes (default 1).", 1, 1024);
    private readonly Option<long?> _threads = SharedOptions.Count("--threads", "Threads of each client (default 1).", 1, 1024);
    private readonly Option<ByteSize?> _payload = SharedOptions.Size("--payload", "Bytes per operation (default 64B; --op cas: 8B).");
    private readonly Option<string?> _distribution = SharedOptions.Choice("--distribution", "Which addresses: uniform and sequential over payload-sized slots, zipf over pages (default zipf).", KeyDistribution.Names);
    private readonly Option<double?> _theta = SharedOptions.Number("--theta", "How skewed zipf is (default 0.99).", 0.01, 10);
    private readonly Option<ByteSize?> _range = SharedOptions.Size("--range", "Memory that is used (default 64MiB).");
    private readonly Option<long?> _operations = SharedOptions.Count("--operations", "End after so many operations, all clients together.", 1);
    private readonly Option<Duration?> _duration = SharedOptions.Time("--duration", "End after this time (default 5s).");
    private readonly Option<Duration?> _warmup = SharedOptions.Time("--warmup", "Not measured before (default 1s).");
    private readonly Option<string?> _operation = SharedOptions.Choice("--op", "What is done (default read).", WorkloadSpec.Operations);
    private readonly Option<double?> _mix = SharedOptions.Number("--mix", "With --op mixed: the share of writes (default 0.5).", 0, 1);
    private readonly Option<string?> _policy = SharedOptions.Policy();
    private readonly Option<long?> _bornIn = SharedOptions.Count("--born-in", "The rack that allocates the pages, from 0 (default 0).", 0, 63);
    private readonly Option<long?> _runIn = SharedOptions.Count("--run-in", "The rack of the clients, from 0 (default: that of --born-in).", 0, 63);
    private readonly Option<bool> _baseline = new("--baseline") { Description = "Also time rack hits, and plain copies from the same mapping at the same addresses, in batches." };
    private readonly Option<string?> _csv = SharedOptions.Text("--csv", "FILE", "Add a row with the result to this file.");
    private readonly Option<bool> _json = SharedOptions.Json();

    public BenchCommand()
        : base("rw", About)
    {
        foreach (var option in new Option[]
        {
            _config, _racks, _clients, _threads, _payload, _distribution, _theta, _range, _operations, _duration, _warmup, _operation, _mix, _policy, _bornIn, _runIn, _baseline,
            _csv, _json,
        })
        {
            Add(option);
        }
    }

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var options = Read(context);
        options.Validate();
        var json = context.Get(_json);
        var result = await new BenchRun(options, (json ? context.Error : context.Out).WriteLine).RunAsync(ct);
        if (options.CsvPath is { } csv) result.AppendTo(csv);
        if (json) JsonOutput.Write(context.Out, result);
        else Print(context.Out, result);
        return result.Ok ? ExitCodes.Done : ExitCodes.CheckFailed;
    }

    private BenchOptions Read(CommandContext context)
    {
        var defaults = new BenchOptions();
        var operation = context.Get(_operation) ?? defaults.Operation;
        var bornIn = (int)(context.Get(_bornIn) ?? defaults.BornIn);
        Refuse(context, _operations, _duration);
        foreach (var own in new Option[] { _racks, _policy, _bornIn, _runIn }) Refuse(context, _config, own);
        if (context.Has(_mix) && operation != WorkloadSpec.Mixed) throw CommandException.Usage("--mix needs --op mixed");
        return new BenchOptions
        {
            Configuration = context.Get(_config),
            Racks = (int)(context.Get(_racks) ?? defaults.Racks),
            Clients = (int)(context.Get(_clients) ?? defaults.Clients),
            Threads = (int)(context.Get(_threads) ?? defaults.Threads),
            Payload = context.Get(_payload) ?? (operation == WorkloadSpec.CompareAndSwap ? new ByteSize(sizeof(ulong)) : defaults.Payload),
            Distribution = context.Get(_distribution) ?? defaults.Distribution,
            Theta = context.Get(_theta) ?? defaults.Theta,
            Range = context.Get(_range) ?? defaults.Range,
            Operations = context.Get(_operations) ?? 0,
            Duration = context.Get(_duration) ?? defaults.Duration,
            Warmup = context.Get(_warmup) ?? defaults.Warmup,
            Operation = operation,
            WriteShare = context.Get(_mix) ?? defaults.WriteShare,
            Policy = context.Get(_policy) ?? defaults.Policy,
            BornIn = bornIn,
            RunIn = (int)(context.Get(_runIn) ?? bornIn),
            Baseline = context.Get(_baseline),
            CsvPath = context.Get(_csv),
        };
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
