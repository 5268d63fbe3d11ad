namespace Rcmp;

/// <summary>A client's view of the memory pool. All members are thread-safe.</summary>
/// <remarks>
/// <para>Aligned 8-byte reads and writes are single, with acquire and release order. <see cref="Exchange"/>, <see cref="CompareExchange"/>
/// and <see cref="FetchAdd"/> are linearizable from any rack and agree with 8-byte reads. Larger ranges are not one atomic unit; mixing
/// sizes on one word is outside the promise.</para>
/// <para>A write or atomic that was sent is never repeated by the pool: if its answer is lost it fails as
/// <see cref="PoolOutcomeUnknownException"/>. A range that fails may be partly read or written.</para>
/// <para>Misuse (null address, misaligned atomic, end of the address space) is an <see cref="ArgumentException"/> before anything is touched.
/// Synchronous calls may block on a miss up to <c>rcmp.client.timeout</c>.</para>
/// </remarks>
public interface IMemoryPool : IAsyncDisposable, IDisposable
{
    /// <summary>What the pool and this client's rack are.</summary>
    PoolInfo Info { get; }

    /// <summary>The state of the session with the rack's daemon. Resolved pages can be used in every state but closed.</summary>
    PoolState State { get; }

    /// <summary>Raised after <see cref="State"/> has changed, on a thread of the pool.</summary>
    event EventHandler<PoolStateChangedEventArgs>? StateChanged;

    /// <summary>Allocates <paramref name="count"/> pages with consecutive addresses, zeroed, near this client as far as there is room.</summary>
    /// <param name="count">At least 1. A range that does not fit fails whole.</param>
    /// <param name="options">Null means <see cref="AllocationOptions.Default"/>.</param>
    /// <param name="ct">Cancels the wait.</param>
    /// <exception cref="PoolExhaustedException">No room for all of them.</exception>
    ValueTask<GAddr> AllocatePagesAsync(long count, AllocationOptions? options = null, CancellationToken ct = default);

    /// <summary>Frees <paramref name="count"/> pages, page by page: if it fails, the message says how many were freed.</summary>
    /// <exception cref="PageNotFoundException">A page was never allocated or is already free.</exception>
    /// <exception cref="PoolOutcomeUnknownException">The answer was lost.</exception>
    ValueTask FreePagesAsync(GAddr address, long count, CancellationToken ct = default);

    /// <summary>Allocates any number of bytes, zeroed: slabs of 64 B and up below a page, whole pages above. Free with <see cref="FreeAsync"/>.</summary>
    /// <exception cref="PoolExhaustedException">No room.</exception>
    ValueTask<GAddr> AllocateAsync(long bytes, CancellationToken ct = default);

    /// <summary>Frees what <see cref="AllocateAsync"/> gave, from any client.</summary>
    /// <exception cref="PageNotFoundException">Never allocated, or already free.</exception>
    ValueTask FreeAsync(GAddr address, CancellationToken ct = default);

    /// <summary>Reads a range, which may cross pages and racks.</summary>
    /// <exception cref="PageNotFoundException">Part of the range is not allocated.</exception>
    /// <exception cref="PageUnavailableException">Part of the range cannot be reached in time.</exception>
    void Read(GAddr address, Span<byte> destination);

    /// <summary>Writes a range, which may cross pages and racks.</summary>
    /// <exception cref="PageNotFoundException">Part of the range is not allocated.</exception>
    /// <exception cref="PageUnavailableException">Part of the range cannot be reached in time.</exception>
    /// <exception cref="PoolOutcomeUnknownException">A remote write was sent, and its answer was lost.</exception>
    void Write(GAddr address, ReadOnlySpan<byte> source);

    /// <summary>As <see cref="Read(GAddr, Span{byte})"/>; completes synchronously on a rack hit. Cancellation completes only when nothing can touch <paramref name="destination"/> any more.</summary>
    ValueTask ReadAsync(GAddr address, Memory<byte> destination, CancellationToken ct = default);

    /// <summary>As <see cref="Write(GAddr, ReadOnlySpan{byte})"/>; completes synchronously on a rack hit. Cancellation completes only when nothing can touch <paramref name="source"/> any more.</summary>
    ValueTask WriteAsync(GAddr address, ReadOnlyMemory<byte> source, CancellationToken ct = default);

    /// <summary>Many reads at once; the remote ones are pipelined.</summary>
    ValueTask ReadBatchAsync(ReadOnlyMemory<ReadRequest> requests, CancellationToken ct = default);

    /// <summary>Many writes at once; the remote ones are pipelined, and not ordered among each other.</summary>
    ValueTask WriteBatchAsync(ReadOnlyMemory<WriteRequest> requests, CancellationToken ct = default);

    /// <summary>Reads a value. A naturally aligned 8-byte value is read as one, with acquire order.</summary>
    T Read<T>(GAddr address) where T : unmanaged;

    /// <summary>Writes a value. A naturally aligned 8-byte value is written as one, with release order.</summary>
    void Write<T>(GAddr address, in T value) where T : unmanaged;

    /// <summary>Replaces an aligned 8-byte word and returns what was there.</summary>
    ulong Exchange(GAddr address, ulong value);

    /// <summary>Replaces an aligned 8-byte word by <paramref name="value"/> if it equals <paramref name="comparand"/>; returns what was there.</summary>
    ulong CompareExchange(GAddr address, ulong value, ulong comparand);

    /// <summary>Adds to an aligned 8-byte word, wrapping; returns what was there.</summary>
    ulong FetchAdd(GAddr address, ulong delta);

    /// <summary>As <see cref="Exchange"/>.</summary>
    ValueTask<ulong> ExchangeAsync(GAddr address, ulong value, CancellationToken ct = default);

    /// <summary>As <see cref="CompareExchange"/>.</summary>
    ValueTask<ulong> CompareExchangeAsync(GAddr address, ulong value, ulong comparand, CancellationToken ct = default);

    /// <summary>As <see cref="FetchAdd"/>.</summary>
    ValueTask<ulong> FetchAddAsync(GAddr address, ulong delta, CancellationToken ct = default);

    /// <summary>Brings the page here and lends its bytes; until the result is disposed the page cannot move or be freed.</summary>
    ValueTask<PinnedPage> PinAsync(GAddr address, CancellationToken ct = default);

    /// <summary>Where the page is, how hot, and why it moved or stayed last.</summary>
    ValueTask<PageLocation> LocateAsync(GAddr address, CancellationToken ct = default);
}
