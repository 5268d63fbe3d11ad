using System.Globalization;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Bench;

/// <summary>The pages that are measured on. As text it goes from node 0 to the others.</summary>
internal readonly record struct BenchRange(GAddr Address, long Pages)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Address} {Pages}");

    public static BenchRange Parse(string text)
    {
        var parts = text.Split(' ');
        return parts.Length == 2 && GAddr.TryParse(parts[0], null, out var address) && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var pages) && pages > 0
            ? new BenchRange(address, pages)
            : throw CommandException.Unreachable($"node 0 says '{Printable.Line(text)}' where it should name its pages: is it another version of rcmp?");
    }
}
