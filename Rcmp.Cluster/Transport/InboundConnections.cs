namespace Rcmp.Cluster.Transport;

/// <summary>How many connections others may have opened to this system. Those that have not said anything yet are counted apart: however many come, they take no place
/// from those that have, and keep nobody out who speaks at once. The fabric's own connections go by the same rule (tcp_thread.c).</summary>
/// <param name="knownMax">So many that have spoken.</param>
/// <param name="handshakeTime">Akka closes whoever has not introduced itself within it.</param>
internal sealed class InboundConnections(int knownMax, TimeSpan handshakeTime)
{
    /// <summary>Akka's first frame follows the connection at once, so that so many are on their way in only when a whole cluster comes back; the oldest of more is closed, and tries again.</summary>
    public const int StrangersMax = 128;

    private readonly Lock _lock = new();

    // By identity: Akka compares associations by their addresses, and a peer's port may come again before the end of its former connection is noticed.
    private readonly HashSet<SocketAssociation> _known = new(ReferenceEqualityComparer.Instance);

    // Few, and the first is the one that has been silent longest.
    private readonly List<SocketAssociation> _strangers = [];

    public int KnownMax => knownMax;

    public bool IsFull
    {
        get
        {
            lock (_lock) return _known.Count >= knownMax;
        }
    }

    /// <summary>The next one would take the place of one that Akka has not come to, and that may have spoken: connections come faster than they are heard. Not for
    /// longer than a handshake may take: nobody is kept out by one that Akka never comes to.</summary>
    public bool IsBehind
    {
        get
        {
            lock (_lock) return _strangers.Count >= StrangersMax && !_strangers[0].IsHeard && _strangers[0].Age < handshakeTime;
        }
    }

    /// <summary>A new one. Returns the one whose place it takes, which is to be closed.</summary>
    public SocketAssociation? Add(SocketAssociation stranger)
    {
        lock (_lock)
        {
            _strangers.Add(stranger);
            if (_strangers.Count <= StrangersMax) return null;
            var displaced = _strangers[0];
            _strangers.RemoveAt(0);
            return displaced;
        }
    }

    /// <summary>It has brought its first whole frame. False: there is no room for another one, and it is to be closed.</summary>
    public bool TryIntroduce(SocketAssociation stranger)
    {
        lock (_lock)
        {
            // One that has just been closed by another thread has no place any more, and needs none.
            var index = IndexOf(stranger);
            if (index < 0) return true;
            if (_known.Count >= knownMax) return false;
            _strangers.RemoveAt(index);
            _known.Add(stranger);
            return true;
        }
    }

    /// <summary>It is closed.</summary>
    public void Remove(SocketAssociation closed)
    {
        lock (_lock)
        {
            if (_known.Remove(closed)) return;
            if (IndexOf(closed) is >= 0 and var index) _strangers.RemoveAt(index);
        }
    }

    private int IndexOf(SocketAssociation stranger) => _strangers.FindIndex(other => ReferenceEquals(other, stranger));
}
