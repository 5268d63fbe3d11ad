using Akka.Actor;
using Rcmp.Protocol.Messages;
using Rcmp.Runtime;

namespace Rcmp.Cluster.Actors;

/// <summary>The cluster's side of a client: takes its requests. It does not watch the client: a lost connection does not end a session
/// (the session file's lock does), and Akka's remote watch would quarantine a client that was stopped for a while, for good.</summary>
internal sealed class SessionActor : ReceiveActor
{
    private bool _ready;

    public SessionActor(SessionToken session, RackHost host) => Receive<ISessionRequest>(request =>
    {
        if (request.Session != session)
        {
            Sender.Tell(new RequestDone(request.Request, RequestStatus.SessionUnknown, $"The request names session {request.Session}, but was sent to another.", 0), Self);
            return;
        }
        // Whoever asks has locked its file and mapped the region.
        if (!_ready) host.SessionReady(session);
        _ready = true;
        host.Deliver(request);
    });
}
