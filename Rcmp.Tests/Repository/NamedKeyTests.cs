using System.Text.RegularExpressions;
using Rcmp.Cluster.Configuration;

namespace Rcmp.Tests.Repository;

/// <summary>A message or a page that tells a user to change a key names one that there is.</summary>
public sealed partial class NamedKeyTests
{
    [Fact]
    public void EveryKeyThatIsNamedInCodeOrDocsIsInTheReference()
    {
        var known = ConfigLoader.KnownKeys.ToHashSet();
        var unknown = SourceTree.Files.Where(IsForUsers)
            .SelectMany(file => Key().Matches(SourceTree.Read(file)).Select(match => (File: file, Key: match.Value)))
            .Where(named => !known.Contains(named.Key) && !known.Any(key => key.StartsWith(named.Key + ".", StringComparison.Ordinal)));
        Assert.Empty(unknown);
    }

    [Fact]
    public void AKeyThatThereIsNotWouldBeSeen() => Assert.Equal("rcmp.region.no-such-key", Key().Match("raise rcmp.region.no-such-key.").Value);

    private static bool IsForUsers(string file) =>
        file == "README.md" || file.StartsWith("docs/", StringComparison.Ordinal) || (file.EndsWith(".cs", StringComparison.Ordinal) && !file.StartsWith("Rcmp.Tests/", StringComparison.Ordinal));

    [GeneratedRegex(@"(?<![\w/.\-])rcmp\.(?!conf\b)[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)*")]
    private static partial Regex Key();
}
