using System.Diagnostics;
using System.Globalization;

namespace Rcmp.Tests.Embedded;

/// <summary>Clearing the frames of a large allocation takes long, and nobody else waits for it.</summary>
public sealed class LargeAllocationTests
{
    private const int Pages = 100_000;

    [Fact]
    public async Task ARackServesOthersWhileItClearsTheFramesOfALargeAllocation()
    {
        await using var pools = await EmbeddedPools.StartAsync(new EmbeddedPoolOptions { Racks = 1, RegionSize = 480L << 20 });
        var pool = pools.Connect(0);
        var other = pools.Connect(0);
        var host = pools.Cluster.Racks[0];
        // What runs for the first time is compiled on the way, and may take longer than the allocation.
        for (var i = 0; i < 50; i++)
        {
            await host.StatusAsync();
            await other.AllocatePagesAsync(1);
        }

        var allocation = pool.AllocatePagesAsync(Pages).AsTask();
        // Nobody who asks waits for all of the steps: made in one, the allocation would never be seen half done. How often it is depends on the machine.
        var (asked, allocated) = (0, 0);
        while (!allocation.IsCompleted)
        {
            if ((await host.StatusAsync()).Resident is > 1000 and < Pages - 1000) asked++;
            await other.AllocatePagesAsync(1);
            if ((await host.StatusAsync()).Resident is > 1000 and < Pages - 1000) allocated++;
        }

        Assert.True(asked >= 1 && allocated >= 1, $"while {Pages} pages were allocated the rack answered {asked} questions and {allocated} small allocations");
        var address = await allocation;
        foreach (var page in (long[])[0, 1, 1023, 1024, Pages / 2, Pages - 1])
        {
            var there = address + page * 4096;
            Assert.Equal(0UL, pool.Read<ulong>(there));
            pool.Write(there, (ulong)page + 1);
        }

        Assert.Equal((ulong)Pages, pool.Read<ulong>(address + (Pages - 1L) * 4096));
    }

    [Fact]
    public async Task WhoeverAsksWhileTheRackIsIdleIsNotKeptWithTheStepsThatCome()
    {
        await using var pools = await EmbeddedPools.StartAsync(new EmbeddedPoolOptions { Racks = 1, RegionSize = 240L << 20 });
        var pool = pools.Connect(0);
        var other = pools.Connect(0);
        var host = pools.Cluster.Racks[0];
        const int count = Pages / 2;
        var shares = new List<double>();
        // Of three, since the machine may stop us once.
        for (var round = 0; round < 3; round++)
        {
            var whole = Stopwatch.StartNew();
            var longest = TimeSpan.Zero;
            var allocation = pool.AllocatePagesAsync(count).AsTask();
            while (!allocation.IsCompleted)
            {
                var turn = Stopwatch.StartNew();
                await host.StatusAsync();
                await other.AllocatePagesAsync(1);
                if (turn.Elapsed > longest) longest = turn.Elapsed;
            }

            shares.Add(longest / whole.Elapsed);
            await pool.FreePagesAsync(await allocation, count);
        }

        Assert.True(shares.Order().ElementAt(1) < 0.5, $"of the time of an allocation somebody else waited {string.Join(", ", shares.Select(s => s.ToString("0.00", CultureInfo.InvariantCulture)))}");
    }

    [Fact]
    public async Task NoByteOfAPageThatWasFreedIsSeenInAPageAllocatedInSteps()
    {
        await using var pools = await EmbeddedPools.StartAsync(new EmbeddedPoolOptions { Racks = 1, RegionSize = 48L << 20 });
        var pool = pools.Connect(0);
        const int count = 6000;
        var junk = new byte[4096];
        Array.Fill(junk, (byte)0xAA);
        var first = await pool.AllocatePagesAsync(count);
        for (var page = 0L; page < count; page++) pool.Write(first + page * 4096, junk);
        await pool.FreePagesAsync(first, count);
        var second = await pool.AllocatePagesAsync(count);
        var seen = new byte[4096];
        for (var page = 0L; page < count; page++)
        {
            pool.Read(second + page * 4096, seen);
            Assert.True(seen.AsSpan().IndexOfAnyExcept((byte)0) < 0, $"page {page}");
        }
    }

    [Fact]
    public async Task ASessionThatEndsWhileItsPagesAreMadeLeavesNoneBehind()
    {
        await using var pools = await EmbeddedPools.StartAsync(new EmbeddedPoolOptions { Racks = 1, RegionSize = 200L << 20 });
        var host = pools.Cluster.Racks[0];
        var pool = pools.Connect(0);
        var free = (await host.StatusAsync()).FramesFree;
        for (var interrupted = false; !interrupted;)
        {
            var leaving = pools.Cluster.Connect(0);
            var allocation = ((IMemoryPool)leaving).AllocatePagesAsync(40_000).AsTask();
            await leaving.DisposeAsync();
            // It may have been the quicker one: then the pages are there to stay.
            interrupted = await Record.ExceptionAsync(() => allocation) is not null;
            if (!interrupted) await pool.FreePagesAsync(await allocation, 40_000);
        }

        await Eventually.TrueAsync(async () => (await host.StatusAsync()) is { Resident: 0 } status && status.FramesFree == free, "every frame to be free again", TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task PagesInTheOtherRacksFramesAreMadeInStepsToo()
    {
        await using var pools = await EmbeddedPools.StartAsync(new EmbeddedPoolOptions { Racks = 2, RegionSize = 32L << 20, Timeout = TimeSpan.FromSeconds(30) });
        var pool = pools.Connect(0);
        var free = (await pools.Cluster.Racks[0].StatusAsync()).FramesFree;
        var count = free + 3000;
        var address = await pool.AllocatePagesAsync(count);
        pool.Write(address, 1UL);
        pool.Write(address + (count - 1) * 4096, 2UL);
        Assert.Equal(1UL, pool.Read<ulong>(address));
        Assert.Equal(2UL, pool.Read<ulong>(address + (count - 1) * 4096));
        // A page that was touched may have moved since.
        Assert.True((await pools.Cluster.Racks[1].StatusAsync()).Resident >= 2990);
    }
}
