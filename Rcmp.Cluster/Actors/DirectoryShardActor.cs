using Akka.Actor;
using Akka.Event;
using Microsoft.Extensions.Logging;
using Rcmp.Cluster.Nodes;
using Rcmp.Protocol;

namespace Rcmp.Cluster.Actors;

/// <summary>Carries a directory shard: a sharded entity. If it fails it is started anew, and asks the racks for everything: that is as
/// safe as a move to another node.</summary>
internal sealed class DirectoryShardActor : ReceiveActor, IWithTimers
{
    private readonly DirectoryShard _shard;
    private readonly ShardId _id;
    private readonly IShardObserver? _observer;
    private readonly Effects _effects;
    private readonly NodeRoster _roster;
    private long _timerAtNs = long.MaxValue;

    public DirectoryShardActor(ShardId shard, DirectoryOptions options, NodeRoster roster, Action<string> fatal, ILogger log, IShardObserver? observer = null)
    {
        (_id, _observer) = (shard, observer);
        var incarnation = (uint)Random.Shared.NextInt64(1, uint.MaxValue);
        _shard = new DirectoryShard(shard, incarnation, options, () => (ulong)Random.Shared.NextInt64());
        _effects = new Effects(shard, roster, fatal, log, observer);
        _roster = roster;
        ClusterLog.ShardStarted(log, shard.Value, incarnation);
        Receive<DeadlineReached>(_ =>
        {
            _timerAtNs = long.MaxValue;
            _shard.Tick(MonotonicClock.NowNs, _effects);
            SetTimer();
        });
        Receive<IPoolProtocol>(Handle);
    }

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart() => Handle(_roster.Subscribe(Self));

    protected override void PostStop() => _roster.Unsubscribe(Self);

    private void Handle(IPoolProtocol message)
    {
        if (_observer?.Hears(_id, message) == false) return;
        _shard.Handle(message, MonotonicClock.NowNs, _effects);
        SetTimer();
    }

    private void SetTimer()
    {
        // A timer that is early finds nothing due, and is cheaper than one that is set and cancelled with each message.
        var deadline = _shard.NextDeadlineNs;
        if (deadline >= _timerAtNs) return;
        _timerAtNs = deadline;
        Timers.StartSingleTimer(DeadlineReached.Instance, DeadlineReached.Instance, MonotonicClock.Until(deadline));
    }

    private sealed class DeadlineReached : INoSerializationVerificationNeeded, IDeadLetterSuppression
    {
        public static readonly DeadlineReached Instance = new();
    }

    private sealed class Effects(ShardId shard, NodeRoster roster, Action<string> fatal, ILogger log, IShardObserver? observer) : IShardEffects
    {
        public void SendToRack(RackId rack, IPoolProtocol message)
        {
            observer?.Sends(shard, message);
            roster.FindRack(rack)?.Tell(message, ActorRefs.NoSender);
        }

        public void Log(RackLogLevel level, string message) => Runtime.RackLog.Write(log, level, message);

        public void Fatal(string message) => fatal(message);
    }
}
