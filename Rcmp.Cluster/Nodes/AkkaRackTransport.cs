using Akka.Actor;
using Rcmp.Cluster.Actors;
using Rcmp.Cluster.Transport;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Runtime;

namespace Rcmp.Cluster.Nodes;

/// <summary>A rack's way out, through one actor system.</summary>
internal sealed class AkkaRackTransport(
    string nodeAddress, NodeRoster roster, IActorRef directory, IActorRef master, SessionRegistry sessions, ActorLane lane, Action<string> fatal) : IRackTransport
{
    public string NodeAddress => nodeAddress;

    // Every message to a shard names it; the region of the directory's sharding reads the name from the message.
    public void ToShard(ShardId shard, IPoolProtocol message) => Tell(directory, message);

    public void ToRack(RackId rack, IPoolProtocol message) => Tell(roster.FindRack(rack), message);

    public void ToMaster(IPoolProtocol message) => Tell(master, message);

    public void ToSession(SessionToken session, IPoolProtocol message) => Tell(sessions.Find(session), message);

    public void RosterKnown(RosterChanged changed) => roster.Offer(changed);

    public void Fatal(string message) => fatal(message);

    /// <summary>What the host's own threads have to say (a page has been copied, guards are clear) they also write.</summary>
    private void Tell(IActorRef? actor, IPoolProtocol message)
    {
        var isLent = lane.TryLend();
        actor?.Tell(message, ActorRefs.NoSender);
        if (isLent) lane.Return(ActorLane.CallerRunsMax);
    }
}
