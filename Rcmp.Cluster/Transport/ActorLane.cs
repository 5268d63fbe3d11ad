using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Akka.Actor;
using Akka.Dispatch;

namespace Rcmp.Cluster.Transport;

/// <summary>Runs the actors of one system one after the other, on the thread that brings the work: the transport's, which lends itself while it hands over what has
/// arrived, or else a thread of the lane's own.</summary>
/// <remarks>A message passes five to eight actors on its way in and out of a node (protocol state, endpoint reader, shard region, shard, entity, endpoint writer), none of
/// which does more than some microseconds of work. On a thread pool each of them wakes a thread, which costs ten times as much as the work. Here all of them
/// run where the message was read, and the answer is written there too. Nothing in a node or a client's own system blocks.</remarks>
internal sealed class ActorLane
{
    /// <summary>So many runs of actors the transport's thread lends itself for before it looks at its sockets again; what is left is the lane's own thread's.</summary>
    public const int TransportRunsMax = 256;

    /// <summary>The same for a caller's thread: what it has asked for is on its way after two or three.</summary>
    public const int CallerRunsMax = 16;

    /// <summary>An idle lane keeps no thread, or systems that ended would leave theirs behind.</summary>
    private static readonly TimeSpan IdleMax = TimeSpan.FromSeconds(10);

    private static readonly ConditionalWeakTable<ActorSystem, ActorLane> Lanes = [];

    [ThreadStatic]
    private static ActorLane? t_lentTo;

    [ThreadStatic]
    private static bool t_owns;

    private readonly ConcurrentQueue<IRunnable> _queue = [];
    // A monitor and no semaphore: those of .NET poll before they sleep, and take the core from whoever sends the next message.
    private readonly object _monitor = new();
    private bool _hasWork;
    private bool _hasThread;

    // What was queued and has not run to its end. Who raises it from 0 owns the lane until it is 0 again.
    private int _pending;

    /// <summary>The lane of this system.</summary>
    public static ActorLane Of(ActorSystem system) => Lanes.GetOrCreateValue(system);

    /// <summary>Queues a run. Any thread.</summary>
    public void Execute(IRunnable run)
    {
        _queue.Enqueue(run);
        if (Interlocked.Increment(ref _pending) != 1) return;
        if (t_lentTo == this) t_owns = true;
        else WakeThread();
    }

    /// <summary>From here on the calling thread runs what it queues itself, in <see cref="Return"/>. False if it is lent already: whoever did that returns it.</summary>
    public bool TryLend()
    {
        if (t_lentTo is not null) return false;
        t_lentTo = this;
        return true;
    }

    /// <summary>Runs what this thread has queued on an idle lane, and what comes of it.</summary>
    public void Return(int runsMax)
    {
        try
        {
            if (t_owns && !Drain(runsMax)) WakeThread();
        }
        finally
        {
            t_owns = false;
            t_lentTo = null;
        }
    }

    /// <summary>True if nothing is left, and the lane is nobody's.</summary>
    private bool Drain(int runsMax)
    {
        for (var runs = 0; runs < runsMax; runs++)
        {
            // It was queued before it was counted. An exception is not the lane's to judge: it ends the process, as on any thread of a pool.
            if (_queue.TryDequeue(out var run)) run.Run();
            if (Interlocked.Decrement(ref _pending) == 0) return true;
        }

        return false;
    }

    private void WakeThread()
    {
        lock (_monitor)
        {
            _hasWork = true;
            Monitor.Pulse(_monitor);
            if (_hasThread) return;
            _hasThread = true;
        }

        new Thread(Run) { IsBackground = true, Name = "rcmp-actors" }.UnsafeStart();
    }

    private void Run()
    {
        while (true)
        {
            lock (_monitor)
            {
                if (!_hasWork) Monitor.Wait(_monitor, IdleMax);
                if (!_hasWork)
                {
                    _hasThread = false;
                    return;
                }

                _hasWork = false;
            }

            Drain(int.MaxValue);
        }
    }
}
