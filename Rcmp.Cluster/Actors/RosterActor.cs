using Akka.Actor;
using Akka.Cluster;
using Microsoft.Extensions.Logging;
using Rcmp.Cluster.Nodes;
using Rcmp.Protocol.Messages;

namespace Rcmp.Cluster.Actors;

/// <summary>Where the master's broadcast arrives on a node; hands it to the node's rack and shards. Also writes down who comes and goes.</summary>
internal sealed class RosterActor : ReceiveActor
{
    private readonly Akka.Cluster.Cluster _cluster = Akka.Cluster.Cluster.Get(Context.System);

    public RosterActor(NodeRoster roster, Action<RosterChanged>? rack, ILogger log)
    {
        Receive<RosterChanged>(changed =>
        {
            if (roster.Offer(changed)) rack?.Invoke(changed);
        });
        Receive<ClusterEvent.UnreachableMember>(m => ClusterLog.MemberUnreachable(log, m.Member.Address.ToString()));
        Receive<ClusterEvent.ReachableMember>(m => ClusterLog.MemberReachable(log, m.Member.Address.ToString()));
        Receive<ClusterEvent.IMemberEvent>(m => ClusterLog.MemberChanged(log, m.Member.Address.ToString(), m.Member.Status.ToString()));
    }

    protected override void PreStart() => _cluster.Subscribe(
        Self, ClusterEvent.InitialStateAsEvents, typeof(ClusterEvent.IReachabilityEvent), typeof(ClusterEvent.MemberUp), typeof(ClusterEvent.MemberDowned),
        typeof(ClusterEvent.MemberRemoved));

    protected override void PostStop() => _cluster.Unsubscribe(Self);
}
