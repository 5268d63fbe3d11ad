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

    public async Task<ISessionReply> AskAsync(ISessionRequest request, TimeSpan timeout, CancellationToken ct)
    {
        var waiting = new TaskCompletionSource<ISessionReply>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[request.Request] = waiting;
        try
        {
            host.Deliver(request);
            return await waiting.Task.WaitAsync(timeout, ct).ConfigureAwait(false);
        }
        finally
        {
            _waiting.TryRemove(request.Request, out _);
        }
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
