using Akka.Actor;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Cluster.Nodes;

/// <summary>What this node knows of the roster: where racks are. Shards ask it when they start and hear of changes. Thread-safe; one per actor system.</summary>
internal sealed class NodeRoster(ActorSystem system)
{
    private readonly Lock _lock = new();
    private readonly HashSet<IActorRef> _listeners = [];
    private readonly Dictionary<string, IActorRef> _racks = [];
    private RosterChanged _current = new(0, ValueList<RosterEntry>.Empty);

    public RosterChanged Current
    {
        get
        {
            lock (_lock) return _current;
        }
    }

    /// <summary>Takes what is new in it, and tells the listeners. False if nothing is.</summary>
    /// <remarks>A new master counts its versions from the highest that a rack has brought it, which may be lower than what is known here: so nothing is judged by the version alone.</remarks>
    public bool Offer(RosterChanged roster)
    {
        lock (_lock)
        {
            var merged = RosterMerge.Merge(_current, roster);
            if (merged.Equals(_current)) return false;
            _current = merged;
            foreach (var listener in _listeners) listener.Tell(merged, ActorRefs.NoSender);
            return true;
        }
    }

    /// <summary>The roster as of now; the listener is told what changes from here on.</summary>
    public RosterChanged Subscribe(IActorRef listener)
    {
        lock (_lock)
        {
            _listeners.Add(listener);
            return _current;
        }
    }

    public void Unsubscribe(IActorRef listener)
    {
        lock (_lock) _listeners.Remove(listener);
    }

    /// <summary>The daemon of a rack; null if it has not registered since the roster's keeper knows.</summary>
    public IActorRef? FindRack(RackId rack)
    {
        lock (_lock)
        {
            foreach (var entry in _current.Entries)
                if (entry.Rack == rack && !entry.Forgotten && entry.NodeAddress.Length > 0)
                    return Resolve(entry.NodeAddress, Paths.Rack);
            return null;
        }
    }

    /// <summary>A reference without the incarnation's id: it goes on to work when that node has a new actor system.</summary>
    public IActorRef Resolve(string nodeAddress, string name)
    {
        var path = Paths.On(nodeAddress, name);
        lock (_lock)
        {
            if (!_racks.TryGetValue(path, out var actor)) _racks[path] = actor = ((ExtendedActorSystem)system).Provider.ResolveActorRef(path);
            return actor;
        }
    }
}
