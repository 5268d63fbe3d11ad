using Rcmp.Fabric;

namespace Rcmp.DataPath;

/// <summary>A connection during a run, and what is to go over it. Used again and again, so that a remote access allocates nothing.</summary>
internal sealed class RemoteLane
{
    private readonly FabricRequest[] _requests = new FabricRequest[ClientConnection.WindowMax];
    private int[] _waiting = new int[8];
    private int _firstWaiting;
    private int _waitingEnd;
    private int _unsent;
    private LinkConnections? _home;
    private ClientConnection? _connection;

    public int Key { get; private set; }

    public LinkConnections Home => _home!;

    public ClientConnection Connection => _connection!;

    public bool Broken { get; set; }

    public bool HasAbandoned { get; set; }

    public bool HasWaiting => _firstWaiting != _waitingEnd;

    public int WaitingCount => _waitingEnd - _firstWaiting;

    /// <summary>The first of the accesses that wait for room in the window.</summary>
    public int NextWaiting => _waiting[_firstWaiting];

    /// <summary>Requests whose guards are set, and which the connection does not have yet.</summary>
    public ReadOnlySpan<FabricRequest> Unsent => _requests.AsSpan(0, _unsent);

    public void Begin(int key, LinkConnections home, ClientConnection connection)
    {
        (Key, _home, _connection) = (key, home, connection);
        (Broken, HasAbandoned) = (false, false);
        (_firstWaiting, _waitingEnd, _unsent) = (0, 0, 0);
    }

    public void End() => (_home, _connection) = (null, null);

    public void Add(int access)
    {
        if (_waitingEnd == _waiting.Length)
            Array.Resize(ref _waiting, 2 * _waiting.Length);
        _waiting[_waitingEnd++] = access;
    }

    public void DropWaiting() => _firstWaiting++;

    /// <summary>Room for one more request: there is some, a whole window's.</summary>
    public ref FabricRequest Next() => ref _requests[_unsent++];

    /// <summary>Sends without waiting.</summary>
    public void Send()
    {
        var sent = 0;
        while (sent < _unsent && Connection.Fabric.TryPost(_requests[sent]))
            sent++;
        Keep(sent);
        Connection.Fabric.Flush();
    }

    /// <summary>Sends, and waits for completions; 0 if there is nothing to wait for.</summary>
    public int Exchange(Span<FabricCompletion> completions, long spinNs, long timeoutNs)
    {
        var count = Connection.Fabric.Exchange(Unsent, out var sent, completions, spinNs, timeoutNs);
        Keep(sent);
        return count;
    }

    public void DropUnsent() => _unsent = 0;

    private void Keep(int sent)
    {
        if (sent == 0)
            return;
        _unsent -= sent;
        _requests.AsSpan(sent, _unsent).CopyTo(_requests);
    }
}
