using Akka.Actor;
using Rcmp.Cluster.Nodes;
using Rcmp.Protocol.Messages;

namespace Rcmp.Cluster.Actors;

/// <summary>Where the master's broadcast arrives on a node; hands it to the node's rack and shards.</summary>
internal sealed class RosterActor : ReceiveActor
{
    public RosterActor(NodeRoster roster, Action<RosterChanged>? rack) => Receive<RosterChanged>(changed =>
    {
        if (roster.Offer(changed)) rack?.Invoke(changed);
    });
}
