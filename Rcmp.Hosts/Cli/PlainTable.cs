namespace Rcmp.Hosts.Cli;

/// <summary>Columns for output that is not a terminal.</summary>
internal static class PlainTable
{
    public static IEnumerable<string> Lines(string[] titles, IReadOnlyList<string[]> rows)
    {
        var widths = titles.Select((title, i) => rows.Select(r => r[i].Length).Append(title.Length).Max()).ToArray();
        foreach (var row in rows.Prepend(titles)) yield return string.Join("  ", row.Select((cell, i) => cell.PadRight(widths[i]))).TrimEnd();
    }
}
