using System.Collections.Concurrent;
using Rcmp.Protocol.Messages;

namespace Rcmp.Runtime.Embedded;

/// <summary>A client's requests, delivered to a rack host of the same process.</summary>
internal sealed class EmbeddedControlPlane(RackHost host, SessionToken session, Action closed) : IControlPlane
{
    private readonly ConcurrentDictionary<RequestId, TaskCompletionSource<ISessionReply>> _waiting = [];

    // In-process there is no connection to lose: the state never changes between connected and disposed.
    public event Action<PoolState>? StateChanged
    {
        add { }
        remove { }
    }

    public PoolState State => PoolState.Connected;

    public SessionToken Session => session;

    public Task<ISessionReply> AskAsync(ISessionRequest request, TimeSpan timeout, CancellationToken ct)
    {
        // No continuation of this task may need the thread pool, all of whose threads may be waiting for this very answer. What runs in the
        // completing thread is a few instructions: the client goes on in threads of its own.
        var waiting = new TaskCompletionSource<ISessionReply>();
        _waiting[request.Request] = waiting;
        var reply = waiting.Task.WaitAsync(timeout, ct);
        _ = reply.ContinueWith(
            _ => _waiting.TryRemove(request.Request, out var _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        host.Deliver(request);
        return reply;
    }

    public void Tell(ISessionRequest request) => host.Deliver(request);

    public void Complete(ISessionReply reply)
    {
        if (_waiting.TryGetValue(reply.Request, out var waiting)) waiting.TrySetResult(reply);
    }

    public ValueTask DisposeAsync()
    {
        closed();
        return ValueTask.CompletedTask;
    }
}
