using System.Diagnostics;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>The middle of what was measured; 0 if nothing was.</summary>
internal static class Median
{
    // Code is looked at again 100 ms after the last that was new, and compiled twice.
    private static readonly TimeSpan WarmUp = TimeSpan.FromMilliseconds(300);

    public static double Of(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? 0 : Math.Round(sorted[sorted.Count / 2], 2);
    }

    /// <summary>Of calls timed one by one, after a tenth as many that are not, in nanoseconds. Two clock reads are in it.</summary>
    public static double NsOf(int calls, Action<int> call)
    {
        for (var i = 0; i < calls / 10; i++) call(i);
        var times = new long[calls];
        for (var i = 0; i < calls; i++)
        {
            var started = Stopwatch.GetTimestamp();
            call(i);
            times[i] = Stopwatch.GetTimestamp() - started;
        }

        Array.Sort(times);
        return times[calls / 2] * 1e9 / Stopwatch.Frequency;
    }

    /// <summary>Of batches of calls, in nanoseconds a call: for what costs no more than the clock. Warms up until the tiers of the JIT are done.</summary>
    public static double NsOfBatches(int batches, int calls, Action call)
    {
        for (var begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < WarmUp;)
            Repeat(calls, call);
        var times = new long[batches];
        for (var i = 0; i < batches; i++)
        {
            var started = Stopwatch.GetTimestamp();
            Repeat(calls, call);
            times[i] = Stopwatch.GetTimestamp() - started;
        }

        Array.Sort(times);
        return times[batches / 2] * 1e9 / Stopwatch.Frequency / calls;
    }

    private static void Repeat(int calls, Action call)
    {
        for (var i = 0; i < calls; i++) call();
    }
}
