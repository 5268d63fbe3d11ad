using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Runtime;

/// <summary>Carries a rack's messages out: over Akka, or to an in-process dispatcher. Called under the host's lock, in order; must not block
/// and must not call back into a host. What cannot be delivered is dropped: the protocol repeats it.</summary>
internal interface IRackTransport
{
    /// <summary>The address under which other nodes reach this rack; goes into the roster.</summary>
    string NodeAddress { get; }

    void ToShard(ShardId shard, IPoolProtocol message);

    void ToRack(RackId rack, IPoolProtocol message);

    void ToMaster(IPoolProtocol message);

    void ToSession(SessionToken session, IPoolProtocol message);

    /// <summary>The rack has heard of a newer roster: where racks are.</summary>
    void RosterKnown(RosterChanged roster);

    /// <summary>An invariant is broken: this process must stop before it serves wrong data.</summary>
    void Fatal(string message);
}
