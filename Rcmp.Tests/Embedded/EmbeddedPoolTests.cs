using System.Security.Cryptography;

namespace Rcmp.Tests.Embedded;

public sealed class EmbeddedPoolTests
{
    private static readonly EmbeddedPoolOptions TwoRacks = new() { Racks = 2, RegionSize = 32 << 20 };

    [Fact]
    public async Task OneRackStoresAndReturnsBytes()
    {
        await using var pools = await EmbeddedPools.StartAsync(new EmbeddedPoolOptions { RegionSize = 32 << 20 });
        var pool = pools.Connect(0);
        var address = await pool.AllocatePagesAsync(16);
        var bytes = RandomNumberGenerator.GetBytes(16 * 4096 - 100);
        pool.Write(address + 33, bytes);
        var back = new byte[bytes.Length];
        pool.Read(address + 33, back);
        Assert.Equal(bytes, back);
        Assert.Equal(0ul, pool.Read<ulong>(address));
    }

    [Theory]
    [InlineData(SwapPolicy.Adaptive)]
    [InlineData(SwapPolicy.Watermark)]
    [InlineData(SwapPolicy.DirectIo)]
    [InlineData(SwapPolicy.Swap)]
    [InlineData(SwapPolicy.RdmaOnly)]
    public async Task WhatOneRackWritesTheOtherReads(SwapPolicy policy)
    {
        await using var pools = await EmbeddedPools.StartAsync(TwoRacks with { Policy = policy });
        var first = pools.Connect(0);
        var second = pools.Connect(1);
        var address = await first.AllocatePagesAsync(64);
        var bytes = RandomNumberGenerator.GetBytes(64 * 4096);
        first.Write(address, bytes);
        for (var round = 0; round < 20; round++)
        {
            var back = new byte[bytes.Length];
            second.Read(address, back);
            Assert.Equal(bytes, back);
            Random.Shared.NextBytes(bytes);
            (round % 2 == 0 ? second : first).Write(address, bytes);
            first.Read(address, back);
            Assert.Equal(bytes, back);
        }
    }

    [Fact]
    public async Task AtomicsOfBothRacksSumExactlyWhileThePageMoves()
    {
        await using var pools = await EmbeddedPools.StartAsync(TwoRacks with { Policy = SwapPolicy.Swap });
        var clients = new[] { pools.Connect(0), pools.Connect(1), pools.Connect(0), pools.Connect(1) };
        var address = await clients[0].AllocatePagesAsync(1);
        const int Rounds = 2000;
        await Task.WhenAll(clients.Select(pool => Task.Factory.StartNew(() =>
        {
            for (var i = 0; i < Rounds; i++)
            {
                pool.FetchAdd(address, 1);
                ulong seen = pool.Read<ulong>(address + 8);
                for (ulong before; (before = pool.CompareExchange(address + 8, seen + 1, seen)) != seen; seen = before)
                {
                }
            }
        }, TaskCreationOptions.LongRunning)));
        Assert.Equal((ulong)(Rounds * clients.Length), clients[0].Read<ulong>(address));
        Assert.Equal((ulong)(Rounds * clients.Length), clients[1].Read<ulong>(address + 8));
    }

    [Fact]
    public async Task AHotPageMovesToTheRackThatUsesIt()
    {
        await using var pools = await EmbeddedPools.StartAsync(TwoRacks);
        var first = pools.Connect(0);
        var second = pools.Connect(1);
        var address = await first.AllocatePagesAsync(1);
        var home = (await first.LocateAsync(address)).Owner;
        Assert.Equal(first.Info.Rack, home);
        first.Write(address, 42ul);
        PageLocation? where = null;
        await Eventually.TrueAsync(async () =>
        {
            for (var i = 0; i < 2000; i++) Assert.Equal(42ul, second.Read<ulong>(address));
            where = await second.LocateAsync(address);
            TestContext.Current.TestOutputHelper?.WriteLine(where.ToString());
            return where.Owner == second.Info.Rack;
        }, "the page to move to the second rack");
        Assert.Contains("move to", (await second.LocateAsync(address)).LastDecision, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task FreedPagesAreNotFoundAndNeverComeBack()
    {
        await using var pools = await EmbeddedPools.StartAsync(TwoRacks);
        var first = pools.Connect(0);
        var second = pools.Connect(1);
        var address = await first.AllocatePagesAsync(10);
        first.Write(address, 1ul);
        Assert.Equal(1ul, second.Read<ulong>(address));
        await second.FreePagesAsync(address, 10);
        Assert.Throws<PageNotFoundException>(() => first.Read<ulong>(address));
        Assert.Throws<PageNotFoundException>(() => second.Read<ulong>(address));
        await Assert.ThrowsAsync<PageNotFoundException>(() => first.FreePagesAsync(address, 1).AsTask());
        Assert.NotEqual(address, await first.AllocatePagesAsync(10));
    }

    [Fact]
    public async Task AllocationOverflowsIntoTheOtherRackAndThenFailsWhole()
    {
        await using var pools = await EmbeddedPools.StartAsync(TwoRacks);
        var pool = pools.Connect(0);
        var frames = pools.Cluster.Racks[0].Layout.FrameCount;
        var address = await pool.AllocatePagesAsync(frames + 100);
        for (var i = 0L; i < frames + 100; i += 50) pool.Write(address + i * 4096, (ulong)i);
        for (var i = 0L; i < frames + 100; i += 50) Assert.Equal((ulong)i, pool.Read<ulong>(address + i * 4096));
        var error = await Assert.ThrowsAsync<PoolExhaustedException>(() => pool.AllocatePagesAsync(frames).AsTask());
        Assert.Contains(frames.ToString(), error.Message, StringComparison.Ordinal);
        await pool.FreePagesAsync(address, frames + 100);
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                await pool.AllocatePagesAsync(frames + 100);
                return true;
            }
            catch (PoolExhaustedException)
            {
                return false;
            }
        }, "the freed frames to be offered again");
    }

    [Fact]
    public async Task APinBringsThePageAndHoldsIt()
    {
        await using var pools = await EmbeddedPools.StartAsync(TwoRacks);
        var first = pools.Connect(0);
        var second = pools.Connect(1);
        var address = await first.AllocatePagesAsync(1);
        first.Write(address, 7ul);
        using (var pin = await second.PinAsync(address))
        {
            Assert.Equal(4096, pin.Memory.Length);
            Assert.Equal(7, pin.Memory.Span[0]);
            pin.Memory.Span[0] = 8;
            Assert.Equal(second.Info.Rack, (await first.LocateAsync(address)).Owner);
            Assert.Equal(8ul, first.Read<ulong>(address));
        }
    }

    [Fact]
    public async Task SmallObjectsAreAllocatedWrittenAndFreedFromEitherRack()
    {
        await using var pools = await EmbeddedPools.StartAsync(TwoRacks);
        var first = pools.Connect(0);
        var second = pools.Connect(1);
        var sizes = new long[] { 1, 64, 65, 100, 1000, 2000, 4096, 5000, 100_000 };
        var addresses = new List<GAddr>();
        foreach (var size in sizes)
        {
            var address = await first.AllocateAsync(size);
            var bytes = RandomNumberGenerator.GetBytes((int)size);
            first.Write(address, bytes);
            var back = new byte[size];
            second.Read(address, back);
            Assert.Equal(bytes, back);
            addresses.Add(address);
        }

        foreach (var address in addresses) await second.FreeAsync(address);
        foreach (var address in addresses) await Assert.ThrowsAsync<PageNotFoundException>(() => first.FreeAsync(address).AsTask());
    }

    [Fact]
    public async Task SessionScopedPagesEndWithTheirSession()
    {
        await using var pools = await EmbeddedPools.StartAsync(TwoRacks);
        var survivor = pools.Connect(1);
        GAddr scoped, kept;
        var client = pools.Cluster.Connect(0);
        await using (client)
        {
            IMemoryPool pool = client;
            scoped = await pool.AllocatePagesAsync(4, new AllocationOptions { Lifetime = PageLifetime.Session });
            kept = await pool.AllocatePagesAsync(4);
            pool.Write(kept, 5ul);
        }

        await Eventually.TrueAsync(() =>
        {
            try
            {
                survivor.Read<ulong>(scoped);
                return Task.FromResult(false);
            }
            catch (PageNotFoundException)
            {
                return Task.FromResult(true);
            }
        }, "the session's pages to be freed");
        Assert.Equal(5ul, survivor.Read<ulong>(kept));
    }
}
