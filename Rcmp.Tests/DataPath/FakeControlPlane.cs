using System.Collections.Concurrent;
using Rcmp.Protocol.Messages;
using Rcmp.Runtime;

namespace Rcmp.Tests.DataPath;

/// <summary>A daemon as the test wants it: answers with what a function says, or leaves the request waiting.</summary>
internal sealed class FakeControlPlane : IControlPlane
{
    private readonly ConcurrentQueue<ISessionRequest> _requests = new();

    /// <summary>The answer to a request; null leaves it unanswered until its timeout.</summary>
    public Func<ISessionRequest, ISessionReply?> Answer { get; set; } = static request => NotFound(request);

    public Action<ISessionRequest>? Told { get; set; }

    public IReadOnlyCollection<ISessionRequest> Requests => [.. _requests];

    public PoolState State { get; private set; } = PoolState.Connected;

    public event Action<PoolState>? StateChanged;

    public static RequestDone Done(ISessionRequest request, RequestStatus status = RequestStatus.Ok, string message = "", long completed = 0) =>
        new(request.Request, status, message, completed);

    public static RequestDone NotFound(ISessionRequest request) => Done(request, request is CloseSession or AcknowledgeAllocation ? RequestStatus.Ok : RequestStatus.PageNotFound);

    public int Count<T>()
        where T : ISessionRequest => _requests.OfType<T>().Count();

    public void ChangeState(PoolState state)
    {
        State = state;
        StateChanged?.Invoke(state);
    }

    public Task<ISessionReply> AskAsync(ISessionRequest request, TimeSpan timeout, CancellationToken ct)
    {
        _requests.Enqueue(request);
        var source = new TaskCompletionSource<ISessionReply>();
        // A thread of its own, as the real one has: nothing here may depend on the thread pool.
        new Thread(() =>
        {
            try
            {
                if (Answer(request) is { } reply)
                {
                    source.TrySetResult(reply);
                    return;
                }

                ct.WaitHandle.WaitOne(timeout);
                source.TrySetException(new TimeoutException($"No answer to {request.GetType().Name} in {timeout}."));
            }
            catch (Exception e)
            {
                source.TrySetException(e);
            }
        })
        { IsBackground = true }.Start();
        return source.Task;
    }

    public void Tell(ISessionRequest request)
    {
        _requests.Enqueue(request);
        Told?.Invoke(request);
    }

    public ValueTask DisposeAsync() => default;
}
