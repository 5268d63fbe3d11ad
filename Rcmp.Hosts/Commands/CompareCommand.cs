using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Rcmp.Hosts.Bench.Compare;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Commands;

internal sealed class CompareCommand : RcmpCommand
{
    private const string About =
        "Measure the pool against what one would use in its place, all in one run on this machine: a plain copy, a client cache of the C++ original's shape, bare C over the same "
        + "wire, other policies, Redis, Garnet and OpenMPI if they are here; and what happens once against its limit. Needs a machine with nothing else to do; ratios and medians count, not times. "
        + "Exits 1 if a ratio falls behind its floor.";

    private readonly Option<bool> _quick = new("--quick") { Description = "Shorter measurements: some four minutes." };
    private readonly Option<string?> _only = SharedOptions.Choice("--only", "One part of the table (default: all of it).", CompareRun.Groups);
    private readonly Option<ByteSize?> _range = SharedOptions.Size("--range", "Memory of the large hit comparison (default 1GiB).");
    private readonly Option<bool> _json = SharedOptions.Json();

    public CompareCommand()
        : base("compare", About)
    {
        Add(_quick);
        Add(_only);
        Add(_range);
        Add(_json);
    }

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var quick = context.Get(_quick);
        var plan = quick ? ComparePlan.Quick : ComparePlan.Full;
        if (context.Get(_range) is { } range)
        {
            if (range.Bytes is < 16 << 20 or > 64L << 30) throw CommandException.Usage($"--range: {range} is not from 16MiB to 64GiB");
            plan = plan with { Range = range.Bytes >> 20 << 20 };
        }

        var json = context.Get(_json);
        var started = Stopwatch.GetTimestamp();
        var rows = await new CompareRun(plan, (json ? context.Error : context.Out).WriteLine).RunAsync(context.Get(_only), ct);
        var ok = !rows.Any(row => row.FailsRun);
        if (json) JsonOutput.Write(context.Out, new CompareResult(ok, quick, plan.Rounds, Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 1), rows));
        else Print(context.Out, rows);
        return ok ? ExitCodes.Done : ExitCodes.CheckFailed;
    }

    private static void Print(TextWriter writer, IReadOnlyList<CompareRow> rows)
    {
        string[] titles = ["what", "measured", "against", "measured", "ratio", "floor", "aim", ""];
        foreach (var line in PlainTable.Lines(titles, [.. rows.Select(Cells)])) writer.WriteLine(line);
    }

    private static string[] Cells(CompareRow row)
    {
        if (row.Skipped is { } why) return [row.What, "", row.Against, "", "", "", "", "skipped: " + why];
        var sign = row.Kind == RatioKind.Cost ? "<= " : ">= ";
        string Held(double? value) => value is not { } held ? "" : sign + (row.Reported ? Value(held, row.Unit) : Text(held));
        return
        [
            row.What, Value(row.Measured, row.Unit), row.Against, row.Reported ? "" : Value(row.Baseline, row.Unit), row.Reported ? "" : Text(row.Ratio), Held(row.Floor), Held(row.Aim),
            row.Met ? "" : row.FailsRun ? "BEHIND" : "above",
        ];
    }

    private static string Value(double value, string unit) => unit switch
    {
        "ns" => value < 10_000 ? Text(value) + " ns" : Latency.Short(value),
        _ => Counts.Short(value) + unit.TrimStart('1'),
    };

    private static string Text(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
