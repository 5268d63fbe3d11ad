namespace Rcmp.Regions;

/// <summary>The lookup in a region's page table; pagetable.h has the same in C.
/// A page's natural entry comes first, then the other entries of its cache line in order, then whole lines that a hash of the page picks: runs of
/// neighbours of several racks fill long stretches of the table, and a search in the next lines would not come out of them.
/// A key goes from 0 to a page, from that to <see cref="Tombstone"/> and then to another page, never back to 0 while anybody may read: so 0 ends a search.</summary>
internal static unsafe class PageTable
{
    /// <summary>The key of an entry that was given up: used again for the next page that probes it, and does not end a search.</summary>
    public const ulong Tombstone = ulong.MaxValue;

    // A random walk that starts from the page: any regular step would stay inside of long runs. Neighbours share theirs, and so its cache lines.
    private static long NextLine(ref ulong walk, long mask)
    {
        walk = walk * 6364136223846793005UL + 1442695040888963407UL;
        return (long)(walk >> 26) & mask & ~(RegionLayout.LineEntries - 1L);
    }

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
        var walk = page >> 2;
        var line = natural & ~(RegionLayout.LineEntries - 1L);
        for (var probe = 0; probe <= RegionLayout.ProbeLines; probe++, line = NextLine(ref walk, mask))
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
        var walk = page >> 2;
        var line = natural & ~(RegionLayout.LineEntries - 1L);
        for (var probe = 0; probe <= RegionLayout.ProbeLines; probe++, line = NextLine(ref walk, mask))
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
    public static long[] Lines(ulong page, long mask)
    {
        var lines = new long[RegionLayout.ProbeLines + 1];
        var walk = page >> 2;
        lines[0] = RegionLayout.NaturalEntry(page, mask) & ~(RegionLayout.LineEntries - 1L);
        for (var probe = 1; probe < lines.Length; probe++)
            lines[probe] = NextLine(ref walk, mask);
        return lines;
    }

    private static bool IsFree(ulong key) => key is 0 or Tombstone;
}
