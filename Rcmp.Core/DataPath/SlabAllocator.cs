using System.Buffers.Binary;
using System.Numerics;

namespace Rcmp.DataPath;

/// <summary>Allocations of any size. What is taken and what is free stands in the pool alone (<see cref="SlabLayout"/>) and changes by compare-and-set; a client only remembers
/// which slabs have room. A client that dies in between loses at most the objects it was just allocating, and the room of an empty slab it was just giving back.</summary>
internal sealed class SlabAllocator(PoolClient client, PageGeometry geometry)
{
    private static readonly byte[] Zeros = new byte[PageGeometry.PageSizeMax / 2];

    private readonly Dictionary<int, SlabClass> _classes = [];

    private sealed class SlabClass(SlabLayout layout)
    {
        public readonly SlabLayout Layout = layout;
        public readonly HashSet<PageId> WithRoom = [];
        /// <summary>The order in which they are tried; also has some that have no room any more.</summary>
        public readonly Stack<PageId> Order = [];
    }

    public async Task<GAddr> AllocateAsync(long bytes, CancellationToken ct)
    {
        if (bytes > geometry.PageSize / 2)
            return await AllocateLargeAsync(bytes, ct);
        var slabs = ClassOf((int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(bytes, SlabLayout.SizeMin)));
        while (TryPickSlab(slabs) is { } page)
        {
            if (await TryTakeCellAsync(slabs, page, ct) is { } taken)
                return taken;
            Forget(slabs, page);
        }

        return await CreateSlabAsync(slabs, ct);
    }

    public async Task<bool> FreeAsync(GAddr address, CancellationToken ct)
    {
        var page = geometry.PageOf(address);
        var header = new byte[SlabLayout.PagesOffset + sizeof(ulong)];
        await client.ReadAsync(geometry.AddressOf(page), header, ct);
        var magic = BinaryPrimitives.ReadUInt64LittleEndian(header);
        var pages = BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(SlabLayout.PagesOffset));
        if (BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(SlabLayout.CheckOffset)) != SlabLayout.CheckOf(page, magic, pages))
            throw NotAllocated(address, "its page was not allocated by AllocateAsync (pages of AllocatePagesAsync are freed by FreePagesAsync)");
        var offset = geometry.OffsetOf(address);
        if (magic == SlabLayout.LargeMagic && offset == SlabLayout.HeaderBytes)
            return await FreeLargeAsync(address, page, (long)pages, ct);
        var size = SlabLayout.SizeOf(magic);
        if (size == 0 || size > geometry.PageSize / 2 || offset % size != 0)
            throw NotAllocated(address, "an allocation does not begin there");
        return await FreeCellAsync(ClassOf(size), address, page, offset / size, ct);
    }

    private async Task<GAddr> AllocateLargeAsync(long bytes, CancellationToken ct)
    {
        var pages = (bytes - 1) / geometry.PageSize + 1;
        if (pages * geometry.PageSize - bytes < SlabLayout.HeaderBytes)
            pages++;
        if ((ulong)pages > geometry.SequenceMax)
            throw new PoolExhaustedException($"No room for {bytes} bytes: a pool has at most {geometry.SequenceMax} pages per rack.", false);
        var address = await client.AllocateRangeAsync(pages, PageLifetime.Pool, ct);
        await WriteHeaderAsync(geometry.PageOf(address), SlabLayout.LargeMagic, (ulong)pages);
        return address + SlabLayout.HeaderBytes;
    }

    private async Task<bool> FreeLargeAsync(GAddr address, PageId page, long pages, CancellationToken ct)
    {
        // Whoever takes the header's magic away frees the pages; a second free finds it gone.
        var header = geometry.AddressOf(page);
        if (await client.CompareExchangeAsync(header, 0, SlabLayout.LargeMagic, ct) != SlabLayout.LargeMagic)
            throw NotAllocated(address, "it is already free");
        var isTail = true;
        try
        {
            // The header's page goes last, so that what could not be freed can be tried again.
            await FreeTailAsync(page.Plus(1), pages - 1);
            isTail = false;
            return await client.FreeRangeAsync(page, 1, CancellationToken.None);
        }
        catch (PoolException e) when (e is PageUnavailableException || (isTail && e is PoolOutcomeUnknownException))
        {
            // The header's page is certainly there: another call may go on.
            await client.CompareExchangeAsync(header, SlabLayout.LargeMagic, 0, CancellationToken.None);
            throw;
        }
    }

    private async Task FreeTailAsync(PageId first, long pages)
    {
        if (pages == 0)
            return;
        try
        {
            await client.FreeRangeAsync(first, pages, CancellationToken.None);
        }
        catch (PageNotFoundException)
        {
            // Nobody else may free them: an earlier call did, and then could not go on.
        }
    }

    private async Task<GAddr> CreateSlabAsync(SlabClass slabs, CancellationToken ct)
    {
        var layout = slabs.Layout;
        var address = await client.AllocateRangeAsync(1, PageLifetime.Pool, ct);
        var page = geometry.PageOf(address);
        // The page is fresh and zeroed, and nobody knows it before the magic stands.
        for (var word = 0; word < layout.Words; word++)
        {
            var first = layout.HeaderCells / 64 == word ? 1UL << (layout.HeaderCells % 64) : 0;
            await WriteWordAsync(address + layout.BitmapOffset + word * sizeof(ulong), layout.Empty(word) | first);
        }

        await WriteHeaderAsync(page, layout.Magic, 0);
        if (layout.HeaderCells + 1 < layout.Cells)
            Remember(slabs, page);
        return address + (long)layout.HeaderCells * layout.Size;
    }

    private async Task<GAddr?> TryTakeCellAsync(SlabClass slabs, PageId page, CancellationToken ct)
    {
        var layout = slabs.Layout;
        var address = geometry.AddressOf(page);
        try
        {
            for (var word = 0; word < layout.Words; word++)
            {
                var at = address + layout.BitmapOffset + word * sizeof(ulong);
                var seen = await ReadWordAsync(at, ct);
                while (seen != ulong.MaxValue)
                {
                    var bit = BitOperations.TrailingZeroCount(~seen);
                    var before = await client.CompareExchangeAsync(at, seen | (1UL << bit), seen, ct);
                    if (before != seen)
                    {
                        seen = before;
                        continue;
                    }

                    var cell = address + (word * 64L + bit) * layout.Size;
                    // Whoever had it before has written to it. Not to be cancelled: the cell is taken.
                    await client.WriteAsync(cell, Zeros.AsMemory(0, layout.Size), CancellationToken.None);
                    return cell;
                }
            }
        }
        catch (PageNotFoundException)
        {
            // The slab was empty, and another client gave its page back.
            return null;
        }

        return null;
    }

    private async Task<bool> FreeCellAsync(SlabClass slabs, GAddr address, PageId page, int cell, CancellationToken ct)
    {
        var layout = slabs.Layout;
        if (cell < layout.HeaderCells || cell >= layout.Cells)
            throw NotAllocated(address, "an allocation does not begin there");
        var bit = 1UL << (cell % 64);
        var at = geometry.AddressOf(page, layout.BitmapOffset + cell / 64 * sizeof(ulong));
        var seen = await ReadWordAsync(at, ct);
        while (true)
        {
            if ((seen & bit) == 0)
                throw NotAllocated(address, "it is already free");
            var before = await client.CompareExchangeAsync(at, seen & ~bit, seen, ct);
            if (before == seen)
                break;
            seen = before;
        }

        // Done; what follows is housekeeping, and must not make the free look failed.
        if ((seen & ~bit) == layout.Empty(cell / 64) && HasOtherRoom(slabs, page) && await TrySeizeAsync(layout, page))
        {
            Forget(slabs, page);
            await GiveBackAsync(slabs, page);
        }
        else
        {
            Remember(slabs, page);
        }

        return true;
    }

    /// <summary>Takes all cells of an empty slab at once, so that nobody allocates from it any more.</summary>
    private async Task<bool> TrySeizeAsync(SlabLayout layout, PageId page)
    {
        for (var word = 0; word < layout.Words; word++)
        {
            var at = geometry.AddressOf(page, layout.BitmapOffset + word * sizeof(ulong));
            if (await TryExchangeAsync(at, ulong.MaxValue, layout.Empty(word)))
                continue;
            await OpenAgainAsync(layout, page, word);
            return false;
        }

        return true;
    }

    private async Task OpenAgainAsync(SlabLayout layout, PageId page, int words)
    {
        for (var word = 0; word < words; word++)
            await TryExchangeAsync(geometry.AddressOf(page, layout.BitmapOffset + word * sizeof(ulong)), layout.Empty(word), ulong.MaxValue);
    }

    private async Task GiveBackAsync(SlabClass slabs, PageId page)
    {
        var header = geometry.AddressOf(page);
        if (!await TryExchangeAsync(header, 0, slabs.Layout.Magic))
            return;
        try
        {
            await client.FreeRangeAsync(page, 1, CancellationToken.None);
        }
        catch (PageUnavailableException)
        {
            // Not freed: a slab again.
            await TryExchangeAsync(header, slabs.Layout.Magic, 0);
            await OpenAgainAsync(slabs.Layout, page, slabs.Layout.Words);
            Remember(slabs, page);
        }
        catch (PoolException e) when (e is PoolOutcomeUnknownException or PageNotFoundException)
        {
            // Freed, or lost with its one page: nobody takes it for a slab any more.
            Forget(slabs, page);
        }
    }

    /// <summary>False also if it cannot be known: for housekeeping.</summary>
    private async Task<bool> TryExchangeAsync(GAddr at, ulong value, ulong comparand)
    {
        try
        {
            return await client.CompareExchangeAsync(at, value, comparand) == comparand;
        }
        catch (PoolException e) when (e is not PoolClosedException)
        {
            return false;
        }
    }

    private async Task WriteHeaderAsync(PageId page, ulong magic, ulong pages)
    {
        var address = geometry.AddressOf(page);
        await WriteWordAsync(address + SlabLayout.PagesOffset, pages);
        await WriteWordAsync(address + SlabLayout.CheckOffset, SlabLayout.CheckOf(page, magic, pages));
        await WriteWordAsync(address, magic);
    }

    private async Task<ulong> ReadWordAsync(GAddr at, CancellationToken ct)
    {
        var bytes = new byte[sizeof(ulong)];
        await client.ReadAsync(at, bytes, ct);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    private async Task WriteWordAsync(GAddr at, ulong value)
    {
        var bytes = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        await client.WriteAsync(at, bytes);
    }

    private static PageNotFoundException NotAllocated(GAddr address, string why) => new($"There is nothing to free at {address}: {why}.");

    private SlabClass ClassOf(int size)
    {
        lock (_classes)
        {
            if (!_classes.TryGetValue(size, out var found))
                _classes[size] = found = new SlabClass(new SlabLayout(geometry.PageSize, size));
            return found;
        }
    }

    private PageId? TryPickSlab(SlabClass slabs)
    {
        lock (_classes)
        {
            while (slabs.Order.TryPeek(out var page))
            {
                if (slabs.WithRoom.Contains(page))
                    return page;
                slabs.Order.Pop();
            }

            return null;
        }
    }

    private bool HasOtherRoom(SlabClass slabs, PageId page)
    {
        lock (_classes)
            return slabs.WithRoom.Count > (slabs.WithRoom.Contains(page) ? 1 : 0);
    }

    private void Remember(SlabClass slabs, PageId page)
    {
        lock (_classes)
        {
            if (slabs.WithRoom.Add(page))
                slabs.Order.Push(page);
        }
    }

    private void Forget(SlabClass slabs, PageId page)
    {
        lock (_classes)
            slabs.WithRoom.Remove(page);
    }
}
