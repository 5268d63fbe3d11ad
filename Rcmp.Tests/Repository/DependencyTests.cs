using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Rcmp.Tests.Repository;

public sealed partial class DependencyTests
{
    // Core ← Cluster ← Apps ← Hosts: each may refer to those before it. Tests and benchmarks stand outside and see all.
    private static readonly string[] Order = ["Rcmp.Core", "Rcmp.Cluster", "Rcmp.Apps", "Rcmp.Hosts"];

    public static TheoryData<string> ProductProjects() => new(Order.Where(name => File.Exists(ProjectPath(name))));

    [Theory]
    [MemberData(nameof(ProductProjects))]
    public void AProjectRefersOnlyToProjectsBeforeIt(string project)
    {
        var references = Project(project).Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension((string)reference.Attribute("Include")!));

        Assert.All(references, reference => Assert.InRange(Array.IndexOf(Order, reference), 0, Array.IndexOf(Order, project) - 1));
    }

    [Theory]
    [MemberData(nameof(ProductProjects))]
    public void OnlyCoreAllowsUnsafeBlocks(string project)
    {
        var allows = Project(project).Descendants("AllowUnsafeBlocks").Any(element => element.Value == "true");

        Assert.Equal(project == "Rcmp.Core", allows);
    }

    [Fact]
    public void NoSharedSettingAllowsUnsafeBlocks()
    {
        var shared = SourceTree.Files.Where(file => file.EndsWith(".props", StringComparison.Ordinal) || file.EndsWith(".targets", StringComparison.Ordinal));

        Assert.All(shared, file => Assert.DoesNotContain("AllowUnsafeBlocks", SourceTree.Read(file)));
    }

    [Fact]
    public void CoreNeverSeesAkka()
    {
        var packages = Project("Rcmp.Core").Descendants("PackageReference").Select(package => (string)package.Attribute("Include")!);
        Assert.DoesNotContain(packages, package => package.StartsWith("Akka", StringComparison.OrdinalIgnoreCase));

        Assert.Empty(Offenders("Rcmp.Core", AkkaUse()));
    }

    [Fact]
    public void CoreTakesNoAssemblyOfAkka()
    {
        var references = typeof(GAddr).Assembly.GetReferencedAssemblies().Select(name => name.Name!);

        Assert.DoesNotContain(references, name => name.StartsWith("Akka", StringComparison.OrdinalIgnoreCase) || name == "Hyperion");
    }

    [Theory]
    [InlineData("Rcmp.Cluster")]
    [InlineData("Rcmp.Apps")]
    [InlineData("Rcmp.Hosts")]
    [InlineData("Rcmp.Tests")]
    [InlineData("Rcmp.Benchmarks")]
    public void NothingAboveCoreSeesAPointerOrImportsNativeCode(string project) => Assert.Empty(Offenders(project, PointerUse()));

    [Theory]
    [InlineData("internal unsafe class X", true)]
    [InlineData("fixed (byte* p = span)", true)]
    [InlineData("[DllImport(\"libc\")]", true)]
    [InlineData("Unsafe.AsPointer(ref x)", true)]
    [InlineData("var product = a * b;", false)]
    [InlineData("/* byte* */ // an unsafe thing", false)]
    [InlineData("throw new X(\"unsafe code\");", false)]
    public void TheScanKnowsPointersFromOtherText(string line, bool caught) => Assert.Equal(caught, PointerUse().IsMatch(SourceText.CodeOnly(line)));

    private static IEnumerable<string> Offenders(string project, Regex pattern) =>
        from file in SourceTree.FilesUnder(project, ".cs")
        let match = pattern.Match(SourceText.CodeOnly(SourceTree.Read(file)))
        where match.Success
        select $"{file}: {match.Value}";

    private static string ProjectPath(string name) => Path.Combine(SourceTree.Root, name, name + ".csproj");

    private static XDocument Project(string name) => XDocument.Load(ProjectPath(name));

    [GeneratedRegex(@"\busing\s+(static\s+)?Akka\b|\bAkka\.[A-Z]")]
    private static partial Regex AkkaUse();

    [GeneratedRegex(@"\bunsafe\b|\b(byte|sbyte|short|ushort|int|uint|long|ulong|void|char|nint|nuint)\*|\bfixed\s*\(|\bstackalloc\s+\w+\*|\bDllImport\b|\bLibraryImport\b|\bUnsafe\.(AsPointer|AsRef|Read|Write)\b|\bMarshal\.(Copy|PtrTo|Read|Write|AllocHGlobal)|\bMemoryMarshal\.GetReference\b")]
    private static partial Regex PointerUse();
}
