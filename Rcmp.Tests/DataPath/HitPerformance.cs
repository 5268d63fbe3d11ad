using Rcmp.DataPath;

namespace Rcmp.Tests.DataPath;

/// <summary>Needs a quiet machine and a Release build; run with <c>-trait Tier=perf</c>. The bounds tell a defect from noise; what is aimed at, and what stands in the way, is in docs/performance.md.</summary>
[Trait("Tier", "perf")]
public sealed class HitPerformance(ITestOutputHelper output)
{
    [Theory]
    [InlineData(1L << 30, 4096, 2.1)]
    [InlineData(1L << 30, 65536, 1.9)]
    [InlineData(16L << 20, 4096, 1.7)]
    public void ARackHitCostsLittleMoreThanACopy(long range, int pageSize, double ratioMax)
    {
        using var rack = new HandDrivenRack(pageSize: pageSize, regionBytes: range + (range >> 2) + (32 << 20));
        var pages = (int)(range / rack.PageSize);
        rack.PlaceFirst(pages);
        for (var i = 0; i < pages; i++)
            rack.Region.FrameSpan(new FrameIndex((uint)i)).Fill((byte)i);
        using var pool = rack.Connect(new FakeControlPlane());
        var random = new Random(42);
        // Enough that the lines read are not in a cache when the list begins anew, or as many as the hot range has: the list itself must not
        // push the range out of the cache.
        var addresses = new GAddr[Math.Min(1 << 20, range / 128)];
        for (var i = 0; i < addresses.Length; i++)
            addresses[i] = rack.Address(1) + random.NextInt64(range / 64) * 64;
        var result = new HitBenchmark(pool, addresses).Run(TimeSpan.FromSeconds(3));
        output.WriteLine($"{range >> 20} MiB in pages of {pageSize}: rack hit {result.RackHitMeanNs:F2} ns, plain copy {result.PlainCopyMeanNs:F2} ns, ratio {result.Ratio:F2}");
        Assert.True(result.Ratio <= ratioMax, $"{result}");
    }
}
