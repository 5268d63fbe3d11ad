using System.Collections.Concurrent;
using Akka.Actor;

namespace Rcmp.Cluster.Actors;

/// <summary>Where the clients of a rack are. One per actor system; thread-safe.</summary>
internal sealed class SessionRegistry
{
    private readonly ConcurrentDictionary<SessionToken, IActorRef> _clients = [];

    public int Count => _clients.Count;

    public void Attach(SessionToken session, IActorRef client) => _clients[session] = client;

    public bool IsAttached(SessionToken session, IActorRef client) => _clients.TryGetValue(session, out var known) && known.Equals(client);

    public void Remove(SessionToken session) => _clients.TryRemove(session, out _);

    /// <summary>Null if it is not attached.</summary>
    public IActorRef? Find(SessionToken session) => _clients.GetValueOrDefault(session);
}
