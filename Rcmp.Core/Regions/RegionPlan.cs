namespace Rcmp.Regions;

/// <summary>Computes the layout of a new region: as many frames as fit behind the tables that they need.</summary>
internal static class RegionPlan
{
    private const long PageTableEntriesMin = 4096;
    private const long MediumBytes = 64L << 20;
    private const long LargeBytes = 1L << 30;
    private const int FramesMin = 16;
    /// <summary>A daemon counts its frames in an int, and a hit word tells pages apart in tables of up to 2³¹ entries. What is left of a larger region stays unused:
    /// larger pages use it.</summary>
    private const int FramesMax = 1 << 30;

    /// <exception cref="RegionOptionsException">No room for a useful number of frames; the message has the smallest size that would do.</exception>
    public static RegionLayout Compute(RegionCreateOptions options, long sizeBytes)
    {
        if (!PageGeometry.IsValidPageSize(options.PageSizeBytes))
            throw new RegionOptionsException($"The page size {options.PageSizeBytes} is not a power of two from 4096 to 2097152: change --page-size.");
        var layout = TryCompute(options, sizeBytes);
        if (layout is not null)
            return layout;
        throw new RegionOptionsException(
            $"A region of {(options.SizeBytes > 0 ? options.SizeBytes : sizeBytes)} bytes is too small for pages of {options.PageSizeBytes} bytes: the minimum is {MinimumBytes(options)}. Change --size.");
    }

    public static long MinimumBytes(RegionCreateOptions options)
    {
        var size = RegionLayout.ZoneAlignment;
        while (TryCompute(options, size) is null)
            size += RegionLayout.ZoneAlignment;
        return size;
    }

    private static RegionLayout? TryCompute(RegionCreateOptions options, long sizeBytes)
    {
        // An upper bound of the frames gives an upper bound of the tables, and so a lower bound of the frames: twice is near enough.
        var frames = sizeBytes / options.PageSizeBytes;
        RegionLayout? layout = null;
        for (var round = 0; round < 3; round++)
        {
            frames = Math.Min(frames, FramesMax);
            var next = Lay(options, sizeBytes, frames);
            var fitting = (sizeBytes - next.FramesOffset) / options.PageSizeBytes;
            if (fitting >= frames)
                layout = next;
            if (fitting < FramesMin && layout is null)
                return null;
            if (layout is not null)
                break;
            frames = fitting;
        }

        return layout;
    }

    private static RegionLayout Lay(RegionCreateOptions options, long sizeBytes, long frames)
    {
        var linkSlots = Choose(options.LinkSlots, sizeBytes, 64, 512, RegionLayout.LinkSlotsMax);
        var sessions = Choose(options.SessionCount, sizeBytes, 32, 64, 128);
        var slots = Choose(options.SlotsPerSession, sizeBytes, 64, 128, 256);
        var entries = (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)Math.Max(PageTableEntriesMin, 2 * frames));
        long stateOffset = RegionLayout.SuperblockBytes;
        var linkOffset = stateOffset + 2L * RegionLayout.StateBytes;
        var tableOffset = AlignUp(linkOffset + (long)linkSlots * RegionLayout.LinkBytes, 4096);
        var hitTableOffset = AlignUp(tableOffset + entries * RegionLayout.PageTableEntryBytes, 4096);
        var frameTableOffset = AlignUp(hitTableOffset + entries * RegionLayout.HitWordBytes, 4096);
        var sessionsOffset = AlignUp(frameTableOffset + frames * FrameRow.SizeBytes, RegionLayout.ZoneAlignment);
        var countersOffset = AlignUp(sessionsOffset + sessions * (RegionLayout.SessionHeaderBytes + (long)slots * RegionLayout.SlotBytes), 4096);
        var referencesOffset = AlignUp(countersOffset + entries * RegionLayout.CounterBytes, 4096);
        return new RegionLayout
        {
            PoolId = options.PoolId,
            RegionId = Guid.NewGuid(),
            PageShift = int.Log2(options.PageSizeBytes),
            RegionBytes = sizeBytes,
            FrameCount = frames,
            StateOffset = stateOffset,
            LinkTableOffset = linkOffset,
            LinkSlots = linkSlots,
            PageTableOffset = tableOffset,
            PageTableEntries = entries,
            HitTableOffset = hitTableOffset,
            FrameTableOffset = frameTableOffset,
            SessionsOffset = sessionsOffset,
            SessionCount = sessions,
            SlotsPerSession = slots,
            CountersOffset = countersOffset,
            ReferencesOffset = referencesOffset,
            FramesOffset = AlignUp(referencesOffset + entries, RegionLayout.ZoneAlignment),
            HugePages = options.HugePages,
        };
    }

    /// <summary>Whether the zones of a layout read from a region follow each other inside of it: what a check of pointers may rely on afterwards.</summary>
    public static bool IsConsistent(RegionLayout layout)
    {
        if (layout.PageShift is < 12 or > 21 || layout.FrameCount is < 1 or > FramesMax || layout.LinkSlots is < 1 or > RegionLayout.LinkSlotsMax
            || layout.SessionCount is < 1 or > 65536 || layout.SlotsPerSession is < 1 or > 65536 || layout.RegionBytes is < 0 or > 1L << 56
            || layout.PageTableEntries is < RegionLayout.LineEntries or > 2L * FramesMax || !long.IsPow2(layout.PageTableEntries)
            || layout.FrameCount >= layout.PageTableEntries)
            return false;
        (long Offset, long Bytes, long Alignment)[] parts =
        [
            (0, RegionLayout.SuperblockBytes, 4096), (layout.StateOffset, 2L * RegionLayout.StateBytes, 4096),
            (layout.LinkTableOffset, (long)layout.LinkSlots * RegionLayout.LinkBytes, 64),
            (layout.PageTableOffset, layout.PageTableEntries * RegionLayout.PageTableEntryBytes, 64),
            (layout.HitTableOffset, layout.PageTableEntries * RegionLayout.HitWordBytes, 64),
            (layout.FrameTableOffset, layout.FrameCount * FrameRow.SizeBytes, 64),
            (layout.SessionsOffset, layout.SessionCount * layout.SessionBytes, RegionLayout.ZoneAlignment),
            (layout.CountersOffset, layout.PageTableEntries * RegionLayout.CounterBytes, 64), (layout.ReferencesOffset, layout.PageTableEntries, 64),
            (layout.FramesOffset, layout.FrameCount << layout.PageShift, RegionLayout.ZoneAlignment),
        ];
        long end = 0;
        foreach (var (offset, bytes, alignment) in parts)
        {
            if (offset < end || offset % alignment != 0 || bytes > layout.RegionBytes - offset)
                return false;
            end = offset + bytes;
        }

        return true;
    }

    public static long AlignUp(long value, long alignment) => (value + alignment - 1) / alignment * alignment;

    private static int Choose(int asked, long sizeBytes, int small, int medium, int large) =>
        asked > 0 ? asked : sizeBytes < MediumBytes ? small : sizeBytes < LargeBytes ? medium : large;
}
