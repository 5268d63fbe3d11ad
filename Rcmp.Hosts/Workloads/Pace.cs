using System.Diagnostics;

namespace Rcmp.Hosts.Workloads;

/// <summary>When a thread's operations are meant to start: at a steady rate from a common start, however long each one takes. An operation that starts late
/// because those before it were slow is measured from when it was meant to start.</summary>
/// <param name="perSecond">Of this thread.</param>
/// <param name="start">In ticks of <see cref="Stopwatch"/>.</param>
/// <param name="phase">From 0 to 1, so that not all threads start at once.</param>
internal sealed class Pace(double perSecond, long start, double phase)
{
    private readonly double _ticksPerOperation = Stopwatch.Frequency / perSecond;
    private long _next;

    /// <summary>The start of the next operation.</summary>
    public long Next() => start + (long)((_next++ + phase) * _ticksPerOperation);
}
