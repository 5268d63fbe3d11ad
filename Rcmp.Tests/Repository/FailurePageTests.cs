using System.Text.RegularExpressions;

namespace Rcmp.Tests.Repository;

/// <summary>Whoever sees an exception finds the page that explains it.</summary>
public sealed partial class FailurePageTests
{
    private const string Folder = "docs/failures/";

    private static readonly Dictionary<string, string> Pages = SourceTree.Files.Where(file => file.StartsWith(Folder, StringComparison.Ordinal))
        .ToDictionary(file => file[Folder.Length..], SourceTree.Read);

    private static readonly string[] Product = [.. SourceTree.Files.Where(file => file.EndsWith(".cs", StringComparison.Ordinal) && !file.StartsWith("Rcmp.Tests/", StringComparison.Ordinal))];

    [Fact]
    public void EveryPageIsReachableFromAMessage()
    {
        var reached = new HashSet<string>();
        var next = new Queue<string>(Named());
        while (next.TryDequeue(out var page))
        {
            if (!reached.Add(page)) continue;
            foreach (Match link in Link().Matches(Pages[page])) next.Enqueue(link.Groups["page"].Value);
        }
        Assert.Empty(Pages.Keys.Except(reached));
    }

    [Fact]
    public void EveryPageThatIsNamedOrLinkedExists()
    {
        Assert.Empty(Named().Except(Pages.Keys));
        Assert.Empty(Pages.Values.SelectMany(text => Link().Matches(text)).Select(link => link.Groups["page"].Value).Except(Pages.Keys));
    }

    [Theory]
    [InlineData(typeof(PageUnavailableException), "page-unavailable")]
    [InlineData(typeof(PoolOutcomeUnknownException), "outcome-unknown")]
    public void TheExceptionNamesItsPage(Type type, string page)
    {
        Assert.Equal($"why. See docs/failures/{page}.md.", Make(type, "why").Message);
        // A page that is closer to the matter comes first.
        Assert.Equal("held up (docs/failures/client-stopped.md)", Make(type, "held up (docs/failures/client-stopped.md)").Message);

        static Exception Make(Type type, string message) => (Exception)Activator.CreateInstance(type, message, null)!;
    }

    private static HashSet<string> Named() =>
        [.. Product.SelectMany(file => Name().Matches(SourceTree.Read(file))).Select(match => match.Groups["page"].Value + ".md")];

    [GeneratedRegex(@"docs/failures/(?<page>[a-z-]+)\.md|FailurePage\.See\([^""]*""(?<page>[a-z-]+)""")]
    private static partial Regex Name();

    [GeneratedRegex(@"\]\((?<page>[a-z-]+\.md)\)")]
    private static partial Regex Link();
}
