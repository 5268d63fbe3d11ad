namespace Rcmp.Regions;

/// <summary>What a location word says.</summary>
internal enum LocationKind
{
    Absent = 0,
    Resident = 1,
    Remote = 2,
    Moving = 3,
}

/// <summary>The 64-bit location word of a page-table entry. Bits: 0–31 frame, 32–33 kind, 34–45 link slot, 46–62 low epoch, 63 set if resident. A rack hit pays for
/// each instruction, so that the sign says whether the page is here, and the low half is the frame. The native shim reads the same bits (native/layout.h).</summary>
internal readonly record struct Location(ulong Word)
{
    public const int KindShift = 32;
    public const int LinkShift = 34;
    public const int EpochShift = 46;
    public const ulong KindMask = 3;
    public const ulong LinkMask = 0xFFF;
    public const ulong ResidentBit = 1UL << 63;

    public static readonly Location Absent = new(0);
    public static readonly Location Moving = new((ulong)LocationKind.Moving << KindShift);

    public LocationKind Kind => (LocationKind)((Word >> KindShift) & KindMask);

    /// <summary>False for a word that no daemon writes: kind and sign disagree.</summary>
    public bool IsWellFormed => (Kind == LocationKind.Resident) == IsResident;

    public bool IsResident => (long)Word < 0;

    public FrameIndex Frame => new((uint)Word);

    /// <summary>The slot of the link table, for a remote page.</summary>
    public int LinkSlot => (int)((Word >> LinkShift) & LinkMask);

    public uint EpochLow => (uint)((Word & ~ResidentBit) >> EpochShift);

    public static Location Resident(FrameIndex frame, Epoch epoch) =>
        new(ResidentBit | frame.Value | ((ulong)LocationKind.Resident << KindShift) | ((ulong)epoch.Low << EpochShift));

    public static Location Remote(int linkSlot, FrameIndex frame, Epoch epoch) =>
        new(frame.Value | ((ulong)LocationKind.Remote << KindShift) | ((ulong)linkSlot << LinkShift) | ((ulong)epoch.Low << EpochShift));
}
