using System.Diagnostics;
using Rcmp.DataPath;

namespace Rcmp.Hosts.Workloads;

/// <summary>Runs a workload on threads of its own and measures each operation. Without a rate a thread starts an operation when the last one has ended: a
/// delay holds up those behind it, which are then not measured as late (coordinated omission). With one they are (<see cref="Pace"/>).</summary>
internal sealed class WorkloadRunner(IMemoryPool pool, Func<PoolClientStatistics> statistics, WorkloadSpec spec)
{
    private const double SliceSeconds = 0.25;
    private const int SlicesPerReport = 4;
    private const int LongestSleepMs = 20;

    // A sleep ends late by up to a millisecond or two.
    private static readonly long SleepTicks = 2 * Stopwatch.Frequency / 1000;

    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly LatencyHistogram _hits = new();
    private readonly LatencyHistogram _remote = new();
    private readonly LatencyHistogram _intervalHits = new();
    private readonly LatencyHistogram _intervalRemote = new();
    private readonly List<Exception> _failures = [];
    private PoolClientStatistics _statisticsAtStart;
    private PoolClientStatistics _statisticsAtReport;
    private long _start;
    private long _lastReport;
    private volatile bool _stop;

    /// <summary>Until it is done; <paramref name="report"/> hears of every interval.</summary>
    public async Task<WorkloadReport> RunAsync(Action<WorkloadReport>? report, CancellationToken ct)
    {
        using var cancellation = ct.Register(() => _stop = true);
        using var started = new Barrier(spec.Threads, _ => MarkStart());
        var threads = Enumerable.Range(0, spec.Threads).Select(i => Start(i, started)).ToArray();
        var done = Task.WhenAll(threads.Select(t => t.Done));
        if (report is not null && spec.ReportSeconds > 0)
        {
            await Task.WhenAny(done, _started.Task);
            while (await Task.WhenAny(done, Task.Delay(TimeSpan.FromSeconds(spec.ReportSeconds), CancellationToken.None)) != done) report(TakeInterval());
        }
        await done;
        var elapsed = Stopwatch.GetTimestamp() - _start;
        ct.ThrowIfCancellationRequested();
        if (_failures.Count > 0) throw new AggregateException(_failures);
        return WorkloadReport.Of(Nanoseconds(elapsed), _hits, _remote, statistics() - _statisticsAtStart);
    }

    private (Thread Thread, Task Done) Start(int index, Barrier started)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            try
            {
                RunThread(index, started);
            }
            catch (Exception failure)
            {
                lock (_lock) _failures.Add(failure);
                _stop = true;
                if (Volatile.Read(ref _start) == 0) started.RemoveParticipant();
            }
            done.SetResult();
        })
        { IsBackground = true, Name = $"workload-{index}" };
        thread.Start();
        return (thread, done.Task);
    }

    private void MarkStart()
    {
        _statisticsAtStart = _statisticsAtReport = statistics();
        _lastReport = Stopwatch.GetTimestamp();
        Volatile.Write(ref _start, _lastReport);
        _started.TrySetResult();
    }

    private void RunThread(int index, Barrier started)
    {
        var addresses = new AddressSource(spec, pool.Info.PageSize, index, spec.Seed * 1_000_003 + (ulong)index + 1);
        var operation = new WorkloadOperation(pool, spec, spec.Seed + (ulong)index);
        var warmupEnd = Stopwatch.GetTimestamp() + Ticks(spec.WarmupSeconds);
        while (!_stop && Stopwatch.GetTimestamp() < warmupEnd) operation.Run(addresses.Next());
        started.SignalAndWait();
        Measure(index, addresses, operation);
    }

    private void Measure(int index, AddressSource addresses, WorkloadOperation operation)
    {
        var hits = new LatencyHistogram();
        var remote = new LatencyHistogram();
        var left = spec.Count > 0 ? spec.Count / spec.Threads + (index < spec.Count % spec.Threads ? 1 : 0) : long.MaxValue;
        var end = spec.Count > 0 ? long.MaxValue : _start + Ticks(spec.Seconds);
        var pace = spec.Rate > 0 ? new Pace(spec.Rate, _start, index / (double)spec.Threads) : null;
        var shiftTicks = spec.ShiftSeconds > 0 ? Ticks(spec.ShiftSeconds) : long.MaxValue;
        var shift = spec.ShiftSeconds > 0 ? _start + shiftTicks : long.MaxValue;
        var sliceTicks = Ticks(spec.ReportSeconds > 0 ? Math.Min(SliceSeconds, spec.ReportSeconds / SlicesPerReport) : SliceSeconds);
        var now = Stopwatch.GetTimestamp();
        var sliceEnd = now + sliceTicks;
        for (; left > 0 && now < end && !_stop; left--)
        {
            for (; now >= shift; shift += shiftTicks) addresses.MoveHotSet();
            var address = addresses.Next();
            operation.Prepare(address);
            var before = ThreadActivity.RemoteOperations;
            var begin = pace is null ? Stopwatch.GetTimestamp() : WaitFor(pace.Next(), end);
            if (begin >= end) break;
            operation.Run(address);
            now = Stopwatch.GetTimestamp();
            (ThreadActivity.RemoteOperations == before ? hits : remote).Record(Nanoseconds(now - begin));
            if (now < sliceEnd) continue;
            Publish(hits, remote);
            sliceEnd = now + sliceTicks;
        }
        Publish(hits, remote);
    }

    /// <summary>Waits for the time an operation is meant to start, and returns it; the end of the measurement if that comes before. Sleeps while there is time: the cores belong to
    /// what is measured.</summary>
    private long WaitFor(long begin, long end)
    {
        var until = Math.Min(begin, end);
        while (!_stop)
        {
            var left = until - Stopwatch.GetTimestamp();
            if (left <= 0) return begin;
            if (left > SleepTicks) Thread.Sleep((int)Math.Clamp((left - SleepTicks) * 1000 / Stopwatch.Frequency, 1, LongestSleepMs));
            else Thread.Yield();
        }
        return end;
    }

    private void Publish(LatencyHistogram hits, LatencyHistogram remote)
    {
        lock (_lock)
        {
            _hits.Add(hits);
            _remote.Add(remote);
            if (spec.ReportSeconds > 0)
            {
                _intervalHits.Add(hits);
                _intervalRemote.Add(remote);
            }
        }
        hits.Clear();
        remote.Clear();
    }

    private WorkloadReport TakeInterval()
    {
        var now = Stopwatch.GetTimestamp();
        var statisticsNow = statistics();
        lock (_lock)
        {
            var report = WorkloadReport.Of(Nanoseconds(now - _lastReport), _intervalHits, _intervalRemote, statisticsNow - _statisticsAtReport);
            _intervalHits.Clear();
            _intervalRemote.Clear();
            (_lastReport, _statisticsAtReport) = (now, statisticsNow);
            return report;
        }
    }

    private static long Ticks(double seconds) => (long)(seconds * Stopwatch.Frequency);

    private static long Nanoseconds(long ticks) => (long)(ticks * (1e9 / Stopwatch.Frequency));
}

/// <summary>One thread's operation: read, write, either, or a compare-and-swap of a word that was just read.</summary>
internal sealed class WorkloadOperation
{
    private readonly IMemoryPool _pool;
    private readonly byte[] _payload;
    private readonly double _writeShare;
    private readonly bool _swap;
    private SplitMix _random;
    private bool _write;
    private ulong _seen;

    public WorkloadOperation(IMemoryPool pool, WorkloadSpec spec, ulong seed)
    {
        _pool = pool;
        _payload = new byte[spec.Payload];
        _random = new SplitMix(seed);
        for (var i = 0; i < _payload.Length; i++) _payload[i] = (byte)_random.Next();
        _swap = spec.Operation == WorkloadSpec.CompareAndSwap;
        _writeShare = spec.Operation switch { WorkloadSpec.Write => 1, WorkloadSpec.Mixed => spec.WriteShare, _ => 0 };
    }

    /// <summary>What the operation needs and is not measured.</summary>
    public void Prepare(GAddr address)
    {
        if (_swap) _seen = _pool.Read<ulong>(address);
        else _write = _writeShare > 0 && _random.Unit() < _writeShare;
    }

    public void Run(GAddr address)
    {
        if (_swap) _pool.CompareExchange(address, _seen + 1, _seen);
        else if (_write) _pool.Write(address, _payload);
        else _pool.Read(address, _payload);
    }
}
