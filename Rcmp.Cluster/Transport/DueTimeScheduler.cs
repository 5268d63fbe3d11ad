using System.Diagnostics;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Event;

namespace Rcmp.Cluster.Transport;

/// <summary>Akka's scheduler with a thread that sleeps until something is due. Akka's own looks a hundred times a second, over the runtime's timer and its thread pool: an idle
/// node spends most of what it uses on that. What comes again and again (heartbeats, gossip, retries: some twenty a node) comes at the same moments, and the actors that it is for run
/// on this thread: a thread that wakes up costs more than what it does then.</summary>
internal sealed class DueTimeScheduler(Config config, ILoggingAdapter log) : SchedulerBase(config, log), IDateTimeOffsetNowTimeProvider, IDisposable
{
    /// <summary>What is due so soon is carried out together.</summary>
    private static readonly long TogetherTicks = Stopwatch.Frequency / 1000;

    /// <summary>Repeated actions come at multiples of this, if they come more seldom than <see cref="CoarseFromTicks"/>.</summary>
    private static readonly long GridTicks = Stopwatch.Frequency / 10;

    /// <summary>Those whose interval is a multiple of this come at multiples of it: nearly all of a node's do, and it wakes up for them twice a second.</summary>
    private static readonly long WideGridTicks = Stopwatch.Frequency / 2;

    private static readonly long CoarseFromTicks = Stopwatch.Frequency / 4;

    private readonly object _monitor = new();
    private readonly PriorityQueue<Entry, long> _entries = new();
    private long _wakesAt = long.MaxValue;
    private bool _hasThread;
    private bool _stopped;
    private ActorLane? _lane;

    /// <summary>The lane that the scheduler's thread lends itself to while it carries out what is due.</summary>
    public void LendTo(ActorLane lane) => Volatile.Write(ref _lane, lane);

    public override TimeSpan MonotonicClock => Stopwatch.GetElapsedTime(0);

    public override TimeSpan HighResMonotonicClock => MonotonicClock;

    protected override DateTimeOffset TimeNow => DateTimeOffset.UtcNow;

    /// <summary>What is not due yet is given up.</summary>
    public void Dispose()
    {
        lock (_monitor)
        {
            _stopped = true;
            _entries.Clear();
            Monitor.Pulse(_monitor);
        }
    }

    protected override void InternalScheduleTellOnce(TimeSpan delay, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        Add(delay, TimeSpan.Zero, () => receiver.Tell(message, sender), cancelable);

    protected override void InternalScheduleTellRepeatedly(TimeSpan initialDelay, TimeSpan interval, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        Add(initialDelay, interval, () => receiver.Tell(message, sender), cancelable);

    protected override void InternalScheduleOnce(TimeSpan delay, Action action, ICancelable cancelable) => Add(delay, TimeSpan.Zero, action, cancelable);

    protected override void InternalScheduleOnce(TimeSpan delay, IRunnable action, ICancelable cancelable) => Add(delay, TimeSpan.Zero, action.Run, cancelable);

    protected override void InternalScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, Action action, ICancelable cancelable) =>
        Add(initialDelay, interval, action, cancelable);

    protected override void InternalScheduleRepeatedly(TimeSpan initialDelay, TimeSpan interval, IRunnable action, ICancelable cancelable) =>
        Add(initialDelay, interval, action.Run, cancelable);

    private void Add(TimeSpan delay, TimeSpan interval, Action action, ICancelable? cancelable)
    {
        var entry = new Entry(action, Ticks(interval), cancelable) { DueTicks = Stopwatch.GetTimestamp() + Ticks(delay) };
        var startThread = false;
        lock (_monitor)
        {
            if (_stopped) throw new SchedulerException("cannot enqueue after timer shutdown");
            Enqueue(entry, entry.DueTicks);
            (startThread, _hasThread) = (!_hasThread, true);
        }

        if (startThread) new Thread(Run) { IsBackground = true, Name = "rcmp-scheduler" }.UnsafeStart();
    }

    private void Enqueue(Entry entry, long at)
    {
        _entries.Enqueue(entry, at);
        if (at < _wakesAt) Monitor.Pulse(_monitor);
    }

    private void Run()
    {
        var due = new List<Entry>();
        while (true)
        {
            lock (_monitor)
            {
                while (!_stopped && !TakeDue(due, out var wait))
                {
                    Monitor.Wait(_monitor, wait);
                }

                if (_stopped) return;
                _wakesAt = 0;
            }

            var lane = Volatile.Read(ref _lane);
            var isLent = lane is not null && lane.TryLend();
            foreach (var entry in due) Carry(entry);
            due.Clear();
            if (isLent) lane!.Return(ActorLane.TransportRunsMax);
        }
    }

    private bool TakeDue(List<Entry> due, out int wait)
    {
        var now = Stopwatch.GetTimestamp();
        while (_entries.TryPeek(out var entry, out var at))
        {
            if (entry.IsCancelled)
            {
                _entries.Dequeue();
                continue;
            }

            if (at > now + TogetherTicks) break;
            _entries.Dequeue();
            if (entry.IntervalTicks > 0)
            {
                entry.DueTicks = Again(entry.DueTicks, entry.IntervalTicks, now);
                _entries.Enqueue(entry, Together(entry.DueTicks, entry.IntervalTicks));
            }

            due.Add(entry);
        }

        var isIdle = !_entries.TryPeek(out _, out var next);
        _wakesAt = isIdle ? long.MaxValue : next;
        wait = isIdle ? Timeout.Infinite : (int)Math.Clamp((next - now) * 1000 / Stopwatch.Frequency, 1, int.MaxValue);
        return due.Count > 0;
    }

    /// <summary>When an action comes that is due at <paramref name="due"/>; in <see cref="Stopwatch"/> ticks.</summary>
    internal static long Together(long due, long interval)
    {
        if (interval < CoarseFromTicks) return due;
        var grid = interval % WideGridTicks == 0 ? WideGridTicks : GridTicks;
        return (due + grid / 2) / grid * grid;
    }

    /// <summary>When an action that was due at <paramref name="due"/> and comes now is due again: counted from when it was due, so that the interval is right on average. What was
    /// missed is not made up for.</summary>
    internal static long Again(long due, long interval, long now) => due + interval > now ? due + interval : now + interval;

    private void Carry(Entry entry)
    {
        if (entry.IsCancelled) return;
        try
        {
            entry.Action();
        }
        catch (Exception e)
        {
            // As Akka's own does: one bad callback must not stop the clock of all others.
            Log.Error(e, "A scheduled action failed.");
        }
    }

    private static long Ticks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);

    private sealed record Entry(Action Action, long IntervalTicks, ICancelable? Cancelable)
    {
        /// <summary>When it would come if it came alone.</summary>
        public long DueTicks { get; set; }

        public bool IsCancelled => Cancelable is { IsCancellationRequested: true };
    }
}
