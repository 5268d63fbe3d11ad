using Akka.Actor;
using Akka.Configuration;
using Microsoft.Extensions.Logging;
using Rcmp.Cluster.Actors;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Messages;

namespace Rcmp.Cluster.Nodes;

/// <summary>A master or a rack: a process with actor systems, one after the other. A cluster that downs the node ends its actor system,
/// not the process; the next system joins again. What must outlive them belongs to the derived class.</summary>
internal abstract class ClusterNode : IAsyncDisposable
{
    private static readonly TimeSpan RestartPause = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan LeaveTime = TimeSpan.FromSeconds(5);

    private readonly NodeOptions _options;
    private readonly string _role;
    private readonly ILoggerFactory _loggers;
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<Exception> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private TaskCompletionSource<string> _rejoin = NewRejoin();
    private Task? _run;

    protected ClusterNode(NodeOptions options, string role, ILoggerFactory loggers)
    {
        (_options, _role, _loggers) = (options, role, loggers);
        Log = loggers.CreateLogger("Rcmp." + (role == SystemConfig.RackRole ? "Rack" : "Master"));
        Timing = SystemConfig.Profile(options.Common.TimingProfile).GetConfig("rcmp-timing");
    }

    /// <summary>Completes when the node is up for the first time.</summary>
    public Task Ready => _ready.Task;

    /// <summary>The present actor system; for tests.</summary>
    public ActorSystem? System { get; private set; }

    /// <summary>Of the directory shards that this node runs; for tests.</summary>
    public IShardObserver? ShardObserver { get; init; }

    protected ILogger Log { get; }

    protected ILoggerFactory Loggers => _loggers;

    protected Config Timing { get; }

    /// <summary>Runs until cancelled; a failed start, a refusal or a broken invariant is an exception.</summary>
    public Task RunAsync(CancellationToken ct) => _run ??= RunCoreAsync(ct);

    /// <summary>Runs in the background until disposed; completes when the node is ready.</summary>
    public async Task StartAsync(CancellationToken ct)
    {
        var run = RunAsync(_stop.Token);
        await Task.WhenAny(_ready.Task, run).WaitAsync(ct).ConfigureAwait(false);
        if (run.IsCompleted) await run.ConfigureAwait(false);
    }

    /// <summary>Stops the node: it leaves the cluster.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        if (_run is { } run) await run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Release();
        _stop.Dispose();
    }

    /// <summary>Starts the node's actors in a new system.</summary>
    protected abstract void Begin(ActorSystem system, string selfAddress);

    /// <summary>The system is about to end.</summary>
    protected virtual void End()
    {
    }

    /// <summary>Gives back what outlived the systems.</summary>
    protected virtual void Release()
    {
    }

    /// <summary>The first system is up: what else must be true before the node is ready?</summary>
    protected virtual Task BecomeReadyAsync(CancellationToken ct) => Task.CompletedTask;

    /// <summary>Ends the node with this exception.</summary>
    protected void Fail(Exception reason) => _failed.TrySetResult(reason);

    protected void Fatal(string message)
    {
        ClusterLog.Fatal(Log, _options.Address.ToString(), message);
        Fail(new PoolInvariantException(message));
    }

    /// <summary>Ends the present system; the next one joins what answers at the seeds.</summary>
    private void OnOtherCluster(ClusterStanding other)
    {
        if (_rejoin.TrySetResult(other.AskedNode)) ClusterLog.OtherCluster(Log, other.AskedNode, other.Members, other.HasMaster);
    }

    private async Task RunCoreAsync(CancellationToken ct)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(ct, _stop.Token);
        var isFirst = true;
        while (!linked.IsCancellationRequested)
        {
            ActorSystem system;
            try
            {
                system = SystemConfig.Start(NodeAddress.SystemName, SystemConfig.ForNode(_options, _role), _loggers, "rcmp.node.host and rcmp.node.port");
            }
            catch (PoolException e) when (!isFirst)
            {
                ClusterLog.RestartFailed(Log, _options.Address.ToString(), e.Message);
                await Task.Delay(RestartPause, linked.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }
            System = system;
            _rejoin = NewRejoin();
            try
            {
                var reason = await RunSystemAsync(system, isFirst, linked.Token).ConfigureAwait(false);
                if (!linked.IsCancellationRequested) ClusterLog.SystemEnded(Log, _options.Address.ToString(), reason);
            }
            finally
            {
                End();
                await StopAsync(system, isLeaving: linked.IsCancellationRequested || !_rejoin.Task.IsCompleted).ConfigureAwait(false);
            }
            isFirst = false;
        }
    }

    private async Task<string> RunSystemAsync(ActorSystem system, bool isFirst, CancellationToken ct)
    {
        var cluster = Akka.Cluster.Cluster.Get(system);
        var up = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        cluster.RegisterOnMemberUp(() => up.TrySetResult());
        Begin(system, cluster.SelfAddress.ToString());
        var watchInterval = Timing.GetTimeSpan("roster-interval");
        system.ActorOf(Props.Create(() => new ClusterWatchActor(_options, watchInterval, OnOtherCluster)), "rcmp-cluster-watch");
        var cancelled = Task.Delay(Timeout.Infinite, ct);
        Task[] ends = [system.WhenTerminated, _failed.Task, _rejoin.Task, cancelled];

        var joined = Task.WhenAny([up.Task, .. ends]);
        if (isFirst)
        {
            if (await Task.WhenAny(joined, Task.Delay(_options.JoinTimeout, ct)).ConfigureAwait(false) != joined && !ct.IsCancellationRequested)
                throw new PoolNotConnectedException(
                    $"No master answers at {string.Join(", ", _options.SeedNodes)} after {Quantity.FormatDuration(_options.JoinTimeout)} (rcmp.join-timeout): start one, or correct rcmp.seed-nodes.");
        }
        await joined.ConfigureAwait(false);
        if (up.Task.IsCompleted)
        {
            ClusterLog.NodeUp(Log, cluster.SelfAddress.ToString(), _role, _options.Common.TimingProfile);
            if (isFirst)
            {
                var ready = BecomeReadyAsync(ct);
                await Task.WhenAny([ready, .. ends]).ConfigureAwait(false);
                if (ready.IsFaulted) await ready.ConfigureAwait(false);
                if (ready.IsCompletedSuccessfully) _ready.TrySetResult();
            }
        }
        await Task.WhenAny(ends).ConfigureAwait(false);
        if (_failed.Task.IsCompleted) throw await _failed.Task.ConfigureAwait(false);
        return _rejoin.Task.IsCompleted ? $"the node at {await _rejoin.Task.ConfigureAwait(false)} is in another cluster, which stays" : "the cluster has removed this node";
    }

    private static async Task StopAsync(ActorSystem system, bool isLeaving)
    {
        // Leaving tells the others, so that none has to find out; but it must not hold up a stop for long. A system whose cluster is given up only ends: leaving would wait for the dead
        // of that cluster and for its shards' new places, and keep the port for some ten seconds from the system that comes next.
        var shutdown = CoordinatedShutdown.Get(system);
        await Task.WhenAny(
            isLeaving ? shutdown.Run(CoordinatedShutdown.ClrExitReason.Instance)
                : shutdown.Run(CoordinatedShutdown.ClusterDowningReason.Instance, CoordinatedShutdown.PhaseActorSystemTerminate),
            Task.Delay(LeaveTime)).ConfigureAwait(false);
        await EndedSystem.TerminateAsync(system, LeaveTime).ConfigureAwait(false);
    }

    private static TaskCompletionSource<string> NewRejoin() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
