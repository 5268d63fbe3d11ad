namespace Rcmp.Hosts.Bench.Compare;

/// <summary>What <c>bench compare --json</c> prints.</summary>
internal sealed record CompareResult(bool Ok, bool Quick, int Rounds, double ElapsedSeconds, IReadOnlyList<CompareRow> Rows);

/// <summary>The pool against what one would use in its place, all in one run on this machine.</summary>
internal sealed class CompareRun(ComparePlan plan, Action<string> say)
{
    private delegate Task<IReadOnlyList<CompareRow>> Measure(ComparePlan plan, string folder, Action<string> say, CancellationToken ct);

    private static readonly (string Name, Measure Measure)[] AllGroups =
    [
        ("hits", (plan, folder, say, ct) => new HitRows(plan, folder, say).RunAsync(ct)),
        ("remote", (plan, folder, say, ct) => new RemoteRows(plan, folder, say).RunAsync(ct)),
        ("streams", (plan, folder, say, ct) => new StreamRows(plan, folder, say).RunAsync(ct)),
        ("moves", (plan, _, say, ct) => new PolicyRows(plan, say).RunAsync(ct)),
        ("policies", (plan, _, say, ct) => new PolicyCostRows(plan, say).RunAsync(ct)),
        ("caches", (plan, _, say, ct) => new CacheRows(plan, say).RunAsync(ct)),
        ("windows", (plan, folder, say, ct) => new WindowRows(plan, folder, say).RunAsync(ct)),
        ("events", (plan, _, say, ct) => new EventRows(plan, say).RunAsync(ct)),
    ];

    /// <summary>What can be measured alone.</summary>
    public static readonly string[] Groups = [.. AllGroups.Select(group => group.Name)];

    /// <param name="only">One of <see cref="Groups"/>; null: all of them.</param>
    /// <param name="ct">Ends the run.</param>
    public async Task<IReadOnlyList<CompareRow>> RunAsync(string? only, CancellationToken ct)
    {
        var folder = Directory.CreateTempSubdirectory("rcmp-compare-");
        try
        {
            var rows = new List<CompareRow>();
            foreach (var group in AllGroups.Where(group => only is null || group.Name == only)) rows.AddRange(await group.Measure(plan, folder.FullName, say, ct));
            return rows;
        }
        finally
        {
            folder.Delete(true);
        }
    }
}
