using System.Text.RegularExpressions;
using Rcmp.Hosts.Cli;

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

    private static readonly Dictionary<Type, string> PageOf = new()
    {
        [typeof(PageUnavailableException)] = "page-unavailable",
        [typeof(PoolOutcomeUnknownException)] = "outcome-unknown",
        [typeof(PoolExhaustedException)] = "pool-full",
        [typeof(PoolMismatchException)] = "pool-mismatch",
        [typeof(PoolNotConnectedException)] = "cannot-connect",
        [typeof(RegionDamagedException)] = "region-damaged",
    };

    public static TheoryData<Type> TypesWithAPage => [.. PageOf.Keys];

    [Theory]
    [MemberData(nameof(TypesWithAPage))]
    public void TheExceptionNamesItsPage(Type type)
    {
        Assert.Equal($"why. See docs/failures/{PageOf[type]}.md.", Make(type, "why").Message);
        Assert.Contains($"{PageOf[type]}.md", Pages.Keys);
        // A page that is closer to the matter comes first.
        Assert.Equal("held up (docs/failures/client-stopped.md)", Make(type, "held up (docs/failures/client-stopped.md)").Message);
    }

    [Fact]
    public void NoOtherExceptionHasAPage()
    {
        Type[] roots = [typeof(PoolException), typeof(RcmpPool), typeof(CommandException)];
        var types = roots.SelectMany(root => root.Assembly.GetTypes()).Where(type => type.IsAssignableTo(typeof(PoolException))).ToList();
        Assert.True(types.Count > PageOf.Count, "the types are found");
        Assert.Equal(PageOf.Keys.ToHashSet(), types.Where(type => Make(type, "why").Message.Contains(Folder, StringComparison.Ordinal)).ToHashSet());
    }

    private static Exception Make(Type type, string message)
    {
        var constructor = Assert.Single(type.GetConstructors());
        return (Exception)constructor.Invoke([.. constructor.GetParameters().Select(parameter =>
            parameter.ParameterType == typeof(string) ? message : parameter.HasDefaultValue ? parameter.DefaultValue : Activator.CreateInstance(parameter.ParameterType))]);
    }

    private static HashSet<string> Named() =>
        [.. Product.SelectMany(file => Name().Matches(SourceTree.Read(file))).Select(match => match.Groups["page"].Value + ".md")];

    [GeneratedRegex(@"docs/failures/(?<page>[a-z-]+)\.md|FailurePage\.See\([^""]*""(?<page>[a-z-]+)""")]
    private static partial Regex Name();

    [GeneratedRegex(@"\]\((?<page>[a-z-]+\.md)\)")]
    private static partial Regex Link();
}
