namespace Rcmp;

/// <summary>How the pool's page size divides a global address: region number (12 bits) · sequence · offset in the page.</summary>
internal readonly record struct PageGeometry
{
    public const int PageSizeMin = 4 << 10;
    public const int PageSizeMax = 2 << 20;
    private const int RegionBits = 12;

    /// <exception cref="ArgumentOutOfRangeException">Not a power of two from 4 KiB to 2 MiB.</exception>
    public PageGeometry(int pageSize)
    {
        if (!IsValidPageSize(pageSize))
            throw new ArgumentOutOfRangeException(nameof(pageSize), pageSize, "The page size must be a power of two from 4 KiB to 2 MiB.");
        PageShift = int.Log2(pageSize);
    }

    public int PageShift { get; }

    public int PageSize => 1 << PageShift;

    /// <summary>How many bits of a page id count pages within their region of birth: 40 with 4 KiB pages, 31 with 2 MiB.</summary>
    public int SequenceBits => 64 - PageShift - RegionBits;

    public ulong SequenceMax => (1UL << SequenceBits) - 1;

    public static bool IsValidPageSize(long pageSize) => pageSize is >= PageSizeMin and <= PageSizeMax && long.IsPow2(pageSize);

    public PageId PageOf(GAddr address) => new(address.Value >> PageShift);

    public int OffsetOf(GAddr address) => (int)(address.Value & ((1UL << PageShift) - 1));

    public GAddr AddressOf(PageId page) => new(page.Value << PageShift);

    public GAddr AddressOf(PageId page, int offset) => new((page.Value << PageShift) | (uint)offset);

    /// <summary>The region in which the page was allocated, whoever owns it now.</summary>
    public RackId BirthRackOf(PageId page) => new((ushort)((page.Value >> SequenceBits) & RackId.Max));

    public ulong SequenceOf(PageId page) => page.Value & SequenceMax;

    public PageId MakePage(RackId region, ulong sequence) => new(((ulong)region.Value << SequenceBits) | (sequence & SequenceMax));

    /// <summary>The directory shard of a page: blocks of 64 neighbours share one, so that a batch of neighbours asks one shard.</summary>
    public ShardId ShardOf(PageId page, int shards)
    {
        var block = page.Value >> 6;
        block *= 0x9E3779B97F4A7C15UL;
        return new ShardId((int)((block >> 32) % (uint)shards));
    }
}
