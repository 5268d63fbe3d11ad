namespace Rcmp.Regions;

/// <summary>The state of a frame.</summary>
internal enum RowState
{
    Free = 0,
    Resident = 1,
    Leaving = 2,
    Incoming = 3,
}

/// <summary>A row of the frame table: the durable truth about a frame. In the region it is 64 bytes, of which the first word publishes
/// state, flags and epoch; the other words are written before it, while the old state does not give them meaning.</summary>
/// <param name="State">What the frame is used for.</param>
/// <param name="Epoch">The epoch of the page here. An incoming row has the epoch of the row it copies.</param>
/// <param name="Page">The page; in a free row the page it had last, or none.</param>
/// <param name="Attempt">For leaving, incoming and unsettled rows: the move.</param>
/// <param name="Peer">Leaving: to which rack. Incoming and unsettled: from which.</param>
/// <param name="Session">The session that holds the page: until it has acknowledged the allocation, or for the page's life if <paramref name="SessionScoped"/>.</param>
/// <param name="Request">Resident: the allocation's request. Free: the request that freed <paramref name="Page"/>.</param>
/// <param name="Unsettled">Resident, but the old owner has not confirmed the release.</param>
/// <param name="SessionScoped">The page ends with its session.</param>
internal readonly record struct FrameRow(
    RowState State, Epoch Epoch, PageId Page, AttemptId Attempt, RackId Peer, SessionToken Session, RequestId Request, bool Unsettled,
    bool SessionScoped)
{
    public const int SizeBytes = 64;

    // Word 0: bits 0–2 state, 3 unsettled, 4 session-scoped, 5–63 epoch. Word 1 page, 2 term, 3 attempt number, 4 peer, 5 session, 6 request, 7 zero.
    public const int EpochShift = 5;
    public const ulong StateMask = 7;
    public const ulong UnsettledBit = 8;
    public const ulong SessionScopedBit = 16;

    public ulong Word =>
        (ulong)State | (Unsettled ? UnsettledBit : 0) | (SessionScoped ? SessionScopedBit : 0) | (Epoch.Value << EpochShift);

    public static FrameRow FromWords(ReadOnlySpan<ulong> words) => new(
        (RowState)(words[0] & StateMask), new Epoch(words[0] >> EpochShift), new PageId(words[1]), new AttemptId(new Term(words[2]), words[3]),
        new RackId((ushort)words[4]), new SessionToken(words[5]), new RequestId(words[6]), (words[0] & UnsettledBit) != 0,
        (words[0] & SessionScopedBit) != 0);
}
