namespace Rcmp.Hosts.Bench;

/// <summary>Measures reads and writes once, in a cluster of its own unless one is named.</summary>
internal sealed class BenchRun(BenchOptions options, Action<string> say)
{
    public async Task<BenchResult> RunAsync(CancellationToken ct)
    {
        List<BenchResult> results = [];
        await new BenchSweepRun(new BenchSweep(options), say, new NoProgress()).RunAsync(results.Add, ct);
        return results.Single();
    }
}
