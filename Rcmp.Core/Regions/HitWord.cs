using System.Runtime.CompilerServices;

namespace Rcmp.Regions;

/// <summary>What a rack hit reads in place of a page-table entry: one word per entry, that says which page is resident at its natural place, and in which frame. The index tells
/// the page's low bits (<see cref="RegionLayout.NaturalEntry"/>), so the word has the others, the frame in the room of the low ones, and the sign: half the memory of an
/// entry, so more of the table stays in the processor's caches, and one load where key and location are two.</summary>
/// <remarks>The daemon derives it from the entry and writes it so that it is never set while the entry is not resident: after the location when a page comes, before it when the
/// page goes. 0: look at the entry.</remarks>
internal static class HitWord
{
    /// <param name="entry">The index of the page's entry.</param>
    /// <param name="page">Its key.</param>
    /// <param name="location">Its location.</param>
    /// <param name="layout">Frames are fewer than entries, or the frame would not fit.</param>
    public static ulong Of(long entry, ulong page, Location location, RegionLayout layout) =>
        location.Kind == LocationKind.Resident && location.IsResident && location.Frame.Value < layout.FrameCount && page is not (0 or PageTable.Tombstone)
        && RegionLayout.NaturalEntry(page, layout.PageTableMask) == entry
            ? Set | (page & ~(ulong)layout.PageTableMask) | location.Frame.Value
            : 0;

    /// <summary>The top bit; no page id reaches it.</summary>
    private const ulong Set = 1UL << 63;

    /// <summary>What a word gives a hit: signed, the frame above the lowest number if it is the page's, else something higher than any frame there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Match(ulong word, ulong page, ulong mask) => (long)(word ^ (page & ~mask));

    /// <summary>What <see cref="Match"/> stays below if it gives a frame.</summary>
    public static long FrameEnd(long frameCount) => long.MinValue + frameCount;
}
