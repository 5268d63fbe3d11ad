using System.Text.RegularExpressions;

namespace Rcmp.Tests.Repository;

public sealed partial class FileTests
{
    private const int BlobBytesMax = 512 * 1024;
    private const int LinesMax = 600;
    private const int HeadLines = 15;

    private static readonly string[] Source = [".cs", ".c", ".h", ".sh", ".py"];

    [Fact]
    public void NoTrackedFileIsBinaryOrLarge() => Assert.All(SourceTree.Files, file =>
    {
        var bytes = File.ReadAllBytes(Path.Combine(SourceTree.Root, file));
        Assert.True(bytes.Length <= BlobBytesMax, $"{file} has {bytes.Length} bytes; {BlobBytesMax} are allowed");
        Assert.True(!bytes.Contains((byte)0), $"{file} is binary");
    });

    [Fact]
    public void NoLargeBlobIsInTheHistory()
    {
        if (!Path.Exists(Path.Combine(SourceTree.Root, ".git")))
            Assert.Skip("this is no git clone");

        var objects = SourceTree.Git("cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectsize) %(objectname)");
        var large = objects.Split('\n').Where(line => line.StartsWith("blob ", StringComparison.Ordinal) && long.Parse(line.Split(' ')[1]) > BlobBytesMax);

        Assert.Empty(large);
    }

    [Fact]
    public void NoKeyOrCertificateIsTracked()
    {
        Assert.DoesNotContain(SourceTree.Files, file => KeyFile().IsMatch(file));
        Assert.All(SourceTree.Files, file => Assert.False(PrivateKey().IsMatch(SourceTree.Read(file)), $"{file} holds a private key"));
    }

    [Fact]
    public void NoFileNamesAPathOfOneMachine() => Assert.All(SourceTree.Files, file =>
    {
        var match = MachinePath().Match(SourceTree.Read(file));
        Assert.False(match.Success, $"{file} names {match.Value}");
    });

    [Fact]
    public void AFileOfMoreThan600LinesSaysWhyInItsHead() => Assert.All(SourceTree.Files.Where(file => Source.Contains(Path.GetExtension(file))), file =>
    {
        var lines = SourceTree.Read(file).Split('\n');
        var reason = lines.Take(HeadLines).Any(line => LengthReason().IsMatch(line));
        Assert.True(lines.Length <= LinesMax || reason, $"{file} has {lines.Length} lines and no comment at its head that begins with 'Long because'");
    });

    [Fact]
    public void ScriptsAreExecutable() => Assert.All(SourceTree.Files.Where(file => SourceTree.Read(file).StartsWith("#!", StringComparison.Ordinal)), file =>
        Assert.True(File.GetUnixFileMode(Path.Combine(SourceTree.Root, file)).HasFlag(UnixFileMode.UserExecute), $"{file} is not executable"));

    [GeneratedRegex(@"\.(pfx|p12|pem|key|snk|jks|nupkg|dll|so|a|o|exe)$")]
    private static partial Regex KeyFile();

    [GeneratedRegex(@"-----BEGIN [A-Z ]*PRIVATE KEY-----\s")]
    private static partial Regex PrivateKey();

    [GeneratedRegex(@"(?<![\w.$}/-])/(home|Users|root|wor[k])/\w")]
    private static partial Regex MachinePath();

    [GeneratedRegex(@"^\s*(//|\*|/\*|#).*\bLong because\b")]
    private static partial Regex LengthReason();
}
