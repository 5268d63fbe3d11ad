using Akka.Actor;
using Akka.Event;
using Microsoft.Extensions.Logging;
using Rcmp.Cluster.Messages;
using Rcmp.Cluster.Nodes;
using Rcmp.Protocol.Messages;
using Rcmp.Runtime;

namespace Rcmp.Cluster.Actors;

/// <summary>Opens sessions and takes clients back into theirs. Its children are the session actors, named by their tokens.</summary>
internal sealed class SessionManagerActor : ReceiveActor, IWithTimers
{
    private const int RepeatsRemembered = 256;
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(5);

    private readonly RackHost _host;
    private readonly SessionRegistry _registry;
    private readonly ILogger _log;
    private readonly Dictionary<RequestId, SessionOpened> _opened = [];
    private readonly Queue<RequestId> _openedOrder = [];

    public SessionManagerActor(RackHost host, SessionRegistry registry, ILogger log)
    {
        (_host, _registry, _log) = (host, registry, log);
        Receive<OpenSession>(Open);
        Receive<AttachSession>(Attach);
        Receive<SessionPing>(ping => Sender.Tell(new SessionPong(ping.Session, ping.Number, registry.IsAttached(ping.Session, Sender)), Self));
        Receive<SweepDue>(_ => Sweep());
    }

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart() => Timers.StartPeriodicTimer(SweepDue.Instance, SweepDue.Instance, SweepInterval);

    private void Open(OpenSession open)
    {
        // The answer was lost: the same session again, not a second record.
        if (_opened.TryGetValue(open.Request, out var before))
        {
            _registry.Attach(before.Grant.Token, Sender);
            Sender.Tell(before, Self);
            return;
        }
        try
        {
            var opened = new SessionOpened(open.Request, _host.OpenSession(open.Client));
            _opened[open.Request] = opened;
            _openedOrder.Enqueue(open.Request);
            if (_openedOrder.Count > RepeatsRemembered) _opened.Remove(_openedOrder.Dequeue());
            Adopt(opened.Grant.Token);
            Sender.Tell(opened, Self);
        }
        catch (PoolException e)
        {
            Refuse(open.Request, StatusOf(e), e.Message);
        }
    }

    private void Attach(AttachSession attach)
    {
        if (_host.ResumeSession(attach.Session) is null)
        {
            Refuse(attach.Request, RequestStatus.SessionUnknown, $"The rack has no session {attach.Session} any more: connect again.");
            return;
        }
        Adopt(attach.Session);
        ClusterLog.SessionAttached(_log, attach.Session, Sender.Path.Address.ToString());
        Sender.Tell(new SessionAttached(attach.Request, attach.Session), Self);
    }

    private void Adopt(SessionToken session)
    {
        _registry.Attach(session, Sender);
        var name = session.ToString();
        if (Context.Child(name).IsNobody())
            Context.ActorOf(Props.Create(() => new SessionActor(session, _host)).WithDispatcher(SystemConfig.Dispatcher), name);
    }

    private void Refuse(RequestId request, RequestStatus status, string why)
    {
        ClusterLog.SessionRefused(_log, why);
        Sender.Tell(new SessionRefused(request, status, why), Self);
    }

    /// <summary>Sessions that have ended need no actor.</summary>
    private void Sweep()
    {
        var alive = _host.Clients.Select(client => client.Token.ToString()).ToHashSet();
        foreach (var child in Context.GetChildren())
        {
            if (alive.Contains(child.Path.Name)) continue;
            _registry.Remove(new SessionToken(ulong.Parse(child.Path.Name, System.Globalization.NumberStyles.HexNumber, System.Globalization.CultureInfo.InvariantCulture)));
            Context.Stop(child);
        }
    }

    private static RequestStatus StatusOf(PoolException e) => e switch
    {
        PoolMismatchException => RequestStatus.Mismatch,
        PoolExhaustedException => RequestStatus.Exhausted,
        _ => RequestStatus.Unavailable,
    };

    private sealed class SweepDue : INoSerializationVerificationNeeded, IDeadLetterSuppression
    {
        public static readonly SweepDue Instance = new();
    }
}
