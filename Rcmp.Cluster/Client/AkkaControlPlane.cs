using System.Collections.Concurrent;
using System.Diagnostics;
using Akka.Actor;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Nodes;
using Rcmp.Cluster.Transport;
using Rcmp.Protocol.Messages;
using Rcmp.Runtime;

namespace Rcmp.Cluster.Client;

/// <summary>A client's way to its rack's daemon: an actor of the given system, which need not be a member of the cluster.</summary>
internal sealed class AkkaControlPlane : IControlPlane
{
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<RequestId, PendingRequest> _pending = [];
    private readonly ActorSystem _system;
    private readonly bool _ownsSystem;
    private readonly ActorLane _lane;
    private readonly ILogger _log;
    private readonly EventThread _events = new();
    private readonly TaskCompletionSource<SessionGrant> _granted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly NodeAddress _rack;
    private IActorRef _actor = ActorRefs.Nobody;
    private volatile PoolState _state = PoolState.Connecting;

    private AkkaControlPlane(ActorSystem system, bool ownsSystem, RcmpClientOptions options)
    {
        (_system, _ownsSystem, _lane) = (system, ownsSystem, ActorLane.Of(system));
        _log = (options.LoggerFactory ?? NullLoggerFactory.Instance).CreateLogger("Rcmp.Client");
        _ = NodeAddress.TryParse(options.Rack, out _rack);
    }

    public event Action<PoolState>? StateChanged;

    public PoolState State => _state;

    public IEnumerable<PendingRequest> Pending => _pending.Values;

    public bool HasPending => !_pending.IsEmpty;

    /// <summary>Opens a session. On failure the system is left to the caller.</summary>
    /// <exception cref="PoolNotConnectedException">The daemon does not answer within the timeout, or has not registered yet.</exception>
    /// <exception cref="PoolMismatchException">Another pool or format version.</exception>
    /// <exception cref="PoolExhaustedException">All sessions of the rack are taken.</exception>
    public static async Task<(AkkaControlPlane Control, SessionGrant Grant)> ConnectAsync(
        ActorSystem system, bool ownsSystem, RcmpClientOptions options, CancellationToken ct)
    {
        var control = new AkkaControlPlane(system, ownsSystem, options);
        var timing = SystemConfig.Profile(options.TimingProfile).GetConfig("rcmp-timing");
        var name = options.Name.Length > 0 ? options.Name : AppDomain.CurrentDomain.FriendlyName;
        var request = new SessionRequest(options.PoolId, name, Environment.ProcessId, Regions.RegionLayout.FormatVersion);
        var pingInterval = timing.GetTimeSpan("ping-interval");
        control._actor = system.ActorOf(
            Props.Create(() => new ClientActor(control, control._rack, request, options.Timeout, pingInterval)).WithDispatcher(SystemConfig.Dispatcher),
            $"{Paths.Client}-{Guid.NewGuid():n}");
        try
        {
            return (control, await control._granted.Task.WaitAsync(ct).ConfigureAwait(false));
        }
        catch
        {
            system.Stop(control._actor);
            throw;
        }
    }

    public Task<ISessionReply> AskAsync(ISessionRequest request, TimeSpan timeout, CancellationToken ct)
    {
        if (_state == PoolState.Closed) throw new PoolClosedException("The pool was closed.");
        ct.ThrowIfCancellationRequested();
        var pending = new PendingRequest(request, Remove);
        _pending[request.Request] = pending;
        // The scheduler has a thread of its own: a timeout comes although every thread of the pool is blocked.
        pending.Timeout = _system.Scheduler.Advanced.ScheduleOnceCancelable(timeout, () => Expire(pending, timeout));
        if (ct.CanBeCanceled) pending.Cancellation = ct.Register(() => pending.Cancel(ct));
        Send(pending);
        return pending.Task;
    }

    public void Tell(ISessionRequest request)
    {
        if (_state == PoolState.Connected) _actor.Tell(new ClientActor.OneWay(request), ActorRefs.NoSender);
    }

    public async ValueTask DisposeAsync()
    {
        if (_state == PoolState.Closed) return;
        SetState(PoolState.Closed);
        _system.Stop(_actor);
        foreach (var pending in _pending.Values) pending.Fail(new PoolClosedException("The pool was closed."));
        if (_ownsSystem) await EndedSystem.TerminateAsync(_system, StopTime).ConfigureAwait(false);
    }

    internal void Granted(SessionGrant grant)
    {
        ClusterLog.ClientConnected(_log, _rack.ToString(), grant.Token);
        SetState(PoolState.Connected);
        _granted.TrySetResult(grant);
    }

    internal void Refused(Exception reason) => _granted.TrySetException(reason);

    internal void Complete(ISessionReply reply)
    {
        if (_pending.TryGetValue(reply.Request, out var pending)) pending.Complete(reply);
    }

    internal void SetState(PoolState state)
    {
        if (_state == state || _state == PoolState.Closed) return;
        _state = state;
        if (state == PoolState.Disconnected) ClusterLog.ClientDisconnected(_log, _rack.ToString());
        if (StateChanged is { } changed) _events.Run(() => changed(state));
    }

    /// <summary>The daemon has no such session any more: nothing can be asked.</summary>
    internal void SessionLost(string why)
    {
        foreach (var pending in _pending.Values) pending.Fail(new PoolNotConnectedException(why));
    }

    /// <summary>The caller will wait for the answer: its thread may as well write the question.</summary>
    private void Send(PendingRequest pending)
    {
        var isLent = _lane.TryLend();
        _actor.Tell(pending, ActorRefs.NoSender);
        if (isLent) _lane.Return(ActorLane.CallerRunsMax);
    }

    private void Expire(PendingRequest pending, TimeSpan timeout) => pending.Fail(
        pending.WasSent
            ? new TimeoutException($"The rack's daemon at {_rack} did not answer within {Quantity.FormatDuration(timeout)} (rcmp.client.timeout).")
            : new PoolNotConnectedException($"No session with the rack's daemon at {_rack} for {Quantity.FormatDuration(timeout)} (rcmp.client.timeout); is it running?"));

    private void Remove(PendingRequest pending) => _pending.TryRemove(pending.Request.Request, out _);
}

/// <summary>A request that waits for its reply. Completes once, on the thread that brings it.</summary>
internal sealed class PendingRequest(ISessionRequest request, Action<PendingRequest> ended) : INoSerializationVerificationNeeded
{
    // Continuations run on the thread that completes, which has other messages to read. They are the client's alone, which goes on in threads of its own: no user's code runs there.
    private readonly TaskCompletionSource<ISessionReply> _reply = new();
    private int _ended;

    public ISessionRequest Request => request;

    public Task<ISessionReply> Task => _reply.Task;

    public bool WasSent { get; set; }

    public long SentAt { get; set; } = Stopwatch.GetTimestamp();

    public ICancelable? Timeout { get; set; }

    public CancellationTokenRegistration Cancellation { get; set; }

    public bool HasEnded => Volatile.Read(ref _ended) != 0;

    public void Complete(ISessionReply reply) => End(() => _reply.TrySetResult(reply));

    public void Fail(Exception reason) => End(() => _reply.TrySetException(reason));

    public void Cancel(CancellationToken ct) => End(() => _reply.TrySetCanceled(ct));

    private void End(Action complete)
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0) return;
        ended(this);
        Timeout?.Cancel();
        // Disposing would wait for a callback that is running; unregistering does not.
        Cancellation.Unregister();
        complete();
    }
}
