namespace Rcmp.Regions;

/// <summary>The lookup in a region's page table; pagetable.h has the same in C.
/// A page's natural entry comes first, then the other entries of its cache line in order, then whole lines at a distance that depends on the page: runs of
/// neighbours of several racks fill long stretches of the table, and a search in the next lines would not come out of them.
/// A key goes from 0 to a page, from that to <see cref="Tombstone"/> and then to another page, never back to 0 while anybody may read: so 0 ends a search.</summary>
internal static unsafe class PageTable
{
    /// <summary>The key of an entry that was given up: used again for the next page that probes it, and does not end a search.</summary>
    public const ulong Tombstone = ulong.MaxValue;

    public static ulong StepOf(ulong page) => (((page >> 2) * 0x9E3779B97F4A7C15UL) >> 32) | 1;

    /// <summary>The entry of the page, or −1. The caller has set its guard before, unless it is the table's writer.</summary>
    public static long Find(PageTableEntry* table, long mask, ulong page)
    {
        var natural = RegionLayout.NaturalEntry(page, mask);
        var key = Volatile.Read(ref table[natural].Page);
        if (key == page)
            return natural;
        return key == 0 ? -1 : FindBehind(table, mask, page, natural);
    }

    private static long FindBehind(PageTableEntry* table, long mask, ulong page, long natural)
    {
        var step = (long)StepOf(page) * RegionLayout.LineEntries;
        var line = natural & ~(RegionLayout.LineEntries - 1L);
        for (var probe = 0; probe <= RegionLayout.ProbeLines; probe++, line = (line + step) & mask)
        {
            for (var i = line; i < line + RegionLayout.LineEntries; i++)
            {
                if (i == natural)
                    continue;
                // Acquire: the location is loaded after the key that gives it meaning.
                var key = Volatile.Read(ref table[i].Page);
                if (key == page)
                    return i;
                if (key == 0)
                    return -1;
            }
        }

        return -1;
    }

    /// <summary>The first entry in the page's probe order that is free to take, or −1. For the table's writer.</summary>
    public static long FindFree(PageTableEntry* table, long mask, ulong page)
    {
        var natural = RegionLayout.NaturalEntry(page, mask);
        if (IsFree(table[natural].Page))
            return natural;
        var step = (long)StepOf(page) * RegionLayout.LineEntries;
        var line = natural & ~(RegionLayout.LineEntries - 1L);
        for (var probe = 0; probe <= RegionLayout.ProbeLines; probe++, line = (line + step) & mask)
        {
            for (var i = line; i < line + RegionLayout.LineEntries; i++)
            {
                if (IsFree(table[i].Page))
                    return i;
            }
        }

        return -1;
    }

    /// <summary>The first entries of the cache lines in which the page may be, in probe order.</summary>
    public static IEnumerable<long> Lines(ulong page, long mask)
    {
        var step = (long)StepOf(page) * RegionLayout.LineEntries;
        var line = RegionLayout.NaturalEntry(page, mask) & ~(RegionLayout.LineEntries - 1L);
        for (var probe = 0; probe <= RegionLayout.ProbeLines; probe++, line = (line + step) & mask)
            yield return line;
    }

    private static bool IsFree(ulong key) => key is 0 or Tombstone;
}
