using System.Buffers.Binary;
using System.IO.Hashing;

namespace Rcmp.Regions;

/// <summary>The first 4096 bytes of a region: written once, by format; the last 8 are a checksum over the others.</summary>
internal static class Superblock
{
    private const int ChecksumOffset = RegionLayout.SuperblockBytes - 8;
    private const uint HugePagesFlag = 1;

    public static void Write(RegionLayout layout, Span<byte> block)
    {
        block.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(block, RegionLayout.Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(block[8..], RegionLayout.FormatVersion);
        BinaryPrimitives.WriteUInt32LittleEndian(block[12..], layout.HugePages ? HugePagesFlag : 0);
        layout.PoolId.TryWriteBytes(block[16..]);
        layout.RegionId.TryWriteBytes(block[32..]);
        ReadOnlySpan<long> numbers =
        [
            layout.PageShift, layout.RegionBytes, layout.FrameCount, layout.StateOffset, layout.LinkTableOffset, layout.LinkSlots, layout.PageTableOffset,
            layout.PageTableEntries, layout.FrameTableOffset, layout.SessionsOffset, layout.SessionCount, layout.SlotsPerSession, layout.CountersOffset,
            layout.ReferencesOffset, layout.FramesOffset, layout.HitTableOffset,
        ];
        for (var i = 0; i < numbers.Length; i++)
            BinaryPrimitives.WriteInt64LittleEndian(block[(48 + 8 * i)..], numbers[i]);
        BinaryPrimitives.WriteUInt64LittleEndian(block[ChecksumOffset..], XxHash3.HashToUInt64(block[..ChecksumOffset]));
    }

    /// <summary>Whether the file claims to hold a region, of whatever version.</summary>
    public static bool HasMagic(ReadOnlySpan<byte> block) => BinaryPrimitives.ReadUInt64LittleEndian(block) == RegionLayout.Magic;

    /// <exception cref="RegionDamagedException">Not a region, or a bit is wrong.</exception>
    /// <exception cref="PoolMismatchException">Another format version.</exception>
    public static RegionLayout Read(ReadOnlySpan<byte> block, string path)
    {
        if (!HasMagic(block))
            throw new RegionDamagedException($"{path} is not a region: it does not begin with the magic number. Format it with 'rcmp region create'.");
        var checksum = XxHash3.HashToUInt64(block[..ChecksumOffset]);
        var stored = BinaryPrimitives.ReadUInt64LittleEndian(block[ChecksumOffset..]);
        if (checksum != stored)
            throw new RegionDamagedException($"The superblock of {path} is damaged: its checksum is {stored:x16}, its content gives {checksum:x16}.");
        var version = BinaryPrimitives.ReadUInt32LittleEndian(block[8..]);
        if (version != RegionLayout.FormatVersion)
        {
            throw new PoolMismatchException(
                $"{path} has region format version {version}, this program knows version {RegionLayout.FormatVersion}: use the program that formatted it.");
        }

        var layout = ReadLayout(block);
        if (!RegionPlan.IsConsistent(layout))
            throw new RegionDamagedException($"The superblock of {path} describes tables that do not fit the region.");
        return layout;
    }

    private static RegionLayout ReadLayout(ReadOnlySpan<byte> block)
    {
        Span<long> numbers = stackalloc long[16];
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = BinaryPrimitives.ReadInt64LittleEndian(block[(48 + 8 * i)..]);
        return new RegionLayout
        {
            PoolId = new Guid(block[16..32]),
            RegionId = new Guid(block[32..48]),
            HugePages = (BinaryPrimitives.ReadUInt32LittleEndian(block[12..]) & HugePagesFlag) != 0,
            PageShift = (int)numbers[0],
            RegionBytes = numbers[1],
            FrameCount = numbers[2],
            StateOffset = numbers[3],
            LinkTableOffset = numbers[4],
            LinkSlots = (int)numbers[5],
            PageTableOffset = numbers[6],
            PageTableEntries = numbers[7],
            FrameTableOffset = numbers[8],
            SessionsOffset = numbers[9],
            SessionCount = (int)numbers[10],
            SlotsPerSession = (int)numbers[11],
            CountersOffset = numbers[12],
            ReferencesOffset = numbers[13],
            FramesOffset = numbers[14],
            HitTableOffset = numbers[15],
        };
    }
}
