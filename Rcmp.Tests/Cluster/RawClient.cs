using Akka.Actor;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Messages;
using Rcmp.Cluster.Nodes;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;
using Rcmp.Runtime;

namespace Rcmp.Tests.Cluster;

/// <summary>An actor system that says to a rack's daemon whatever a test wants, as a client would, or would not.</summary>
internal sealed class RawClient : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static ulong LastRequest = (ulong)Environment.TickCount64 << 20;

    private readonly ActorSystem _system;
    private readonly string _rack;
    private readonly Inbox _inbox;

    public RawClient(string rack, string extra = "")
    {
        _system = ActorSystem.Create("raw", Akka.Configuration.ConfigurationFactory.ParseString(extra + "\nakka.loglevel = OFF").WithFallback(SystemConfig.ForClient("127.0.0.1", 0, "fast")));
        Assert.True(NodeAddress.TryParse(rack, out var address));
        _rack = address.Akka;
        _inbox = Inbox.Create(_system);
    }

    public static RequestId NewRequest() => new(Interlocked.Increment(ref LastRequest));

    public void ToManager(object message) => _inbox.Send(Resolve(Paths.Sessions), message);

    public void ToSession(SessionToken actor, object message) => _inbox.Send(Resolve($"{Paths.Sessions}/{actor}"), message);

    /// <summary>The next message of the type; others before it are dropped.</summary>
    public T Hear<T>()
        where T : class
    {
        var deadline = DateTime.UtcNow + Patience;
        while (DateTime.UtcNow < deadline)
        {
            if (_inbox.Receive(Patience) is T found) return found;
        }

        throw new TimeoutException(typeof(T).Name);
    }

    /// <summary>A session whose file nobody locks.</summary>
    public SessionGrant Open(Guid? pool = null, string name = "raw")
    {
        AskToOpen(pool, name);
        return Hear<SessionOpened>().Grant;
    }

    public void AskToOpen(Guid? pool = null, string name = "raw", uint version = RegionLayout.FormatVersion) =>
        ToManager(new OpenSession(NewRequest(), new SessionRequest(pool, name, Environment.ProcessId, version)));

    public RequestStatus Ask(SessionToken actor, ISessionRequest request)
    {
        ToSession(actor, request);
        while (true)
        {
            if (Hear<ISessionReply>() is { } reply && reply.Request == request.Request) return reply is RequestDone done ? done.Status : RequestStatus.Ok;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _inbox.Dispose();
        await _system.Terminate();
    }

    private IActorRef Resolve(string path) => ((ExtendedActorSystem)_system).Provider.ResolveActorRef(Paths.On(_rack, path));
}
