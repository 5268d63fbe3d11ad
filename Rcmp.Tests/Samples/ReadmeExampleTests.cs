using Rcmp.Tests.Repository;

namespace Rcmp.Tests.Samples;

public sealed class ReadmeExampleTests
{
    [Fact]
    public async Task TheExampleOfTheReadmeIsTheCompiledOneAndRuns()
    {
        var source = Lines(Path.Combine(SourceTree.Root, "Rcmp.Tests", "Samples", "ReadmeExample.cs"))
            .SkipWhile(line => line != "// <readme>").Skip(1).TakeWhile(line => line != "// </readme>");
        var readme = Lines(Path.Combine(SourceTree.Root, "README.md")).SkipWhile(line => line != "```csharp").Skip(1).TakeWhile(line => line != "```")
            .Where(line => !line.StartsWith("using ", StringComparison.Ordinal));
        Assert.Equal(source, readme);
        await ReadmeExample.RunAsync();
    }

    private static string[] Lines(string path) => [.. File.ReadLines(path).Select(line => line.Trim()).Where(line => line.Length > 0)];
}
