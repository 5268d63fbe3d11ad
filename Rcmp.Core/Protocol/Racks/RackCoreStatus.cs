namespace Rcmp.Protocol;

/// <summary>A page that could not be taken away, and who holds it.</summary>
internal sealed record HeldUpPage(PageId Page, int Tries, string By, string Why);

/// <summary>What a rack is doing.</summary>
internal sealed record RackCoreStatus(
    RackIncarnation Rack, bool Registered, string? NotRegisteredBecause, long FramesTotal, long FramesFree, long FramesReserved, long Resident,
    long Leaving, long Incoming, long Unsettled, int Links, int Holders, int Misses, double Heat, bool Draining,
    ValueList<HeldUpPage> HeldUp)
{
    /// <summary>Pages that have moved here since the start: what users call swaps.</summary>
    public long MovedIn { get; init; }
}
