namespace Rcmp.DataPath;

internal sealed partial class PoolClient
{
    PoolInfo IMemoryPool.Info => throw new NotSupportedException();
    PoolState IMemoryPool.State => throw new NotSupportedException();
    event EventHandler<PoolStateChangedEventArgs>? IMemoryPool.StateChanged { add { } remove { } }
    ValueTask<GAddr> IMemoryPool.AllocatePagesAsync(long count, AllocationOptions? options, CancellationToken ct) => throw new NotSupportedException();
    ValueTask IMemoryPool.FreePagesAsync(GAddr address, long count, CancellationToken ct) => throw new NotSupportedException();
    ValueTask<GAddr> IMemoryPool.AllocateAsync(long bytes, CancellationToken ct) => throw new NotSupportedException();
    ValueTask IMemoryPool.FreeAsync(GAddr address, CancellationToken ct) => throw new NotSupportedException();
    void IMemoryPool.Read(GAddr address, Span<byte> destination) => throw new NotSupportedException();
    void IMemoryPool.Write(GAddr address, ReadOnlySpan<byte> source) => throw new NotSupportedException();
    ValueTask IMemoryPool.ReadAsync(GAddr address, Memory<byte> destination, CancellationToken ct) => throw new NotSupportedException();
    ValueTask IMemoryPool.WriteAsync(GAddr address, ReadOnlyMemory<byte> source, CancellationToken ct) => throw new NotSupportedException();
    ValueTask IMemoryPool.ReadBatchAsync(ReadOnlyMemory<ReadRequest> requests, CancellationToken ct) => throw new NotSupportedException();
    ValueTask IMemoryPool.WriteBatchAsync(ReadOnlyMemory<WriteRequest> requests, CancellationToken ct) => throw new NotSupportedException();
    T IMemoryPool.Read<T>(GAddr address) => throw new NotSupportedException();
    void IMemoryPool.Write<T>(GAddr address, in T value) => throw new NotSupportedException();
    ulong IMemoryPool.Exchange(GAddr address, ulong value) => throw new NotSupportedException();
    ulong IMemoryPool.CompareExchange(GAddr address, ulong value, ulong comparand) => throw new NotSupportedException();
    ulong IMemoryPool.FetchAdd(GAddr address, ulong delta) => throw new NotSupportedException();
    ValueTask<ulong> IMemoryPool.ExchangeAsync(GAddr address, ulong value, CancellationToken ct) => throw new NotSupportedException();
    ValueTask<ulong> IMemoryPool.CompareExchangeAsync(GAddr address, ulong value, ulong comparand, CancellationToken ct) => throw new NotSupportedException();
    ValueTask<ulong> IMemoryPool.FetchAddAsync(GAddr address, ulong delta, CancellationToken ct) => throw new NotSupportedException();
    ValueTask<PinnedPage> IMemoryPool.PinAsync(GAddr address, CancellationToken ct) => throw new NotSupportedException();
    ValueTask<PageLocation> IMemoryPool.LocateAsync(GAddr address, CancellationToken ct) => throw new NotSupportedException();
    public ValueTask DisposeAsync() => default;
    public void Dispose() { }
}
