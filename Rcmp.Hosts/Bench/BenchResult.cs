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

    /// <summary>With --rate: what each thread meant to start a second.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public double Rate { get; init; }

    /// <summary>With --shift: how often the hot set moved.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public double ShiftSeconds { get; init; }

    /// <summary>With --shift.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<BenchInterval>? Intervals { get; init; }

    /// <summary>With --nodes.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Node { get; init; }
}

/// <summary>A part of a measurement; <c>Second</c> is when it ended, counted from the start.</summary>
internal sealed record BenchInterval(double Second, double MeanNs, long P50, long P99, double ThroughputPerSecond, long RackHits, long DirectIo);

/// <summary>What <c>bench rw --json</c> prints when there was more to measure than one combination. Ok: all of them were measured.</summary>
internal sealed record BenchResults(bool Ok, IReadOnlyList<BenchResult> Results);
