using System.Diagnostics;
using Rcmp.DataPath;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Tests.Hosts;

public sealed class WorkloadPaceTests
{
    [Fact]
    public void OperationsAreMeantToStartAtASteadyRateWhateverTheyTake()
    {
        var pace = new Pace(1000, 5_000, 0.5);
        var step = Stopwatch.Frequency / 1000;

        Assert.Equal([5_000 + step / 2, 5_000 + step * 3 / 2, 5_000 + step * 5 / 2], Enumerable.Range(0, 3).Select(_ => pace.Next()));
    }

    [Fact]
    public void AnotherHotSetIsAnotherPageThatComesMostOften()
    {
        var spec = new WorkloadSpec { Address = new GAddr(1 << 21), Pages = 1000, Theta = 2 };
        var source = new AddressSource(spec, 4096, 0, 1);
        var twin = new AddressSource(spec, 4096, 0, 2);

        var first = HottestPage(source);
        source.MoveHotSet();
        var second = HottestPage(source);
        twin.MoveHotSet();

        Assert.NotEqual(first, second);
        Assert.Equal(second, HottestPage(twin));
    }

    [Fact]
    public async Task AtARateTheWorkloadTakesTheTimeThatItsOperationsNeed()
    {
        await using var pool = await RcmpPool.StartEmbeddedAsync();
        var address = await pool.AllocatePagesAsync(16);
        var spec = new WorkloadSpec { Address = address, Pages = 16, Threads = 2, Rate = 500, Count = 200, ReportSeconds = 0.05 };
        var reported = 0;

        var report = await new WorkloadRunner(pool, () => ((PoolClient)pool).Statistics, spec).RunAsync(_ => Interlocked.Increment(ref reported), TestContext.Current.CancellationToken);

        Assert.Equal(200, report.Operations);
        // The hundredth operation of a thread is meant to start 198 ms after the first.
        Assert.True(report.ElapsedNs >= 190_000_000, $"{report.ElapsedNs} ns");
        Assert.True(reported > 0);
    }

    private static long HottestPage(AddressSource source) =>
        Enumerable.Range(0, 2000).Select(_ => (long)(source.Next().Value / 4096)).GroupBy(page => page).MaxBy(group => group.Count())!.Key;
}
