using Rcmp.DataPath;

namespace Rcmp.Tests.DataPath;

public sealed class MisuseTests : IDisposable
{
    private readonly HandDrivenRack _rack = new();
    private readonly FakeControlPlane _control = new();
    private readonly PoolClient _pool;

    public MisuseTests()
    {
        _rack.PlaceFirst(4);
        _pool = _rack.Connect(_control);
    }

    public static TheoryData<string> Cases => [.. Calls.Keys];

    private static readonly GAddr End = new(ulong.MaxValue - 3);

    private static readonly Dictionary<string, Action<IMemoryPool, GAddr>> Calls = new()
    {
        ["reading null"] = static (pool, _) => pool.Read(GAddr.Null, new byte[8]),
        ["reading nothing from null"] = static (pool, _) => pool.Read(GAddr.Null, []),
        ["writing null"] = static (pool, _) => pool.Write(GAddr.Null, new byte[8]),
        ["reading a value from null"] = static (pool, _) => pool.Read<int>(GAddr.Null),
        ["writing a value to null"] = static (pool, _) => pool.Write(GAddr.Null, 1),
        ["the null page"] = static (pool, _) => pool.Read<ulong>(new GAddr(64)),
        ["past the end"] = static (pool, _) => pool.Read(End, new byte[8]),
        ["a value past the end"] = static (pool, _) => pool.Write(End, 1UL),
        ["a misaligned exchange"] = static (pool, page) => pool.Exchange(page + 4, 1),
        ["a misaligned compare-and-swap"] = static (pool, page) => pool.CompareExchange(page + 1, 1, 1),
        ["a misaligned fetch-and-add"] = static (pool, page) => pool.FetchAdd(page + 7, 1),
        ["an exchange at null"] = static (pool, _) => pool.Exchange(GAddr.Null, 1),
        ["a misaligned asynchronous exchange"] = static (pool, page) => _ = pool.ExchangeAsync(page + 4, 1),
        ["an asynchronous read of null"] = static (pool, none) => _ = pool.ReadAsync(GAddr.Null, new byte[1]),
        ["a batch with a null address"] = static (pool, page) => _ = pool.WriteBatchAsync(new WriteRequest[] { new(page, new byte[1]), new(GAddr.Null, new byte[1]) }),
        ["allocating no pages"] = static (pool, none) => _ = pool.AllocatePagesAsync(0),
        ["allocating less than none"] = static (pool, none) => _ = pool.AllocatePagesAsync(-1),
        ["allocating no bytes"] = static (pool, none) => _ = pool.AllocateAsync(0),
        ["freeing null"] = static (pool, none) => _ = pool.FreeAsync(GAddr.Null),
        ["freeing pages at null"] = static (pool, none) => _ = pool.FreePagesAsync(GAddr.Null, 1),
        ["freeing pages from the middle of one"] = static (pool, page) => _ = pool.FreePagesAsync(page + 8, 1),
        ["freeing less than one page"] = static (pool, page) => _ = pool.FreePagesAsync(page, 0),
        ["freeing pages past the end"] = static (pool, page) => _ = pool.FreePagesAsync(page, long.MaxValue),
        ["pinning null"] = static (pool, none) => _ = pool.PinAsync(GAddr.Null),
        ["locating null"] = static (pool, none) => _ = pool.LocateAsync(GAddr.Null),
    };

    public void Dispose()
    {
        _pool.Dispose();
        _rack.Dispose();
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void MisuseIsAnArgumentExceptionBeforeAnythingIsTouched(string misuse)
    {
        _rack.Region.FrameSpan(new(0)).Fill(7);
        Assert.ThrowsAny<ArgumentException>(() => Calls[misuse](_pool, _rack.Address(1)));
        Assert.Empty(_control.Requests);
        Assert.Equal(-1, _rack.Region.FrameSpan(new(0)).IndexOfAnyExcept((byte)7));
    }

    [Fact]
    public void EmptyRangesAreFine()
    {
        _pool.Read(_rack.Address(1), []);
        _pool.Write(_rack.Address(1, 4095), []);
        Assert.True(_pool.ReadAsync(_rack.Address(1), Memory<byte>.Empty).IsCompletedSuccessfully);
        Assert.True(_pool.ReadBatchAsync(ReadOnlyMemory<ReadRequest>.Empty).IsCompletedSuccessfully);
    }

    [Fact]
    public async Task AClosedPoolSaysSoEverywhere()
    {
        var states = new List<PoolState>();
        _pool.StateChanged += (_, e) => states.Add(e.Current);
        _control.ChangeState(PoolState.Disconnected);
        _control.ChangeState(PoolState.Connected);
        _pool.Read<ulong>(_rack.Address(1));
        _pool.Read<ulong>(_rack.Address(1));
        await _pool.DisposeAsync();
        _pool.Dispose();
        Assert.Equal(PoolState.Closed, _pool.State);
        Assert.Equal([PoolState.Disconnected, PoolState.Connected, PoolState.Closed], states);
        Assert.Equal(2, _pool.Statistics.RackHits);
        Assert.Throws<PoolClosedException>(() => _pool.Read<ulong>(_rack.Address(1)));
        Assert.Throws<PoolClosedException>(() => _pool.Write(_rack.Address(1), new byte[9000]));
        Assert.Throws<PoolClosedException>(() => _pool.FetchAdd(_rack.Address(1), 1));
        await Assert.ThrowsAsync<PoolClosedException>(async () => await _pool.ReadAsync(_rack.Address(1), new byte[1]));
        await Assert.ThrowsAsync<PoolClosedException>(async () => await _pool.AllocatePagesAsync(1));
        await Assert.ThrowsAsync<PoolClosedException>(async () => await _pool.PinAsync(_rack.Address(1)));
    }
}
