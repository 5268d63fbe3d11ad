using System.Diagnostics;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>The middle of what was measured; 0 if nothing was.</summary>
internal static class Median
{
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
}
