using System.Globalization;
using System.Text.Json.Serialization;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Bench;

/// <summary>Latencies in nanoseconds.</summary>
internal sealed record BenchLatency(double Mean, long P50, long P99, long P999, long P9999, long Max)
{
    public static BenchLatency Of(LatencyHistogram histogram) => new(
        Math.Round(histogram.Mean, 1), histogram.Percentile(50), histogram.Percentile(99), histogram.Percentile(99.9), histogram.Percentile(99.99), histogram.Max);
}

/// <summary>What <c>bench rw --json</c> prints.</summary>
internal sealed record BenchResult
{
    public required bool Ok { get; init; }

    public required string Policy { get; init; }

    public required string Distribution { get; init; }

    public required double Theta { get; init; }

    public required long Payload { get; init; }

    public required int Threads { get; init; }

    public required int Clients { get; init; }

    public required string Op { get; init; }

    public required long Range { get; init; }

    public required long Operations { get; init; }

    public required double ThroughputPerSecond { get; init; }

    public required BenchLatency LatencyNs { get; init; }

    public required BenchLatency RackHitLatencyNs { get; init; }

    public required BenchLatency DirectIoLatencyNs { get; init; }

    public required long RackHits { get; init; }

    public required long DirectIo { get; init; }

    public required long Swaps { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? RackHitMeanNs { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? PlainCopyMeanNs { get; init; }

    private (string Name, object? Value)[] Columns() =>
    [
        ("time", DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)), ("policy", Policy), ("distribution", Distribution), ("theta", Theta),
        ("payload", Payload), ("threads", Threads), ("clients", Clients), ("op", Op), ("range", Range), ("operations", Operations),
        ("throughputPerSecond", ThroughputPerSecond), ("mean", LatencyNs.Mean), ("p50", LatencyNs.P50), ("p99", LatencyNs.P99), ("p999", LatencyNs.P999),
        ("p9999", LatencyNs.P9999), ("max", LatencyNs.Max), ("rackHits", RackHits), ("directIo", DirectIo), ("swaps", Swaps),
        ("rackHitMeanNs", RackHitMeanNs), ("plainCopyMeanNs", PlainCopyMeanNs),
    ];

    /// <summary>Adds a row; a new file gets the names first.</summary>
    public void AppendTo(string csvPath)
    {
        var columns = Columns();
        if (!File.Exists(csvPath) || new FileInfo(csvPath).Length == 0) File.AppendAllText(csvPath, string.Join(',', columns.Select(c => c.Name)) + "\n");
        File.AppendAllText(csvPath, string.Join(',', columns.Select(c => Convert.ToString(c.Value, CultureInfo.InvariantCulture))) + "\n");
    }
}
