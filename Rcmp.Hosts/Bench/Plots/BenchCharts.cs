using System.Globalization;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Bench.Plots;

/// <summary>What there is to show in the results of a sweep: no more than was measured.</summary>
internal sealed class BenchCharts(BenchSweep sweep, IReadOnlyList<BenchResult> results)
{
    private static readonly (string Name, Func<BenchResult, double> Of)[] Percentiles =
        [("mean", r => r.LatencyNs.Mean), ("p50", r => r.LatencyNs.P50), ("p99", r => r.LatencyNs.P99), ("p99.9", r => r.LatencyNs.P999)];

    private static ChartAxis LatencyAxis => new("latency", Latency.Short, Logarithmic: true);

    private BenchOptions Common => sweep.Common;

    public IReadOnlyList<Chart> Charts()
    {
        List<Chart> charts = [];
        if (Payloads.Count > 1) charts.Add(LatencyByPayload());
        if (ThreadCounts.Count > 1) charts.Add(ThroughputByThreads());
        if (results.Any(r => r.Intervals is { Count: > 0 })) charts.Add(LatencyOverTime());
        if (Policies.Count > 1) charts.Add(PoliciesCompared());
        return charts;
    }

    private List<long> Payloads => [.. results.Select(r => r.Payload).Distinct().Order()];

    private List<int> ThreadCounts => [.. results.Select(r => r.Threads).Distinct().Order()];

    private List<string> Policies => [.. results.Select(r => r.Policy).Distinct()];

    /// <summary>What all results have in common.</summary>
    private string Subtitle
    {
        get
        {
            var parts = new List<string> { Common.Operation, Common.Distribution + (Common.Distribution == "zipf" ? " " + Common.Theta.ToString(CultureInfo.InvariantCulture) : "") };
            if (Payloads.Count == 1 || ThreadCounts.Count == 1)
                parts.Add(BenchSweep.Name(null, Payloads.Count == 1 ? Payloads[0] : null, ThreadCounts.Count == 1 ? ThreadCounts[0] : null));
            if (Common.Clients > 1) parts.Add($"{Common.Clients} clients");
            if (Policies.Count == 1) parts.Add("policy " + Policies[0]);
            return string.Join(", ", parts);
        }
    }

    private Chart LatencyByPayload()
    {
        List<ChartSeries> series = [];
        var color = 0;
        foreach (var group in results.GroupBy(r => (r.Policy, r.Threads)))
        {
            var name = NameWithout(group.First(), payload: true);
            series.Add(new ChartSeries(Join(name, "p50"), [.. group.Select(r => new ChartPoint(r.Payload, r.LatencyNs.P50))], color));
            series.Add(new ChartSeries(Join(name, "p99"), [.. group.Select(r => new ChartPoint(r.Payload, r.LatencyNs.P99))], color++, Pale: true));
        }
        return new Chart
        {
            Name = "latency-by-payload",
            Title = $"Latency against payload ({Subtitle})",
            X = new ChartAxis("payload", v => new ByteSize((long)v).ToString(), Logarithmic: true, [.. Payloads.Select(p => (double)p)]),
            Y = LatencyAxis,
            Series = series,
        };
    }

    private Chart ThroughputByThreads()
    {
        List<ChartSeries> series = [];
        foreach (var group in results.GroupBy(r => (r.Policy, r.Payload)))
        {
            var name = NameWithout(group.First(), threads: true);
            series.Add(new ChartSeries(name.Length > 0 ? name : "all threads", [.. group.Select(r => new ChartPoint(r.Threads, r.ThroughputPerSecond))], series.Count));
        }
        return new Chart
        {
            Name = "throughput-by-threads",
            Title = $"Throughput against threads ({Subtitle})",
            X = new ChartAxis(Common.Clients > 1 ? $"threads of each of {Common.Clients} clients" : "threads", v => v.ToString("0", CultureInfo.InvariantCulture), Ticks: [.. ThreadCounts.Select(t => (double)t)]),
            Y = new ChartAxis("operations a second", RoundCount),
            Series = series,
        };
    }

    private Chart LatencyOverTime()
    {
        // Of one combination, all; of several, what tells them apart best.
        var series = results.Count == 1
            ? Lines(results[0], ("mean", i => i.MeanNs), ("p50", i => i.P50), ("p99", i => i.P99))
            : [.. results.Select((r, i) => Line(sweep.NameOf(r.Policy, r.Payload, r.Threads), r, interval => interval.MeanNs, i))];
        var shift = Common.Shift.Value.TotalSeconds;
        return new Chart
        {
            Name = "latency-over-time",
            Title = $"{(results.Count == 1 ? "Latency" : "Mean latency")} while the hot set moves every {Common.Shift} ({Subtitle})",
            X = new ChartAxis("seconds", v => v.ToString("0.##", CultureInfo.InvariantCulture)),
            Y = LatencyAxis,
            Series = series,
            MarksName = "hot set moves",
            Marks = [.. Enumerable.Range(1, (int)Math.Min(1000, (Common.Duration.Value.TotalSeconds - 1e-9) / shift)).Select(i => i * shift)],
        };
    }

    private static List<ChartSeries> Lines(BenchResult result, params (string Name, Func<BenchInterval, double> Of)[] lines) => [.. lines.Select((l, i) => Line(l.Name, result, l.Of, i))];

    /// <summary>A point stands in the middle of its interval.</summary>
    private static ChartSeries Line(string name, BenchResult result, Func<BenchInterval, double> of, int color)
    {
        List<ChartPoint> points = [];
        var begin = 0.0;
        foreach (var interval in result.Intervals ?? [])
        {
            points.Add(new ChartPoint((begin + interval.Second) / 2, of(interval)));
            begin = interval.Second;
        }
        return new ChartSeries(name, points, color);
    }

    private Chart PoliciesCompared()
    {
        var others = results.Select(r => (r.Payload, r.Threads)).Distinct().ToList();
        var policies = Policies;
        // One combination: its percentiles side by side; several: the mean of each.
        var bars = policies.Select((policy, color) => new ChartSeries(policy, others.Count == 1
            ? [.. results.Where(r => r.Policy == policy).SelectMany(r => Percentiles.Select((p, i) => new ChartPoint(i, p.Of(r))))]
            : [.. results.Where(r => r.Policy == policy).Select(r => new ChartPoint(others.IndexOf((r.Payload, r.Threads)), r.LatencyNs.Mean))], color));
        return new Chart
        {
            Name = "policies",
            Title = $"{(others.Count == 1 ? "Latency" : "Mean latency")} by policy ({Subtitle})",
            X = new ChartAxis("", v => v.ToString(CultureInfo.InvariantCulture)),
            Y = LatencyAxis,
            Groups = others.Count == 1 ? [.. Percentiles.Select(p => p.Name)] : [.. others.Select(o => BenchSweep.Name(null, Payloads.Count > 1 ? o.Payload : null, ThreadCounts.Count > 1 ? o.Threads : null))],
            Series = [.. bars],
        };
    }

    private string NameWithout(BenchResult result, bool payload = false, bool threads = false) => BenchSweep.Name(
        Policies.Count > 1 ? result.Policy : null, !payload && Payloads.Count > 1 ? result.Payload : null, !threads && ThreadCounts.Count > 1 ? result.Threads : null);

    // Ticks are round: 2 M beside 10 M, where a count that was measured shows more digits.
    private static string RoundCount(double value)
    {
        var (by, unit) = value switch { >= 1e9 => (1e9, " G"), >= 1e6 => (1e6, " M"), >= 1e3 => (1e3, " k"), _ => (1, "") };
        return (value / by).ToString("0.##", CultureInfo.InvariantCulture) + unit;
    }

    private static string Join(string name, string percentile) => name.Length == 0 ? percentile : $"{name}, {percentile}";
}
