using Akka.Actor;
using Rcmp.Cluster.Actors;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Runtime;

namespace Rcmp.Cluster.Nodes;

/// <summary>A rack's way out, through one actor system.</summary>
internal sealed class AkkaRackTransport(
    string nodeAddress, NodeRoster roster, IActorRef directory, IActorRef master, SessionRegistry sessions, Action<string> fatal) : IRackTransport
{
    public string NodeAddress => nodeAddress;

    // Every message to a shard names it; the region of the directory's sharding reads the name from the message.
    public void ToShard(ShardId shard, IPoolProtocol message) => directory.Tell(message, ActorRefs.NoSender);

    public void ToRack(RackId rack, IPoolProtocol message) => roster.FindRack(rack)?.Tell(message, ActorRefs.NoSender);

    public void ToMaster(IPoolProtocol message) => master.Tell(message, ActorRefs.NoSender);

    public void ToSession(SessionToken session, IPoolProtocol message) => sessions.Tell(session, message);

    public void RosterKnown(RosterChanged changed) => roster.Offer(changed);

    public void Fatal(string message) => fatal(message);
}
