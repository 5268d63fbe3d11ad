namespace Rcmp.Protocol.Messages;

/// <summary>What all members of a pool must agree on.</summary>
/// <param name="PoolId">Names the pool.</param>
/// <param name="PageSize">Bytes per page.</param>
/// <param name="Shards">Of the directory.</param>
/// <param name="FormatVersion">Of the region.</param>
/// <param name="Policy">When pages move: members that differ are warned of, not refused. Null: not told.</param>
internal sealed record PoolSettings(Guid PoolId, int PageSize, int Shards, uint FormatVersion, SwapPolicy? Policy = null);

/// <summary>Rack to master, at start, after a fail-over and regularly: here I am.</summary>
/// <param name="RegionId">Names the region for ever.</param>
/// <param name="Rack">Its number, or none if it was never registered.</param>
/// <param name="Generation">Of this start.</param>
/// <param name="NodeAddress">Where answers go.</param>
/// <param name="Settings">As the region was formatted and the node configured.</param>
/// <param name="RosterVersion">The highest seen.</param>
/// <param name="Roster">As its superblock has it.</param>
/// <param name="FramesTotal">Of the region.</param>
/// <param name="FramesFree">Not counting the reserve.</param>
/// <param name="PagesUsed">Frames that are not free.</param>
internal sealed record RegisterRack(
    Guid RegionId, RackId Rack, Generation Generation, string NodeAddress, PoolSettings Settings, long RosterVersion,
    ValueList<RosterEntry> Roster, long FramesTotal, long FramesFree, long PagesUsed) : IPoolProtocol;

/// <summary>Master to rack: your number. In force once the rack has stored it, registered again with it, and is in the roster.</summary>
internal sealed record RackRegistered(Guid RegionId, RackId Rack, Generation Generation, RosterChanged Roster) : IPoolProtocol;

/// <summary>Why a registration is not accepted.</summary>
internal enum RegistrationProblem
{
    None = 0,
    /// <summary>Pool id, page size, shards or format version differ: the message names both values.</summary>
    Mismatch = 1,
    /// <summary>Not yet: members of the roster have not answered.</summary>
    Waiting = 2,
    /// <summary>The rack was removed by an operator.</summary>
    Forgotten = 3,
    /// <summary>The number belongs to another region.</summary>
    NumberTaken = 4,
    /// <summary>All 4095 numbers were given out.</summary>
    RosterFull = 5,
    /// <summary>A later start of this region has registered.</summary>
    OldGeneration = 6,
}

/// <summary>Master to rack: not registered.</summary>
internal sealed record RegistrationRefused(Guid RegionId, Generation Generation, RegistrationProblem Problem, string Why) : IPoolProtocol;

/// <summary>Master to all nodes; a node hands it to its rack and its shards, and finds racks by it. Merged by <c>RosterMerge</c>.</summary>
internal sealed record RosterChanged(long Version, ValueList<RosterEntry> Entries) : IPoolProtocol;

/// <summary>Rack to master: how full it is.</summary>
internal sealed record RackLoad(RackIncarnation Rack, long FramesTotal, long FramesFree, long PagesUsed) : IPoolProtocol;

/// <summary>Rack to master: where is room for so many pages?</summary>
internal sealed record AskRoom(RackIncarnation Rack, RequestId Request, long Count) : IPoolProtocol;

/// <summary>So many pages in that rack.</summary>
internal readonly record struct RackRoom(RackId Rack, long Pages);

/// <summary>Answer to <see cref="AskRoom"/>: enough racks for the whole count, or as much as there is.</summary>
internal sealed record RoomOffered(RackIncarnation Rack, RequestId Request, ValueList<RackRoom> Rooms) : IPoolProtocol;

/// <summary>Operator to master: remove the rack, whatever it holds.</summary>
internal sealed record ForgetRack(RequestId Request, string ReplyTo, RackId Rack) : IPoolProtocol;

/// <summary>Operator to master: empty the rack, then remove it.</summary>
internal sealed record DrainRack(RequestId Request, string ReplyTo, RackId Rack) : IPoolProtocol;

/// <summary>Answer to <see cref="ForgetRack"/> and <see cref="DrainRack"/>.</summary>
internal sealed record AdminAnswered(RequestId Request, bool Ok, string Message) : IPoolProtocol;

/// <summary>Master to rack: move all pages elsewhere and take no new ones.</summary>
internal sealed record EmptyRack(RackIncarnation Rack) : IPoolProtocol;
