using Rcmp.Hosts.Workloads;

namespace Rcmp.Tests.Hosts;

public sealed class KeyDistributionTests
{
    [Theory]
    [InlineData(0.5)]
    [InlineData(0.99)]
    [InlineData(1.0)]
    [InlineData(1.5)]
    public void ZipfDrawsEachKeyByItsWeight(double theta)
    {
        const int Keys = 100;
        const int Draws = 400_000;
        var keys = new ZipfKeys(Keys, theta, 42);
        var counts = new long[Keys];
        for (var i = 0; i < Draws; i++) counts[keys.Next()]++;

        var sum = Enumerable.Range(1, Keys).Sum(k => Math.Pow(k, -theta));
        foreach (var k in new[] { 1, 2, 3, 10, 50, 100 })
        {
            var expected = Draws * Math.Pow(k, -theta) / sum;
            // Five standard deviations: fails once in millions of seeds, and the seed is fixed.
            Assert.InRange(counts[k - 1], expected - 5 * Math.Sqrt(expected), expected + 5 * Math.Sqrt(expected));
        }
    }

    [Theory]
    [InlineData(KeyDistribution.Uniform)]
    [InlineData(KeyDistribution.Zipf)]
    [InlineData(KeyDistribution.Sequential)]
    public void EveryDistributionStaysWithinItsKeys(string name)
    {
        foreach (var count in new long[] { 1, 2, 3, 1000 })
        {
            var keys = KeyDistribution.Create(name, count, 0.99, 7, 1, 2);
            for (var i = 0; i < 5000; i++) Assert.InRange(keys.Next(), 0, count - 1);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(10)]
    [InlineData(4096)]
    [InlineData(10007)]
    public void ScatterIsAPermutation(long count)
    {
        var scatter = new Scatter(count, 3);

        var seen = Enumerable.Range(0, (int)count).Select(i => scatter[i]).ToHashSet();

        Assert.Equal(count, seen.Count);
        Assert.All(seen, key => Assert.InRange(key, 0, count - 1));
    }

    [Theory]
    [InlineData(KeyDistribution.Uniform, 64)]
    [InlineData(KeyDistribution.Zipf, 100)]
    [InlineData(KeyDistribution.Sequential, 4096)]
    [InlineData(KeyDistribution.Uniform, 8192)]
    [InlineData(KeyDistribution.Sequential, 6000)]
    [InlineData(KeyDistribution.Zipf, 6000)]
    public void NoOperationLeavesTheRange(string distribution, int payload)
    {
        var first = new GAddr(0x1000_0000);
        var spec = new WorkloadSpec { Address = first, Pages = 9, Payload = payload, Distribution = distribution };
        var source = new AddressSource(spec, 4096, 0, 11);

        for (var i = 0; i < 10_000; i++)
        {
            var offset = source.Next() - first;
            Assert.InRange(offset, 0, 9 * 4096 - payload);
            if (payload <= 4096) Assert.True(offset / 4096 == (offset + payload - 1) / 4096, "an operation crosses a page");
        }
    }

    [Fact]
    public void PairsCarryAHistogramWhole()
    {
        var histogram = new LatencyHistogram();
        for (var i = 1; i <= 1000; i++) histogram.Record(i * 10);
        var copy = new LatencyHistogram();

        copy.Add(histogram.ToPairs());

        Assert.Equal(histogram.Count, copy.Count);
        foreach (var percentile in new[] { 1.0, 50, 99, 99.9, 100 }) Assert.Equal(histogram.Percentile(percentile), copy.Percentile(percentile));
    }
}
