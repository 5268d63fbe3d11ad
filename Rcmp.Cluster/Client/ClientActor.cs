using System.Diagnostics;
using System.Security.Cryptography;
using Akka.Actor;
using Akka.Event;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Messages;
using Rcmp.Cluster.Nodes;
using Rcmp.Protocol.Messages;
using Rcmp.Runtime;

namespace Rcmp.Cluster.Client;

/// <summary>The client's end of its session: opens it, pings, comes back to it after a connection, the daemon or its actor system was lost,
/// and sends requests again that got no answer.</summary>
internal sealed class ClientActor : ReceiveActor, IWithTimers
{
    /// <summary>So many pings without an answer mean that the daemon is away.</summary>
    private const int SilentPingsMax = 3;

    private readonly AkkaControlPlane _control;
    private readonly NodeAddress _rack;
    private readonly SessionRequest _request;
    private readonly RequestId _openRequest = NewRequest();
    private readonly TimeSpan _pingInterval;
    private readonly TimeSpan _repeatAfter;
    private readonly long _openDeadline;
    private readonly TimeSpan _openTimeout;
    private readonly IActorRef _manager;
    private IActorRef _session = ActorRefs.Nobody;
    private SessionToken _token;
    private ulong _pings;
    private ulong _lastPong;
    private string _whyNot = "no answer; is it running?";

    public ClientActor(AkkaControlPlane control, NodeAddress rack, SessionRequest request, TimeSpan openTimeout, TimeSpan pingInterval)
    {
        (_control, _rack, _request, _openTimeout, _pingInterval) = (control, rack, request, openTimeout, pingInterval);
        _openDeadline = Stopwatch.GetTimestamp() + (long)(openTimeout.TotalSeconds * Stopwatch.Frequency);
        _repeatAfter = pingInterval / 2;
        _manager = Resolve(Paths.Sessions);
        Opening();
    }

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        Timers.StartPeriodicTimer(PingDue.Instance, PingDue.Instance, TimeSpan.Zero, _pingInterval);
    }

    /// <summary>Our references have no incarnation's id, so they go on to work when the daemon has a new actor system.</summary>
    private IActorRef Resolve(string path) => ((ExtendedActorSystem)Context.System).Provider.ResolveActorRef(Paths.On(_rack.Akka, path));

    private void Opening()
    {
        Receive<PingDue>(_ =>
        {
            if (Stopwatch.GetTimestamp() < _openDeadline) _manager.Tell(new OpenSession(_openRequest, _request), Self);
            else Refuse(new PoolNotConnectedException(
                $"No session with the rack's daemon at {_rack} within {Quantity.FormatDuration(_openTimeout)} (rcmp.client.timeout): {_whyNot}"));
        });
        Receive<SessionOpened>(opened => opened.Request == _openRequest, opened =>
        {
            _token = opened.Grant.Token;
            _session = Resolve($"{Paths.Sessions}/{_token}");
            Become(Open);
            _control.Granted(opened.Grant);
        });
        Receive<SessionRefused>(refused =>
        {
            _whyNot = refused.Message;
            switch (refused.Status)
            {
                case RequestStatus.Mismatch: Refuse(new PoolMismatchException(refused.Message)); break;
                case RequestStatus.Exhausted: Refuse(new PoolExhaustedException(refused.Message)); break;
                    // Not registered yet: it will be.
            }
        });
    }

    private void Refuse(PoolException reason)
    {
        _control.Refused(reason);
        Context.Stop(Self);
    }

    private void Open()
    {
        Receive<PendingRequest>(pending =>
        {
            if (_control.State == PoolState.Connected) Send(pending);
        });
        Receive<OneWay>(oneWay => _session.Tell(oneWay.Request, Self));
        Receive<ISessionReply>(_control.Complete);
        Receive<PingDue>(_ => Ping());
        Receive<RepeatDue>(_ => Repeat());
        Receive<SessionPong>(pong => pong.Session == _token, Heard);
        Receive<SessionAttached>(attached => attached.Session == _token, _ => Attached());
        Receive<SessionRefused>(Lost);
        // A repeat of the first answer.
        Receive<SessionOpened>(_ => { });
    }

    private void Ping()
    {
        if (_pings - _lastPong >= SilentPingsMax) _control.SetState(PoolState.Disconnected);
        _manager.Tell(new SessionPing(_token, ++_pings), Self);
    }

    private void Heard(SessionPong pong)
    {
        _lastPong = Math.Max(_lastPong, pong.Number);
        if (!pong.Attached) _manager.Tell(new AttachSession(NewRequest(), _token), Self);
        else if (_control.State == PoolState.Disconnected) Attached();
    }

    private void Attached()
    {
        _lastPong = _pings;
        _control.SetState(PoolState.Connected);
        foreach (var pending in _control.Pending) Send(pending);
    }

    private void Lost(SessionRefused refused)
    {
        if (refused.Status != RequestStatus.SessionUnknown) return;
        _control.SetState(PoolState.Disconnected);
        _control.SessionLost(refused.Message);
    }

    /// <summary>Messages get lost. Every request has an id by which the daemon knows a repeat; and a daemon with a new actor system says so when it is pinged.</summary>
    private void Repeat()
    {
        if (_control.State != PoolState.Connected || !_control.HasPending) return;
        var isLate = false;
        foreach (var pending in _control.Pending)
        {
            if (Stopwatch.GetElapsedTime(pending.SentAt) < _repeatAfter) continue;
            isLate = true;
            Send(pending);
        }

        if (isLate) _manager.Tell(new SessionPing(_token, _pings), Self);
        Watch();
    }

    private void Watch()
    {
        if (!Timers.IsTimerActive(RepeatDue.Instance)) Timers.StartSingleTimer(RepeatDue.Instance, RepeatDue.Instance, _repeatAfter);
    }

    private void Send(PendingRequest pending)
    {
        if (pending.HasEnded) return;
        pending.WasSent = true;
        pending.SentAt = Stopwatch.GetTimestamp();
        _session.Tell(pending.Request, Self);
        Watch();
    }

    private static RequestId NewRequest() => new(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))));

    /// <summary>A request without a reply.</summary>
    internal sealed record OneWay(ISessionRequest Request) : INoSerializationVerificationNeeded;

    private sealed class RepeatDue : INoSerializationVerificationNeeded, IDeadLetterSuppression
    {
        public static readonly RepeatDue Instance = new();
    }

    private sealed class PingDue : INoSerializationVerificationNeeded, IDeadLetterSuppression
    {
        public static readonly PingDue Instance = new();
    }
}
