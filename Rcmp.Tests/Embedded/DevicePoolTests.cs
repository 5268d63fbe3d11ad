using System.Security.Cryptography;
using Rcmp.Runtime.Embedded;

namespace Rcmp.Tests.Embedded;

/// <summary>A pool of two racks over a real fabric: tcp on loopback, or, where the environment names them as the virtual machine of rig/ does, an RDMA device and a
/// DAX device that holds the first rack's region.</summary>
public sealed class DevicePoolTests
{
    private static readonly EmbeddedPoolOptions TwoRacks = new() { Racks = 2, RegionSize = 32 << 20, Timeout = TimeSpan.FromSeconds(60) };

    private static readonly string? Verbs = Environment.GetEnvironmentVariable("RCMP_TEST_VERBS");

    private static readonly EmbeddedPlaces Places = new()
    {
        Fabric = Verbs is null ? "tcp://127.0.0.1:0" : $"verbs://{Verbs}:0",
        Device = Environment.GetEnvironmentVariable("RCMP_TEST_DAX"),
    };

    // Emulated devices are some twenty times slower.
    private static readonly int Rounds = Verbs is null ? 2000 : 100;

    [Fact]
    public async Task WhatOneRackWritesTheOtherReadsOneSided()
    {
        await using var pools = await EmbeddedPools.StartAsync(TwoRacks with { Policy = SwapPolicy.DirectIo }, Places);
        var first = pools.Connect(0);
        var second = pools.Connect(1);
        var address = await first.AllocatePagesAsync(8);
        var bytes = RandomNumberGenerator.GetBytes(5 * 4096 + 100);
        first.Write(address + 33, bytes);
        var back = new byte[bytes.Length];
        second.Read(address + 33, back);
        Assert.Equal(bytes, back);
        RandomNumberGenerator.Fill(bytes);
        second.Write(address + 35, bytes);
        first.Read(address + 35, back);
        Assert.Equal(bytes, back);
        Assert.Equal(first.Info.Rack, (await second.LocateAsync(address)).Owner);
    }

    [Fact]
    public async Task AMovedPageIsReadThroughTheMapping()
    {
        await using var pools = await EmbeddedPools.StartAsync(TwoRacks with { Policy = SwapPolicy.Watermark }, Places);
        var first = pools.Connect(0);
        var second = pools.Connect(1);
        var address = await first.AllocatePagesAsync(4);
        var bytes = RandomNumberGenerator.GetBytes(4 * 4096);
        first.Write(address, bytes);
        foreach (var pool in new[] { second, first })
        {
            var back = new byte[bytes.Length];
            await Eventually.TrueAsync(async () =>
            {
                for (var i = 0; i < 200; i++) pool.Read<ulong>(address + i % 4 * 4096);
                pool.Read(address, back);
                Assert.Equal(bytes, back);
                for (var i = 0; i < 4; i++)
                    if ((await pool.LocateAsync(address + i * 4096)).Owner != pool.Info.Rack) return false;
                return true;
            }, $"the pages to move to rack {pool.Info.Rack}", TimeSpan.FromMinutes(2));
        }
    }

    [Fact]
    public async Task AtomicsThroughMappingAndFabricSumExactly()
    {
        await SumAsync(SwapPolicy.DirectIo);
    }

    [Fact]
    public async Task AtomicsSumExactlyWhileThePageMoves()
    {
        await SumAsync(SwapPolicy.Watermark);
    }

    [Fact]
    public async Task ARestartedRackHasEveryByteAndIsReachedAgain()
    {
        await using var pools = await EmbeddedPools.StartAsync(TwoRacks with { Policy = SwapPolicy.DirectIo }, Places);
        var first = pools.Connect(0);
        var second = pools.Connect(1);
        var address = await first.AllocatePagesAsync(4);
        var bytes = RandomNumberGenerator.GetBytes(4 * 4096);
        second.Write(address, bytes);
        await first.DisposeAsync();
        pools.Cluster.RestartRack(0);
        var back = new byte[bytes.Length];
        pools.Connect(0).Read(address, back);
        Assert.Equal(bytes, back);
        back.AsSpan().Clear();
        second.Read(address, back);
        Assert.Equal(bytes, back);
        Assert.Equal(0ul, second.FetchAdd(address + 4 * 4096 - 8, 0) ^ BitConverter.ToUInt64(bytes, bytes.Length - 8));
    }

    private static async Task SumAsync(SwapPolicy policy)
    {
        await using var pools = await EmbeddedPools.StartAsync(TwoRacks with { Policy = policy }, Places);
        var clients = new[] { pools.Connect(0), pools.Connect(1), pools.Connect(0), pools.Connect(1) };
        var address = await clients[0].AllocatePagesAsync(1);
        await Task.WhenAll(clients.Select(pool => Task.Factory.StartNew(() => Count(pool, address), TaskCreationOptions.LongRunning)));
        Assert.Equal((ulong)(Rounds * clients.Length), clients[0].Read<ulong>(address));
        Assert.Equal((ulong)(Rounds * clients.Length), clients[1].Read<ulong>(address + 8));
    }

    private static void Count(IMemoryPool pool, GAddr address)
    {
        for (var i = 0; i < Rounds; i++)
        {
            pool.FetchAdd(address, 1);
            var seen = pool.Read<ulong>(address + 8);
            for (ulong before; (before = pool.CompareExchange(address + 8, seen + 1, seen)) != seen; seen = before)
            {
            }
        }
    }
}
