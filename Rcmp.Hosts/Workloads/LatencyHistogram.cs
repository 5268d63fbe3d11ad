using HdrHistogram;

namespace Rcmp.Hosts.Workloads;

/// <summary>Latencies in nanoseconds, three digits exact, up to a minute. Travels as pairs of value and count.</summary>
internal sealed class LatencyHistogram
{
    private const long HighestNs = 60_000_000_000;

    private readonly LongHistogram _histogram = new(HighestNs, 3);

    public long Count => _histogram.TotalCount;

    public void Record(long nanoseconds) => _histogram.RecordValue(Math.Clamp(nanoseconds, 0, HighestNs));

    public void Record(long nanoseconds, long count) => _histogram.RecordValueWithCount(Math.Clamp(nanoseconds, 0, HighestNs), count);

    public void Add(LatencyHistogram other) => _histogram.Add(other._histogram);

    public void Add(IReadOnlyList<long[]> pairs)
    {
        foreach (var pair in pairs) Record(pair[0], pair[1]);
    }

    public void Clear() => _histogram.Reset();

    public double Mean => Count == 0 ? 0 : _histogram.GetMean();

    public long Max => Count == 0 ? 0 : _histogram.GetMaxValue();

    public long Percentile(double percentile) => Count == 0 ? 0 : _histogram.GetValueAtPercentile(percentile);

    public List<long[]> ToPairs() => [.. _histogram.RecordedValues().Select(v => new[] { v.ValueIteratedTo, v.CountAtValueIteratedTo })];
}
