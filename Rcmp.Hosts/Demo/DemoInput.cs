using System.Runtime.InteropServices;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Clients;

namespace Rcmp.Hosts.Demo;

/// <summary>The files that the demo stores: those under a path, or the installed .NET shared framework.</summary>
internal sealed record DemoInput(string Root, IReadOnlyList<StoredFile> Files)
{
    public long Bytes => Files.Sum(f => f.Length);

    public static DemoInput Find(string? path)
    {
        var root = Path.GetFullPath(path ?? RuntimeEnvironment.GetRuntimeDirectory());
        if (File.Exists(root)) return new DemoInput(root, [Describe(root)]);
        if (!Directory.Exists(root)) throw CommandException.Usage($"--input: '{root}' does not exist");
        // Links may lead round in a circle; pipes and devices have no end.
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint | FileAttributes.Device };
        var files = Directory.EnumerateFiles(root, "*", options).Order(StringComparer.Ordinal).Select(Describe).ToList();
        return files.Count > 0 ? new DemoInput(root, files) : throw CommandException.Usage($"--input: there are no files in '{root}'");
    }

    /// <summary>The pages that they take: each begins on a page of its own.</summary>
    public long PagesOf(long pageSize) => Files.Sum(f => (f.Length + pageSize - 1) / pageSize);

    private static StoredFile Describe(string path) => new(path, new FileInfo(path).Length, GAddr.Null, "");
}
