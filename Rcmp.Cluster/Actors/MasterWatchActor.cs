using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Nodes;

namespace Rcmp.Cluster.Actors;

/// <summary>A sole master that is started again forms a new cluster, since nobody it knows is left; the racks go on without a master in the
/// old one. When this rack sees none, it asks the seeds, and says so if one answers.</summary>
internal sealed class MasterWatchActor : ReceiveActor, IWithTimers
{
    private readonly TimeSpan _interval;

    public MasterWatchActor(IReadOnlyList<NodeAddress> seeds, TimeSpan interval, Action<NodeAddress> found)
    {
        _interval = interval;
        var cluster = Akka.Cluster.Cluster.Get(Context.System);
        Receive<LookDue>(_ =>
        {
            if (cluster.SelfMember.Status != MemberStatus.Up || cluster.State.Members.Any(member => member.HasRole(SystemConfig.MasterRole))) return;
            // The id travels: text, since Akka's own messages carry nothing that our serializer knows.
            foreach (var seed in seeds) Context.ActorSelection(Paths.On(seed.Akka, Paths.Admin)).Tell(new Identify(seed.ToString()));
        });
        Receive<ActorIdentity>(identity =>
        {
            if (identity.Subject is not null && identity.MessageId is string id && NodeAddress.TryParse(id, out var seed)) found(seed);
        });
    }

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart() => Timers.StartPeriodicTimer(LookDue.Instance, LookDue.Instance, _interval);

    private sealed class LookDue : INoSerializationVerificationNeeded, IDeadLetterSuppression
    {
        public static readonly LookDue Instance = new();
    }
}
