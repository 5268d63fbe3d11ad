using System.Collections.Concurrent;

namespace Rcmp.Cluster.Client;

/// <summary>Threads on which replies complete. A continuation may be a user's, and may block in a synchronous call that waits for another
/// reply: so there is always an idle thread, or a new one.</summary>
internal sealed class ReplyThreads
{
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(10);

    public static readonly ReplyThreads Shared = new();

    private readonly BlockingCollection<Action> _queue = [];
    private int _idle;
    private int _queued;

    public void Run(Action completion)
    {
        var waiting = Interlocked.Increment(ref _queued);
        _queue.Add(completion);
        if (waiting > Volatile.Read(ref _idle))
            new Thread(Work) { IsBackground = true, Name = "rcmp-reply" }.Start();
    }

    private void Work()
    {
        while (true)
        {
            Interlocked.Increment(ref _idle);
            var found = _queue.TryTake(out var completion, IdleTime);
            Interlocked.Decrement(ref _idle);
            if (!found)
            {
                // Somebody may have counted on this thread in the moment it gave up.
                if (_queue.TryTake(out completion)) found = true;
                else return;
            }
            if (!found) continue;
            Interlocked.Decrement(ref _queued);
            completion!();
        }
    }
}
