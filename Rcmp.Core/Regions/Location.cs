namespace Rcmp.Regions;

/// <summary>What a location word says.</summary>
internal enum LocationKind
{
    Absent = 0,
    Resident = 1,
    Remote = 2,
    Moving = 3,
}

/// <summary>The 64-bit location word of a page-table entry. Bits: 0–1 kind, 2–13 link slot, 14–45 frame, 46–63 low epoch. The native
/// shim reads the same bits (native/layout.h).</summary>
internal readonly record struct Location(ulong Word)
{
    public const int LinkShift = 2;
    public const int FrameShift = 14;
    public const int EpochShift = 46;
    public const ulong KindMask = 3;
    public const ulong LinkMask = 0xFFF;

    public static readonly Location Absent = new(0);
    public static readonly Location Moving = new((ulong)LocationKind.Moving);

    public LocationKind Kind => (LocationKind)(Word & KindMask);

    public FrameIndex Frame => new((uint)(Word >> FrameShift));

    /// <summary>The slot of the link table, for a remote page.</summary>
    public int LinkSlot => (int)((Word >> LinkShift) & LinkMask);

    public uint EpochLow => (uint)(Word >> EpochShift);

    public static Location Resident(FrameIndex frame, Epoch epoch) =>
        new((ulong)LocationKind.Resident | ((ulong)frame.Value << FrameShift) | ((ulong)epoch.Low << EpochShift));

    public static Location Remote(int linkSlot, FrameIndex frame, Epoch epoch) =>
        new((ulong)LocationKind.Remote | ((ulong)linkSlot << LinkShift) | ((ulong)frame.Value << FrameShift) | ((ulong)epoch.Low << EpochShift));
}
