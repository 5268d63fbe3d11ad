using Rcmp.DataPath;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.DataPath;

public sealed class SlabTests : IDisposable
{
    private readonly HandDrivenRack _rack = new();
    private readonly PageServer _pages;
    private readonly PoolClient _pool;
    private readonly PoolClient _other;

    public SlabTests()
    {
        _pages = new PageServer(_rack);
        _pool = Connect();
        _other = Connect();
    }

    public void Dispose()
    {
        _pool.Dispose();
        _other.Dispose();
        _rack.Dispose();
    }

    private PoolClient Connect() => _rack.Connect(new FakeControlPlane { Answer = _pages.Answer }, new PoolClientOptions { Timeout = TimeSpan.FromSeconds(5) });

    [Fact]
    public async Task AnAllocationOfManyPagesThatIsOnlyPartlyFreedCanBeFreedAgain()
    {
        PageId? silent = null;
        var control = new FakeControlPlane();
        control.Answer = request => request is FreePages free && free.First == silent ? FakeControlPlane.Done(request, RequestStatus.Unavailable) : _pages.Answer(request);
        await using var pool = _rack.Connect(control, new PoolClientOptions { Timeout = TimeSpan.FromMilliseconds(300) });
        var address = await pool.AllocateAsync(50_000);
        silent = _rack.Geometry.PageOf(address);
        await Assert.ThrowsAsync<PageUnavailableException>(async () => await pool.FreeAsync(address));
        Assert.Equal(1, _pages.PagesInUse);
        silent = null;
        await pool.FreeAsync(address);
        Assert.Equal(0, _pages.PagesInUse);
        await Assert.ThrowsAsync<PageNotFoundException>(async () => await pool.FreeAsync(address));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(500)]
    [InlineData(2048)]
    [InlineData(2049)]
    [InlineData(4032)]
    [InlineData(4033)]
    [InlineData(4096)]
    [InlineData(50_000)]
    public async Task ObjectsAreZeroedAlignedAndApart(int bytes)
    {
        var objects = new List<GAddr>();
        for (var round = 0; round < 3; round++)
        {
            for (var i = 0; i < 10; i++)
            {
                var address = await _pool.AllocateAsync(bytes);
                Assert.Equal(0UL, address.Value % 64);
                if (bytes <= 2048)
                    Assert.Equal(0UL, address.Value % System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(64, bytes)));
                var content = new byte[bytes];
                _pool.Read(address, content);
                Assert.Equal(-1, content.AsSpan().IndexOfAnyExcept((byte)0));
                content.AsSpan().Fill((byte)(i + 1));
                _pool.Write(address, content);
                objects.Add(address);
            }

            for (var i = 0; i < objects.Count; i++)
            {
                var content = new byte[bytes];
                _other.Read(objects[i], content);
                Assert.Equal(-1, content.AsSpan().IndexOfAnyExcept((byte)(i + 1)));
                await (i % 2 == 0 ? _pool : _other).FreeAsync(objects[i]);
            }

            objects.Clear();
        }

        // Each client may keep an empty slab, not more.
        Assert.InRange(_pages.PagesInUse, 0, bytes > 2048 ? 0 : 2);
    }

    [Fact]
    public async Task ASecondFreeIsRefusedWhoeverDoesIt()
    {
        var small = await _pool.AllocateAsync(100);
        var neighbour = await _pool.AllocateAsync(100);
        var large = await _pool.AllocateAsync(10_000);
        await _pool.FreeAsync(small);
        await _other.FreeAsync(large);
        foreach (var pool in new[] { _pool, _other })
        {
            var e = await Assert.ThrowsAsync<PageNotFoundException>(async () => await pool.FreeAsync(small));
            Assert.Contains(small.ToString(), e.Message);
            Assert.Contains("already free", e.Message);
            await Assert.ThrowsAsync<PageNotFoundException>(async () => await pool.FreeAsync(large));
        }

        await _pool.FreeAsync(neighbour);
    }

    [Fact]
    public async Task WhatAllocateAsyncDidNotGiveIsNotFreed()
    {
        var pages = await _pool.AllocatePagesAsync(1);
        _pool.Write(pages, 12345UL);
        var e = await Assert.ThrowsAsync<PageNotFoundException>(async () => await _pool.FreeAsync(pages));
        Assert.Contains("FreePagesAsync", e.Message);
        await Assert.ThrowsAsync<PageNotFoundException>(async () => await _pool.FreeAsync(pages + 64));
        var small = await _pool.AllocateAsync(200);
        await Assert.ThrowsAsync<PageNotFoundException>(async () => await _pool.FreeAsync(small + 8));
        await Assert.ThrowsAsync<PageNotFoundException>(async () => await _pool.FreeAsync(_rack.Geometry.AddressOf(_rack.Geometry.PageOf(small))));
        await Assert.ThrowsAsync<PageNotFoundException>(async () => await _pool.FreeAsync(_rack.Address(999)));
        Assert.Equal(12345UL, _pool.Read<ulong>(pages));
        await _pool.FreeAsync(small);
        await _pool.FreePagesAsync(pages, 1);
    }

    [Fact]
    public async Task ThreadsOfSeveralClientsNeverGetOneObjectTwice()
    {
        var tasks = new[] { _pool, _other }.SelectMany(pool => Enumerable.Range(0, 4).Select(worker => Task.Run(async () =>
        {
            var mine = new Queue<GAddr>();
            var mark = (ulong)((pool == _pool ? 1000 : 2000) + worker);
            for (var i = 0; i < 400; i++)
            {
                var address = await pool.AllocateAsync(64 << (i % 3));
                Assert.Equal(0UL, pool.Exchange(address, mark));
                mine.Enqueue(address);
                if (mine.Count < 20)
                    continue;
                var oldest = mine.Dequeue();
                Assert.Equal(mark, pool.Read<ulong>(oldest));
                await pool.FreeAsync(oldest);
            }

            foreach (var address in mine)
                await pool.FreeAsync(address);
        }))).ToArray();
        await Task.WhenAll(tasks);
    }

    [Fact]
    public async Task AFullPoolSaysSoAndLosesNothing()
    {
        var e = await Assert.ThrowsAsync<PoolExhaustedException>(async () => await _pool.AllocateAsync(1L << 40));
        Assert.Contains("frames are free", e.Message);
        Assert.Equal(0, _pages.PagesInUse);
        await Assert.ThrowsAsync<PoolExhaustedException>(async () => await _pool.AllocateAsync(long.MaxValue));
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(65536)]
    [InlineData(2 << 20)]
    public void EverySizeClassLeavesRoomForItsHeader(int pageSize)
    {
        for (var size = 64; size <= pageSize / 2; size *= 2)
        {
            var layout = new SlabLayout(pageSize, size);
            Assert.True(layout.HeaderCells * size >= layout.BitmapOffset + layout.Words * 8);
            Assert.InRange(layout.HeaderCells, 1, layout.Cells - 1);
            var taken = Enumerable.Range(0, layout.Words).Sum(word => System.Numerics.BitOperations.PopCount(layout.Empty(word)));
            Assert.Equal(layout.Words * 64 - (layout.Cells - layout.HeaderCells), taken);
            Assert.Equal(size, SlabLayout.SizeOf(layout.Magic));
        }
    }
}
