using System.Collections.Concurrent;
using System.Net.Sockets;
using Rcmp.Native;

namespace Rcmp.Cluster.Transport;

/// <summary>A socket that the loop watches.</summary>
internal interface IWatchedSocket
{
    /// <summary>On the loop's thread; does not throw.</summary>
    void OnReady(Readiness readiness);

    /// <summary>The loop has ended, or the socket's time is over. Any thread.</summary>
    void Close();
}

/// <summary>The transport's one thread: waits for all of its sockets, and lends itself to the system's actors for what they bring.</summary>
internal sealed class SocketLoop
{
    private readonly ReadinessQueue _ready = new();
    private readonly ConcurrentDictionary<ulong, IWatchedSocket> _sockets = [];
    private readonly ActorLane _lane;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ulong _lastToken;
    private volatile bool _stopping;

    public SocketLoop(ActorLane lane)
    {
        _lane = lane;
        new Thread(Run) { IsBackground = true, Name = "rcmp-transport" }.UnsafeStart();
    }

    /// <summary>Watches a socket under a token of its own, which is returned.</summary>
    public ulong Add(Socket socket, IWatchedSocket watched, Readiness interest)
    {
        var token = Interlocked.Increment(ref _lastToken);
        _sockets[token] = watched;
        // Whoever stops the loop closes what it finds there, and it may have looked just before.
        if (_stopping) throw new ObjectDisposedException(nameof(SocketLoop));
        _ready.Add(socket, token, interest);
        return token;
    }

    public void Change(Socket socket, ulong token, Readiness interest) => _ready.Change(socket, token, interest);

    /// <summary>Before the socket is closed.</summary>
    public void Remove(Socket socket, ulong token)
    {
        if (_sockets.TryRemove(token, out _)) _ready.Remove(socket);
    }

    /// <summary>Closes all sockets and ends the thread. Does not wait: the caller may be an actor that runs on it.</summary>
    public Task StopAsync()
    {
        _stopping = true;
        _ready.Wake();
        return _ended.Task;
    }

    private void Run()
    {
        while (!_stopping)
        {
            var events = _ready.Wait();
            _lane.TryLend();
            foreach (var ready in events)
                if (_sockets.TryGetValue(ready.Token, out var socket))
                    socket.OnReady(ready.Readiness);
            _lane.Return(ActorLane.TransportRunsMax);
        }

        foreach (var socket in _sockets.Values) socket.Close();
        _ready.Dispose();
        _ended.SetResult();
    }
}
