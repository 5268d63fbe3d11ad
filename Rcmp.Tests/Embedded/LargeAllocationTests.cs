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
        var allocation = pool.AllocatePagesAsync(Pages).AsTask();
        // Each question and each small allocation waits for a step at most, not for all of them.
        var answered = 0;
        while (!allocation.IsCompleted)
        {
            await host.StatusAsync();
            await other.AllocatePagesAsync(1);
            answered++;
        }

        Assert.True(answered >= 10, $"the rack answered {answered} times while {Pages} pages were allocated");
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
        var free = (await host.StatusAsync()).FramesFree;
        var leaving = pools.Cluster.Connect(0);
        var allocation = ((IMemoryPool)leaving).AllocatePagesAsync(40_000).AsTask();
        await Eventually.TrueAsync(async () => (await host.StatusAsync()).Resident > 0, "the first step");
        await leaving.DisposeAsync();
        Assert.NotNull(await Record.ExceptionAsync(() => allocation));
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
        Assert.True((await pools.Cluster.Racks[1].StatusAsync()).Resident >= 3000);
    }
}
