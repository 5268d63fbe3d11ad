using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Microsoft.Extensions.Logging;
using Rcmp.Cluster.Messages;
using Rcmp.Cluster.Nodes;
using Rcmp.Cluster.Status;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Cluster.Actors;

/// <summary>Carries the master: the cluster's singleton. Its state is soft: after a fail-over racks register again.</summary>
internal sealed class MasterActor : ReceiveActor, IWithTimers
{
    private readonly MasterCore _master;
    private readonly Effects _effects;
    private readonly Akka.Cluster.Cluster _cluster;
    private readonly TimeSpan _rosterInterval;
    private readonly BarrierBoard<IActorRef> _barriers = new();

    public MasterActor(MasterOptions options, NodeRoster roster, TimeSpan rosterInterval, ILogger log)
    {
        _master = new MasterCore(options);
        _cluster = Akka.Cluster.Cluster.Get(Context.System);
        _effects = new Effects(roster, _cluster, log);
        _rosterInterval = rosterInterval;
        ClusterLog.MasterStarted(log);
        Receive<RosterDue>(_ => _effects.Broadcast(_master.Roster));
        Receive<ClusterEvent.MemberUp>(up => _effects.Send(_master.Roster, up.Member.Address));
        Receive<ClusterEvent.IMemberEvent>(_ => { });
        Receive<ArriveAtBarrier>(arrival =>
        {
            foreach (var (to, answer) in _barriers.Arrive(arrival, Sender, MonotonicClock.NowNs)) to.Tell(answer, Self);
        });
        Receive<IPoolProtocol>(message => _master.Handle(message, MonotonicClock.NowNs, _effects));
    }

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        _cluster.Subscribe(Self, ClusterEvent.InitialStateAsEvents, typeof(ClusterEvent.MemberUp));
        // A broadcast may be lost, and a node may have joined unseen.
        Timers.StartPeriodicTimer(RosterDue.Instance, RosterDue.Instance, _rosterInterval);
    }

    protected override void PostStop() => _cluster.Unsubscribe(Self);

    private sealed class RosterDue : INoSerializationVerificationNeeded, IDeadLetterSuppression
    {
        public static readonly RosterDue Instance = new();
    }

    private sealed class Effects(NodeRoster roster, Akka.Cluster.Cluster cluster, ILogger log) : IMasterEffects
    {
        // An operator's command names its own actor, a rack its node alone.
        public void SendToNode(string nodeAddress, IPoolProtocol message) =>
            (nodeAddress.LastIndexOf("/user/", StringComparison.Ordinal) is > 0 and var at
                ? roster.Resolve(nodeAddress[..at], nodeAddress[(at + "/user/".Length)..])
                : roster.Resolve(nodeAddress, Paths.Rack)).Tell(message, ActorRefs.NoSender);

        public void Broadcast(RosterChanged changed)
        {
            foreach (var member in cluster.State.Members)
                if (member.Status is MemberStatus.Up or MemberStatus.Joining or MemberStatus.WeaklyUp)
                    Send(changed, member.Address);
        }

        public void Send(RosterChanged changed, Address node)
        {
            if (changed.Entries.Count > 0) roster.Resolve(node.ToString(), Paths.Roster).Tell(changed, ActorRefs.NoSender);
        }

        public void Log(RackLogLevel level, string message) => Runtime.RackLog.Write(log, level, message);
    }
}
