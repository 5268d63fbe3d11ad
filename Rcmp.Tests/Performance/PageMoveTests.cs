using System.Diagnostics;
using Rcmp.Tests.Embedded;
using Rcmp.Tests.Processes;

namespace Rcmp.Tests.Performance;

/// <summary>How long it takes to bring a page to the other rack, end to end: asked for by a client, moved by daemons and directory in other
/// processes, and usable. A page that is taken back at once waits for its last move to be settled, which nobody else does: so pages are moved in turn, and the
/// other case is told beside it.</summary>
[Trait("Tier", "perf")]
public sealed class PageMoveTests
{
    private const int Moves = 1000;
    // Until the JIT of three processes has nothing left to recompile.
    private const int WarmUp = 3000;
    private const int PagesInTurn = 64;

    // A bound that tells a defect from noise. What is aimed at, and what stands in the way, is in docs/performance.md.
    private static readonly TimeSpan MedianMax = TimeSpan.FromMilliseconds(6);

    [Fact]
    public async Task APageMovesInAFewMillisecondsAtTheMedian()
    {
        await using var processes = await ProcessPool.StartAsync(2, ("rcmp.swap.policy", "direct-io"));
        await using var first = await RcmpPool.ConnectAsync(processes.Cluster.ClientConfiguration(0));
        await using var second = await RcmpPool.ConnectAsync(processes.Cluster.ClientConfiguration(1));
        await MeasureAsync("processes", first, second);
    }

    /// <summary>The same protocol without processes and network: what is left is the network's.</summary>
    [Fact]
    public async Task InsideOneProcessAPageMovesFasterStill()
    {
        await using var pools = await EmbeddedPools.StartAsync(new EmbeddedPoolOptions { Racks = 2, RegionSize = 32 << 20, Policy = SwapPolicy.DirectIo });
        await MeasureAsync("embedded", pools.Connect(0), pools.Connect(1));
    }

    private static async Task MeasureAsync(string what, IMemoryPool first, IMemoryPool second)
    {
        var pages = await first.AllocatePagesAsync(PagesInTurn);
        await TimeAsync($"{what}, one page back and forth", first, second, pages, 1);
        var median = await TimeAsync($"{what}, {PagesInTurn} pages in turn", first, second, pages, PagesInTurn);
        Assert.True(median < MedianMax, $"{median}");
    }

    private static async Task<TimeSpan> TimeAsync(string what, IMemoryPool first, IMemoryPool second, GAddr pages, int inTurn)
    {
        var times = new List<TimeSpan>();
        for (var i = 0; i < WarmUp + Moves; i++)
        {
            // Each page changes sides every time it comes round.
            var pool = i / inTurn % 2 == 0 ? second : first;
            var page = pages + (long)(i % inTurn) * pool.Info.PageSize;
            var start = Stopwatch.GetTimestamp();
            using (await pool.PinAsync(page)) times.Add(Stopwatch.GetElapsedTime(start));
        }

        times.RemoveRange(0, WarmUp);
        times.Sort();
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"page move, {what}: p50 {times[Moves / 2].TotalMicroseconds:0} µs, p90 {times[Moves * 9 / 10].TotalMicroseconds:0} µs, p99 {times[Moves * 99 / 100].TotalMicroseconds:0} µs");
        return times[Moves / 2];
    }
}
