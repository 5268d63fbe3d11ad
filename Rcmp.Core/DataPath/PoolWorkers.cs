using System.Diagnostics;

namespace Rcmp.DataPath;

/// <summary>The pool's own few threads, started when first needed. Asynchronous calls that miss run here and not on the thread pool, all of whose threads may be
/// waiting in synchronous calls of this very pool. Work on it never blocks for long: it awaits.</summary>
internal sealed class PoolWorkers(int threads) : TaskScheduler, IDisposable
{
    // A monitor and no Lock: idle threads wait on it.
    private readonly object _monitor = new();
    private readonly Queue<Task> _queue = new();
    private readonly PriorityQueue<TaskCompletionSource, long> _delays = new();
    private int _started;
    private int _idle;
    private bool _hasTimekeeper;
    private bool _disposed;

    public override int MaximumConcurrencyLevel => threads;

    /// <summary>Runs the function on these threads, its continuations included; the result completes without running the caller's continuation here.</summary>
    public Task<T> Run<T>(Func<Task<T>> function)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = Task.Factory.StartNew(() => Carry(function, result), CancellationToken.None, TaskCreationOptions.DenyChildAttach, this);
        return result.Task;
    }

    /// <summary>Completes after the time, on these threads: timers of the runtime fire on the thread pool.</summary>
    public Task Delay(TimeSpan time)
    {
        var source = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_monitor)
        {
            _delays.Enqueue(source, Stopwatch.GetTimestamp() + (long)(time.TotalSeconds * Stopwatch.Frequency));
            Wake();
            // Whoever looks after the clock may sleep for longer, and the pulse may have woken another one.
            if (_delays.Peek() == source) Monitor.PulseAll(_monitor);
        }

        return source.Task;
    }

    /// <summary>What is queued is still carried out; delays that are not due yet never end.</summary>
    public void Dispose()
    {
        lock (_monitor)
        {
            _disposed = true;
            Monitor.PulseAll(_monitor);
        }
    }

    protected override void QueueTask(Task task)
    {
        lock (_monitor)
        {
            _queue.Enqueue(task);
            Wake();
        }
    }

    /// <summary>What a task here has just made possible goes on at once, and no other thread is woken for it.</summary>
    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => !taskWasPreviouslyQueued && Current == this && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks()
    {
        lock (_monitor)
            return [.. _queue];
    }

    private static async Task Carry<T>(Func<Task<T>> function, TaskCompletionSource<T> result)
    {
        try
        {
            result.TrySetResult(await function());
        }
        catch (OperationCanceledException e)
        {
            result.TrySetCanceled(e.CancellationToken);
        }
        catch (Exception e)
        {
            result.TrySetException(e);
        }
    }

    private void Wake()
    {
        if (_idle == 0 && _started < threads)
        {
            _started++;
            new Thread(Work) { IsBackground = true, Name = $"rcmp-client-{_started}" }.Start();
        }

        Monitor.Pulse(_monitor);
    }

    private void Work()
    {
        while (true)
        {
            Task? task = null;
            TaskCompletionSource? due = null;
            lock (_monitor)
            {
                while (!TryTake(out task, out due, out var wait))
                {
                    if (_disposed)
                        return;
                    // One idle thread looks after the clock, or all would wake up for each delay.
                    var keepsTime = wait != Timeout.Infinite && !_hasTimekeeper;
                    _hasTimekeeper |= keepsTime;
                    _idle++;
                    Monitor.Wait(_monitor, keepsTime ? wait : Timeout.Infinite);
                    _idle--;
                    if (keepsTime) _hasTimekeeper = false;
                }

                if (_delays.Count > 0 && !_hasTimekeeper)
                    Monitor.Pulse(_monitor);
            }

            if (task is not null)
                TryExecuteTask(task);
            due?.SetResult();
        }
    }

    private bool TryTake(out Task? task, out TaskCompletionSource? due, out int wait)
    {
        task = null;
        due = null;
        wait = Timeout.Infinite;
        var now = Stopwatch.GetTimestamp();
        if (_delays.TryPeek(out _, out var at))
        {
            wait = (int)Math.Max(1, (at - now) * 1000 / Stopwatch.Frequency);
            if (at <= now)
                due = _delays.Dequeue();
        }

        return due is not null || _queue.TryDequeue(out task);
    }
}
