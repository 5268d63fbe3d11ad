using System.Diagnostics;

namespace Rcmp.Hosts.Simulation;

/// <summary>What a search over seeds found.</summary>
internal sealed record SimSearchResult(
    long Seeds, long Steps, long Moves, long Operations, SimFaults Faults, TimeSpan Elapsed, IReadOnlyList<SimResult> Violations)
{
    public double StepsPerSecond => Steps / Math.Max(Elapsed.TotalSeconds, 1e-9);
}

/// <summary>Runs many seeds, on all cores.</summary>
internal static class SimSearch
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(10);

    /// <summary>Seeds from that of <paramref name="options"/> on, until so many are done, one breaks a rule or the time is over. Of several that break one, the first is reported,
    /// so that the answer does not depend on who was faster. When cancelled it ends with what it has; now and then it tells <paramref name="progress"/>, one call at a time.</summary>
    public static SimSearchResult Run(
        SimOptions options, long seeds, CancellationToken ct, TimeSpan? timeMax = null, int? threads = null, Action<SimSearchResult>? progress = null)
    {
        var watch = Stopwatch.StartNew();
        var gate = new Lock();
        var faults = new SimFaults();
        var violations = new SortedDictionary<ulong, SimResult>();
        long next = -1, end = seeds, done = 0, steps = 0, moves = 0, operations = 0;
        var toldAt = TimeSpan.Zero;
        SimSearchResult SoFar() => new(done, steps, moves, operations, faults, watch.Elapsed, [.. violations.Values.Take(timeMax is null ? 1 : int.MaxValue)]);
        void Work()
        {
            while (!ct.IsCancellationRequested && !(watch.Elapsed > timeMax) && Interlocked.Increment(ref next) is var i && i < Interlocked.Read(ref end))
            {
                var result = SimResult.Of(options with { Seed = options.Seed + (ulong)i });
                lock (gate)
                {
                    done++;
                    steps += result.Steps;
                    moves += result.Moves;
                    operations += result.Operations;
                    faults.Add(result.Faults);
                    if (result.Violation is not null)
                    {
                        violations[result.Seed] = result;
                        if (timeMax is null) end = long.Min(end, i);
                    }

                    if (progress is null || watch.Elapsed - toldAt < ProgressInterval) continue;
                    toldAt = watch.Elapsed;
                    progress(SoFar());
                }
            }
        }

        var workers = Enumerable.Range(0, threads ?? Environment.ProcessorCount).Select(_ => new Thread(Work) { IsBackground = true }).ToList();
        foreach (var worker in workers) worker.Start();
        foreach (var worker in workers) worker.Join();
        return SoFar();
    }
}
