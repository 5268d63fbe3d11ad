namespace Rcmp.Hosts.Bench.Compare;

/// <summary>What <c>bench compare --json</c> prints.</summary>
internal sealed record CompareResult(bool Ok, bool Quick, int Rounds, double ElapsedSeconds, IReadOnlyList<CompareRow> Rows);

/// <summary>The pool against what one would use in its place, all in one run on this machine.</summary>
internal sealed class CompareRun(ComparePlan plan, Action<string> say)
{
    public async Task<IReadOnlyList<CompareRow>> RunAsync(CancellationToken ct)
    {
        var folder = Directory.CreateTempSubdirectory("rcmp-compare-");
        try
        {
            var rows = new List<CompareRow>();
            rows.AddRange(await new HitRows(plan, folder.FullName, say).RunAsync(ct));
            rows.AddRange(await new RemoteRows(plan, folder.FullName, say).RunAsync(ct));
            rows.AddRange(await new PolicyRows(plan, say).RunAsync(ct));
            return rows;
        }
        finally
        {
            folder.Delete(true);
        }
    }
}
