using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Messages;
using Rcmp.Cluster.Nodes;

namespace Rcmp.Cluster.Actors;

/// <summary>Finds out that the pool's nodes are in two clusters: asks the seeds that are no members of this one, or do not answer as such, and says so if one is in a cluster that is to stay.</summary>
/// <remarks>It happens: a sole master that is started again forms a new cluster, since nobody it knows is left, and the racks go on without a master in the old one; and the first seed
/// forms one if it hears none of the other masters while it starts. Terms keep the pages safe meanwhile.</remarks>
internal sealed class ClusterWatchActor : ReceiveActor, IWithTimers
{
    /// <summary>After some questions without an answer a seed is taken for dead, and asked once in so many times: each question to a dead node costs a line in Akka's log.</summary>
    private const int AskedOnceIn = 12;

    private const int AskedEachTime = 4;

    private readonly Akka.Cluster.Cluster _cluster = Akka.Cluster.Cluster.Get(Context.System);
    private readonly NodeOptions _options;
    private readonly TimeSpan _interval;
    private readonly Dictionary<NodeAddress, int> _asked = [];

    public ClusterWatchActor(NodeOptions options, TimeSpan interval, Action<ClusterStanding> found)
    {
        (_options, _interval) = (options, interval);
        Receive<LookDue>(_ => Look());
        Receive<ClusterAnswered>(answer =>
        {
            // A node that has only just been let in may not know all members yet: it looks small to itself.
            if (answer.PoolId != _options.PoolId || _cluster.SelfMember.Status != MemberStatus.Up || IsMember(answer)) return;
            if (answer.Standing.CompareTo(StandingOf(_cluster)) > 0) found(answer.Standing);
        });
    }

    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>The cluster as this node sees it.</summary>
    public static ClusterStanding StandingOf(Akka.Cluster.Cluster cluster)
    {
        var members = cluster.State.Members.Where(m => m.Status == MemberStatus.Up && !cluster.State.Unreachable.Contains(m)).ToList();
        return new ClusterStanding(
            cluster.SelfAddress.ToString(), members.Exists(m => m.HasRole(SystemConfig.MasterRole)), members.Count,
            members.Select(m => m.Address.ToString()).Order(StringComparer.Ordinal).FirstOrDefault(""));
    }

    protected override void PreStart() => Timers.StartPeriodicTimer(LookDue.Instance, LookDue.Instance, _interval);

    private void Look()
    {
        if (_cluster.SelfMember.Status != MemberStatus.Up) return;
        foreach (var seed in _options.SeedNodes)
        {
            // Of one that is started again the old incarnation is a member for a while, which nobody reaches.
            if (_cluster.State.Members.Any(m => m.Address.ToString() == seed.Akka && !_cluster.State.Unreachable.Contains(m)))
            {
                _asked.Remove(seed);
                continue;
            }

            var asked = _asked[seed] = _asked.GetValueOrDefault(seed) + 1;
            if (asked <= AskedEachTime || asked % AskedOnceIn == 0) Context.ActorSelection(Paths.On(seed.Akka, Paths.Admin)).Tell(new AskCluster(), Self);
        }
    }

    private bool IsMember(ClusterAnswered answer) => _cluster.State.Members.Any(m => m.Address.ToString() == answer.Standing.AskedNode && m.UniqueAddress.Uid == answer.Uid);

    private sealed class LookDue : INoSerializationVerificationNeeded, IDeadLetterSuppression
    {
        public static readonly LookDue Instance = new();
    }
}
