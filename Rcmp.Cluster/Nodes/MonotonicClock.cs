using System.Diagnostics;

namespace Rcmp.Cluster.Nodes;

/// <summary>The clock of the state machines: nanoseconds, never going back.</summary>
internal static class MonotonicClock
{
    public static long NowNs => (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));

    /// <summary>From now to a deadline, at least a millisecond.</summary>
    public static TimeSpan Until(long deadlineNs) => TimeSpan.FromMilliseconds(Math.Clamp((deadlineNs - NowNs) / 1e6, 1, 60_000));
}
