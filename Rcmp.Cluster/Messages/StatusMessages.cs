using Rcmp.Protocol;

namespace Rcmp.Cluster.Messages;

/// <summary>Anybody to any node: how is the pool?</summary>
internal sealed record AskPoolStatus(RequestId Request) : IPoolProtocol;

/// <summary>A session, as status shows it.</summary>
internal sealed record SessionReport(SessionToken Session, string Client, uint ProcessId, long AgeNs, bool Ready);

/// <summary>A page that does not get quiet, as status shows it.</summary>
internal sealed record HeldUpReport(PageId Page, int Tries, string By, string Why);

/// <summary>A rack, as status shows it: State is registered, registering, draining, forgotten or unreachable; Address that of its node.</summary>
internal sealed record RackReport(
    RackId Rack, Generation Generation, string State, string Why, string Address, string FabricAddress, string RegionPath, long FramesTotal,
    long FramesFree, long FramesReserved, long Resident, long Leaving, long Incoming, long Unsettled, int Links, int Holders, double Heat,
    ValueList<SessionReport> Sessions, ValueList<HeldUpReport> HeldUp, long MovedIn)
{
    /// <summary>What is known of a rack that did not answer.</summary>
    public static RackReport Silent(RosterEntry entry) => new(
        entry.Rack, entry.Generation, entry.Forgotten ? "forgotten" : "unreachable", "", entry.NodeAddress, "", "", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ValueList<SessionReport>.Empty, ValueList<HeldUpReport>.Empty, 0);
}

/// <summary>Answer to <see cref="AskPoolStatus"/>. <paramref name="Master"/> is empty if there is none.</summary>
internal sealed record PoolStatusAnswered(
    RequestId Request, Guid PoolId, int PageSize, int DirectoryShards, string Master, ValueList<RackReport> Racks) : IPoolProtocol;

/// <summary>Node to node: how is your rack?</summary>
internal sealed record AskRackStatus(RequestId Request) : IPoolProtocol;

/// <summary>Answer to <see cref="AskRackStatus"/>.</summary>
internal sealed record RackStatusAnswered(RequestId Request, RackReport Rack) : IPoolProtocol;
