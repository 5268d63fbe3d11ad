using Rcmp.Cluster.Configuration;

namespace Rcmp.Hosts.Cli;

/// <summary>The known word that a mistyped one may have meant.</summary>
internal static class Suggestions
{
    // A beginning is what a person meant who stopped typing.
    public static string? Nearest(string word, IReadOnlyCollection<string> candidates) =>
        candidates.FirstOrDefault(c => word.Length >= 2 && c.StartsWith(word, StringComparison.OrdinalIgnoreCase)) ?? NearestName.Find(word, candidates);
}
