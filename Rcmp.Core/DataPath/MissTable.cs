using System.Collections.Concurrent;
using System.Security.Cryptography;
using Rcmp.Protocol.Messages;
using Rcmp.Runtime;

namespace Rcmp.DataPath;

/// <summary>How the daemon answered a miss.</summary>
internal readonly record struct MissOutcome(RequestStatus Status, string Message, Exception? Error);

/// <summary>Asks the daemon to make pages reachable; all threads that miss one page share one message.</summary>
internal sealed class MissTable(IControlPlane control, SessionToken session, PoolClientOptions options, PoolClientCounters totals)
{
    private readonly ConcurrentDictionary<ulong, Lazy<Task<MissOutcome>>> _pending = new();

    public static RequestId NewRequestId()
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(bytes);
        return new RequestId(BitConverter.ToUInt64(bytes));
    }

    /// <param name="page">What is missing.</param>
    /// <param name="following">How many pages behind it the call goes on to.</param>
    /// <returns>Completes when the daemon has answered, or could not within the client's timeout; never faults. Look again then.</returns>
    public Task<MissOutcome> ResolveAsync(PageId page, int following) =>
        _pending.GetOrAdd(page.Value, _ => new Lazy<Task<MissOutcome>>(() => Ask(page, following))).Value;

    private Task<MissOutcome> Ask(PageId page, int following)
    {
        totals.CountMiss();
        Task<ISessionReply> reply;
        try
        {
            reply = control.AskAsync(new ResolveMiss(session, NewRequestId(), page, options.Neighbours, following, options.NeighboursMax), options.Timeout, CancellationToken.None);
        }
        catch (Exception e) when (e is TimeoutException or PoolException or ObjectDisposedException)
        {
            reply = Task.FromException<ISessionReply>(e);
        }

        // Where the reply completes: it is a few instructions, and a thread that waits for it needs no other one to be woken first.
        return reply.ContinueWith(task => Judge(page, task), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private MissOutcome Judge(PageId page, Task<ISessionReply> reply)
    {
        // Before the waiters look again: who misses from now on sends a new message.
        _pending.TryRemove(page.Value, out _);
        if (reply.Exception?.InnerException is { } error)
            return new MissOutcome(RequestStatus.Unavailable, error.Message, error);
        if (reply.IsCanceled)
            return new MissOutcome(RequestStatus.Unavailable, "The request was cancelled.", null);
        return reply.Result is RequestDone done
            ? new MissOutcome(done.Status, done.Message, null)
            : new MissOutcome(RequestStatus.Invalid, $"The daemon answered {reply.Result.GetType().Name}.", null);
    }
}
