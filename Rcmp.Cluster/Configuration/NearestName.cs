namespace Rcmp.Cluster.Configuration;

/// <summary>Finds the name that a user may have meant.</summary>
internal static class NearestName
{
    /// <summary>The nearest of <paramref name="known"/>, or null if none is near enough to be worth suggesting.</summary>
    public static string? Find(string name, IEnumerable<string> known)
    {
        var best = known.Select(k => (Name: k, Distance: Distance(name, k))).DefaultIfEmpty((Name: "", Distance: int.MaxValue)).MinBy(k => k.Distance);
        return best.Distance <= Math.Max(2, name.Length / 3) ? best.Name : null;
    }

    /// <summary>Damerau's distance (optimal string alignment): insertions, deletions, replacements, and swaps of neighbours.</summary>
    public static int Distance(string left, string right)
    {
        var d = new int[left.Length + 1, right.Length + 1];
        for (var i = 0; i <= left.Length; i++) d[i, 0] = i;
        for (var j = 0; j <= right.Length; j++) d[0, j] = j;
        for (var i = 1; i <= left.Length; i++)
            for (var j = 1; j <= right.Length; j++)
            {
                var cost = char.ToLowerInvariant(left[i - 1]) == char.ToLowerInvariant(right[j - 1]) ? 0 : 1;
                d[i, j] = Math.Min(Math.Min(d[i - 1, j] + 1, d[i, j - 1] + 1), d[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        return d[left.Length, right.Length];
    }
}
