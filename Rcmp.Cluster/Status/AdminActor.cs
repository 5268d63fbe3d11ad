using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Rcmp.Cluster.Actors;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Messages;
using Rcmp.Cluster.Nodes;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Runtime;

namespace Rcmp.Cluster.Status;

/// <summary>Answers operators: gathers the pool's status from all racks, and passes on to the master what is for it.</summary>
internal sealed class AdminActor : ReceiveActor, IWithTimers
{
    private static readonly TimeSpan GatherTime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AskerTime = TimeSpan.FromSeconds(5);

    private readonly NodeOptions _options;
    private readonly NodeRoster _roster;
    private readonly RackHost? _host;
    private readonly Akka.Cluster.Cluster _cluster = Akka.Cluster.Cluster.Get(Context.System);
    private readonly Dictionary<RequestId, Gathering> _gatherings = [];
    private readonly Dictionary<RequestId, IActorRef> _askers = [];

    public AdminActor(NodeOptions options, NodeRoster roster, IActorRef master, RackHost? host)
    {
        (_options, _roster, _host) = (options, roster, host);
        Receive<AskPoolStatus>(Begin);
        Receive<RackStatusAnswered>(Collect);
        Receive<GatherEnded>(ended => Answer(ended.Request));
        ReceiveAsync<AskRackStatus>(AnswerForRackAsync, _ => host is not null);
        // One that is not in a cluster yet has nothing to say: whoever asks would join nothing.
        Receive<AskCluster>(_ => Sender.Tell(new ClusterAnswered(options.PoolId, _cluster.SelfUniqueAddress.Uid, ClusterWatchActor.StandingOf(_cluster)), Self), _ => _cluster.SelfMember.Status == MemberStatus.Up);
        var replyTo = $"{_cluster.SelfAddress}/user/{Paths.Admin}";
        Receive<ForgetRack>(order => PassOn(order.Request, order with { ReplyTo = replyTo }, master));
        Receive<DrainRack>(order => PassOn(order.Request, order with { ReplyTo = replyTo }, master));
        Receive<ArriveAtBarrier>(arrival => PassOn(arrival.Request, arrival, master));
        Receive<AdminAnswered>(answer => PassBack(answer.Request, answer));
        Receive<BarrierAnswered>(answer => PassBack(answer.Request, answer));
        Receive<AskerGone>(gone => _askers.Remove(gone.Request));
    }

    public ITimerScheduler Timers { get; set; } = null!;

    private void Begin(AskPoolStatus ask)
    {
        // Asked again while racks are waited for: begun anew each time, a silent rack would be waited for without end.
        if (_gatherings.ContainsKey(ask.Request)) return;
        var gathering = new Gathering(Sender, _roster.Current.Entries);
        _gatherings[ask.Request] = gathering;
        foreach (var entry in gathering.Entries)
            if (!entry.Forgotten && entry.NodeAddress.Length > 0)
                _roster.Resolve(entry.NodeAddress, Paths.Admin).Tell(new AskRackStatus(ask.Request), Self);
        Timers.StartSingleTimer(ask.Request, new GatherEnded(ask.Request), GatherTime);
        AnswerIfComplete(ask.Request, gathering);
    }

    private void Collect(RackStatusAnswered answer)
    {
        if (!_gatherings.TryGetValue(answer.Request, out var gathering)) return;
        gathering.Reports[answer.Rack.Rack] = answer.Rack;
        AnswerIfComplete(answer.Request, gathering);
    }

    private void AnswerIfComplete(RequestId request, Gathering gathering)
    {
        if (gathering.Entries.All(entry => entry.Forgotten || entry.NodeAddress.Length == 0 || gathering.Reports.ContainsKey(entry.Rack))) Answer(request);
    }

    private void Answer(RequestId request)
    {
        Timers.Cancel(request);
        if (!_gatherings.Remove(request, out var gathering)) return;
        // The singleton runs on the oldest master.
        var master = _cluster.State.Members.Where(m => m.HasRole(SystemConfig.MasterRole) && m.Status is MemberStatus.Up or MemberStatus.Leaving)
            .OrderBy(m => m, Comparer<Member>.Create((left, right) => left.IsOlderThan(right) ? -1 : right.IsOlderThan(left) ? 1 : 0)).FirstOrDefault();
        var racks = gathering.Entries.Select(entry => gathering.Reports.GetValueOrDefault(entry.Rack) ?? RackReport.Silent(entry)).OrderBy(r => r.Rack);
        gathering.Asker.Tell(
            new PoolStatusAnswered(
                request, _options.PoolId, _options.PageSize, _options.DirectoryShards, master?.Address.ToString() ?? "", ValueList<RackReport>.Of(racks)),
            Self);
    }

    private async Task AnswerForRackAsync(AskRackStatus ask)
    {
        var asker = Sender;
        var host = _host!;
        var core = await host.StatusAsync();
        var now = MonotonicClock.NowNs;
        var state = core.Draining ? "draining" : core.Registered ? "registered" : "registering";
        asker.Tell(
            new RackStatusAnswered(ask.Request, new RackReport(
                core.Rack.Rack, core.Rack.Generation, state, core.NotRegisteredBecause ?? "", _cluster.SelfAddress.ToString(), host.FabricAddress,
                host.RegionPath, core.FramesTotal, core.FramesFree, core.FramesReserved, core.Resident, core.Leaving, core.Incoming, core.Unsettled,
                core.Links, core.Holders, core.Heat,
                ValueList<SessionReport>.Of(host.Clients.Select(c => new SessionReport(c.Token, c.ClientName, c.ProcessId, now - c.OpenedNs, c.Ready))),
                ValueList<HeldUpReport>.Of(core.HeldUp.Select(h => new HeldUpReport(h.Page, h.Tries, h.By, h.Why))), core.MovedIn)),
            Self);
    }

    /// <summary>Whoever asks may be known by this machine's loopback address only, so the answer comes back this way. Asked again as long as somebody waits.</summary>
    private void PassOn(RequestId request, IPoolProtocol question, IActorRef master)
    {
        _askers[request] = Sender;
        Timers.StartSingleTimer((nameof(PassOn), request), new AskerGone(request), AskerTime);
        master.Tell(question, Self);
    }

    private void PassBack(RequestId request, IPoolProtocol answer)
    {
        if (_askers.TryGetValue(request, out var asker)) asker.Tell(answer, Self);
    }

    private sealed record AskerGone(RequestId Request) : INoSerializationVerificationNeeded, IDeadLetterSuppression;

    private sealed record Gathering(IActorRef Asker, ValueList<RosterEntry> Entries)
    {
        public Dictionary<RackId, RackReport> Reports { get; } = [];
    }

    private sealed record GatherEnded(RequestId Request) : INoSerializationVerificationNeeded, IDeadLetterSuppression;
}
