using System.Globalization;

namespace Rcmp;

/// <summary>The number of a region in its pool, 1 to 4095: given once, when the region first registers, and never used again.
/// Since a rack has one region, it also names the rack. 0 is "none".</summary>
public readonly record struct RackId(ushort Value) : IComparable<RackId>
{
    /// <summary>The highest number: 12 bits of a page id.</summary>
    public const int Max = 4095;

    /// <summary>No rack.</summary>
    public static readonly RackId None;

    /// <summary>Whether this is no rack.</summary>
    public bool IsNone => Value == 0;

    /// <inheritdoc/>
    public int CompareTo(RackId other) => Value.CompareTo(other.Value);

    /// <summary>The number in decimal.</summary>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The id of a page, for its life: region number, then sequence. How many bits the sequence has depends on the page
/// size; see <see cref="PageGeometry"/>. 0 is "none".</summary>
public readonly record struct PageId(ulong Value) : IComparable<PageId>
{
    /// <summary>No page.</summary>
    public static readonly PageId None;

    /// <summary>Whether this is no page.</summary>
    public bool IsNone => Value == 0;

    /// <summary>The page <paramref name="count"/> pages further on.</summary>
    public PageId Plus(long count) => new(unchecked(Value + (ulong)count));

    /// <inheritdoc/>
    public int CompareTo(PageId other) => Value.CompareTo(other.Value);

    /// <summary>The id as 0x and hexadecimal digits.</summary>
    public override string ToString() => "0x" + Value.ToString("x", CultureInfo.InvariantCulture);
}

/// <summary>The index of a frame in its region, from 0.</summary>
internal readonly record struct FrameIndex(uint Value)
{
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Counts the changes of a page's owner or row: a higher epoch supersedes a lower one.</summary>
internal readonly record struct Epoch(ulong Value) : IComparable<Epoch>
{
    /// <summary>How many low bits a location word keeps.</summary>
    public const int LowBits = 17;

    public uint Low => (uint)(Value & ((1UL << LowBits) - 1));

    public Epoch Plus(ulong steps) => new(Value + steps);

    public int CompareTo(Epoch other) => Value.CompareTo(other.Value);

    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>How often a region has been attached by a daemon. References of an older generation are dead.</summary>
internal readonly record struct Generation(ulong Value) : IComparable<Generation>
{
    public int CompareTo(Generation other) => Value.CompareTo(other.Value);

    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The index of a directory shard, 0 to <c>rcmp.directory.shards</c> − 1.</summary>
internal readonly record struct ShardId(int Value)
{
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The reign of one incarnation of a directory shard: a counter in the high 32 bits, above every term seen, and the
/// incarnation's random id in the low 32, so that two incarnations that saw the same terms still differ.</summary>
internal readonly record struct Term(ulong Value) : IComparable<Term>
{
    public static Term Above(Term seen, uint incarnation) => new((((seen.Value >> 32) + 1) << 32) | incarnation);

    public int CompareTo(Term other) => Value.CompareTo(other.Value);

    public static bool operator <(Term left, Term right) => left.Value < right.Value;

    public static bool operator >(Term left, Term right) => left.Value > right.Value;

    public static bool operator <=(Term left, Term right) => left.Value <= right.Value;

    public static bool operator >=(Term left, Term right) => left.Value >= right.Value;

    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);
}

/// <summary>One try to move one page; never reused, since the term is unique and the number counts within it.</summary>
internal readonly record struct AttemptId(Term Term, ulong Number)
{
    public override string ToString() => $"{Term}.{Number}";
}

/// <summary>Names a session for as long as its client lives, across connections and daemon starts. Random, never 0.</summary>
internal readonly record struct SessionToken(ulong Value)
{
    public bool IsNone => Value == 0;

    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);
}

/// <summary>Names a request of a client, so that a repeat is recognized. Random.</summary>
internal readonly record struct RequestId(ulong Value)
{
    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);
}

/// <summary>A rack in one of its generations.</summary>
internal readonly record struct RackIncarnation(RackId Rack, Generation Generation)
{
    public override string ToString() => $"{Rack}@{Generation}";
}

/// <summary>One registration of a rack H at an owner O: what grants, revocations and acknowledgements between the two carry. A new
/// registration is a new link; everything of an older one is ignored.</summary>
internal readonly record struct LinkId(RackIncarnation Owner, RackIncarnation Holder, ulong Registration)
{
    public override string ToString() => $"{Holder}->{Owner}#{Registration:x}";
}
