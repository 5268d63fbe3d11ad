using Rcmp.Hosts.Bench;
using Rcmp.Hosts.Cli;

namespace Rcmp.Tests.Hosts;

/// <summary>Results of a sweep that nobody measured.</summary>
internal static class MadeUpResults
{
    public static BenchSweep Sweep(string policies = "adaptive", string payloads = "64B", string threads = "1", string? shift = null) =>
        new(new BenchOptions { HasShift = shift is not null, Shift = shift is not null && Duration.TryParse(shift, out var time) ? time : default })
        {
            Policies = policies.Split(','),
            Payloads = [.. payloads.Split(',').Select(ByteSize.Parse)],
            Threads = [.. threads.Split(',').Select(int.Parse)],
        };

    public static IReadOnlyList<BenchResult> Of(BenchSweep sweep) => [.. sweep.Points.Select((p, i) => Of(p, 100 * (i + 1)))];

    private static BenchResult Of(BenchOptions options, long ns)
    {
        var latency = new BenchLatency(ns * 1.5, ns, ns * 10, ns * 100, ns * 1000, ns * 2000);
        return new BenchResult
        {
            Ok = true,
            Policy = options.Policy,
            Distribution = options.Distribution,
            Theta = options.Theta,
            Payload = options.Payload.Bytes,
            Threads = options.Threads,
            Clients = 1,
            Op = options.Operation,
            Range = 1 << 20,
            Operations = 1000,
            ThroughputPerSecond = 1e9 / ns * options.Threads,
            LatencyNs = latency,
            RackHitLatencyNs = latency,
            DirectIoLatencyNs = new BenchLatency(0, 0, 0, 0, 0, 0),
            RackHits = 1000,
            DirectIo = 0,
            Swaps = 3,
            ShiftSeconds = options.Shift.Value.TotalSeconds,
            Intervals = options.HasShift ? [.. Enumerable.Range(1, 10).Select(i => new BenchInterval(i * 0.5, ns * (1 + i % 4), ns, ns * 10, 1e6, 100, 10))] : null,
        };
    }
}
