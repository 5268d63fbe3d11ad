using Rcmp.DataPath;

namespace Rcmp.Tests.DataPath;

public sealed class RackHitTests : IDisposable
{
    private const int Pages = 8;

    private readonly HandDrivenRack _rack = new();
    private readonly FakeControlPlane _control = new();
    private readonly PoolClient _pool;
    private readonly byte[] _range = new byte[3 * 4096];

    public RackHitTests()
    {
        _rack.PlaceFirst(Pages);
        _pool = _rack.Connect(_control);
    }

    public void Dispose()
    {
        _pool.Dispose();
        _rack.Dispose();
    }

    [Fact]
    public void WhatIsWrittenIsRead()
    {
        var data = new byte[1000];
        new Random(1).NextBytes(data);
        _pool.Write(_rack.Address(2, 77), data);
        var back = new byte[1000];
        _pool.Read(_rack.Address(2, 77), back);
        Assert.Equal(data, back);
        Assert.True(data.AsSpan().SequenceEqual(_rack.Region.FrameSpan(new(1)).Slice(77, 1000)));
    }

    [Fact]
    public void ARangeMayCrossPages()
    {
        var data = new byte[3 * 4096];
        new Random(2).NextBytes(data);
        _pool.Write(_rack.Address(1, 4000), data);
        var back = new byte[data.Length];
        _pool.Read(_rack.Address(1, 4000), back);
        Assert.Equal(data, back);
    }

    [Fact]
    public void TypedValuesOfEverySizeComeBack()
    {
        _pool.Write(_rack.Address(1, 3), (byte)7);
        _pool.Write(_rack.Address(1, 16), 1234567890123UL);
        _pool.Write(_rack.Address(1, 27), 3.5);
        _pool.Write(_rack.Address(1, 4096 - 6), Guid.Parse("11223344-5566-7788-99aa-bbccddeeff00"));
        Assert.Equal(7, _pool.Read<byte>(_rack.Address(1, 3)));
        Assert.Equal(1234567890123UL, _pool.Read<ulong>(_rack.Address(1, 16)));
        Assert.Equal(3.5, _pool.Read<double>(_rack.Address(1, 27)));
        Assert.Equal(Guid.Parse("11223344-5566-7788-99aa-bbccddeeff00"), _pool.Read<Guid>(_rack.Address(1, 4096 - 6)));
    }

    [Fact]
    public void AtomicsReturnWhatWasThere()
    {
        var word = _rack.Address(3, 8);
        Assert.Equal(0UL, _pool.Exchange(word, 5));
        Assert.Equal(5UL, _pool.FetchAdd(word, ulong.MaxValue));
        Assert.Equal(4UL, _pool.CompareExchange(word, 9, 5));
        Assert.Equal(4UL, _pool.CompareExchange(word, 9, 4));
        Assert.Equal(9UL, _pool.Read<ulong>(word));
    }

    [Fact]
    public async Task AsynchronousCallsCompleteSynchronouslyOnAHit()
    {
        var data = new byte[] { 1, 2, 3 };
        var write = _pool.WriteAsync(_rack.Address(1), data);
        Assert.True(write.IsCompletedSuccessfully);
        await write;
        var back = new byte[3];
        var read = _pool.ReadAsync(_rack.Address(1), back);
        Assert.True(read.IsCompletedSuccessfully);
        await read;
        Assert.Equal(data, back);
        var add = _pool.FetchAddAsync(_rack.Address(1, 8), 3);
        Assert.True(add.IsCompletedSuccessfully);
        Assert.Equal(0UL, await add);
        Assert.Empty(_control.Requests);
    }

    [Fact]
    public void HitsAllocateNothing()
    {
        var buffer = new byte[64];
        var memory = buffer.AsMemory();
        ReadRequest[] reads = [.. Enumerable.Range(1, Pages).Select(page => new ReadRequest(_rack.Address((ulong)page, 128), memory))];
        WriteRequest[] writes = [.. reads.Select(read => new WriteRequest(read.Address, memory)), new WriteRequest(_rack.Address(1, 40), _range)];
        Use(buffer, memory, reads, writes, 1000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Use(buffer, memory, reads, writes, 100_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void HitsAreCountedAndTellThePagesHeat()
    {
        var before = _pool.Statistics.RackHits;
        for (var i = 0; i < 640; i++)
            _pool.Read<ulong>(_rack.Address(4));
        Assert.Equal(640, _pool.Statistics.RackHits - before);
        Assert.Equal(640u, _rack.Store.ReadCounter(_rack.Page(4)).Accesses);
        Assert.True(_rack.Store.TestAndClearReference(_rack.Page(4)));
        Assert.False(_rack.Store.TestAndClearReference(_rack.Page(4)));
    }

    /// <summary>In the original what was asked for the heat of reads answered with that of writes.</summary>
    [Fact]
    public void ReadsAndWritesOfAPageAreCountedAlike()
    {
        for (var i = 0; i < 640; i++)
            _pool.Read<ulong>(_rack.Address(4));
        for (var i = 0; i < 640; i++)
            _pool.Write(_rack.Address(5), (ulong)i);
        Assert.Equal(640u, _rack.Store.ReadCounter(_rack.Page(4)).Accesses);
        Assert.Equal(640u, _rack.Store.ReadCounter(_rack.Page(5)).Accesses);
        Assert.True(_rack.Store.TestAndClearReference(_rack.Page(5)));
    }

    [Fact]
    public void ARangeAcrossPagesIsAHitOfEach()
    {
        var before = _pool.Statistics.RackHits;
        _pool.Read(_rack.Address(1, 40), _range);
        _pool.Write(_rack.Address(1, 40), _range);
        Assert.Equal(8, _pool.Statistics.RackHits - before);
    }

    [Fact]
    public void ARangePastTheEndTouchesNothing()
    {
        // The page is there, what follows it is not an address.
        var last = new GAddr(ulong.MaxValue - 4095);
        Assert.Throws<ArgumentException>(() => _pool.Write(last + 8, new byte[4096]));
    }

    [Fact]
    public void NoGuardStaysSet()
    {
        _pool.Write(_rack.Address(1, 4090), new byte[100]);
        _pool.Read<ulong>(_rack.Address(2, 8));
        _pool.Read(_rack.Address(3, 8), _range);
        foreach (var slot in _rack.Region.SlotSpan(1))
            Assert.Equal(0UL, slot.Page);
    }

    private void Use(byte[] buffer, Memory<byte> memory, ReadRequest[] reads, WriteRequest[] writes, int rounds)
    {
        var range = _range.AsSpan();
        for (var i = 0; i < rounds; i++)
        {
            var address = _rack.Address(1 + ((ulong)i & 7), (i & 31) * 64);
            _pool.Read(address, buffer);
            _pool.Write(address, buffer);
            _pool.Write(address, (ulong)i);
            _pool.Read<ulong>(address);
            _pool.FetchAdd(address, 1);
            _pool.CompareExchange(address, 1, 2);
            _pool.Exchange(address, 7);
            _pool.ReadAsync(address, memory).GetAwaiter().GetResult();
            _pool.WriteAsync(address, memory).GetAwaiter().GetResult();
            if ((i & 63) != 0)
                continue;
            _pool.Read(_rack.Address(1, 40), range);
            _pool.Write(_rack.Address(1, 40), range);
            _pool.ReadAsync(_rack.Address(1, 40), _range).GetAwaiter().GetResult();
            _pool.WriteAsync(_rack.Address(1, 40), _range).GetAwaiter().GetResult();
            _pool.ReadBatchAsync(reads).GetAwaiter().GetResult();
            _pool.WriteBatchAsync(writes).GetAwaiter().GetResult();
        }
    }
}
