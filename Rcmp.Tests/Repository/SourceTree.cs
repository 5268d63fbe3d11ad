using System.Diagnostics;

namespace Rcmp.Tests.Repository;

/// <summary>The files of this clone: those git tracks and those about to be added.</summary>
internal static class SourceTree
{
    public static string Root { get; } = FindRoot();

    public static IReadOnlyList<string> Files { get; } = ListFiles();

    public static IEnumerable<string> FilesUnder(string folder, params string[] extensions) =>
        Files.Where(file => file.StartsWith(folder + "/", StringComparison.Ordinal)
            && (extensions.Length == 0 || extensions.Contains(Path.GetExtension(file))));

    public static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    public static string Git(params string[] arguments)
    {
        var start = new ProcessStartInfo("git") { RedirectStandardOutput = true, WorkingDirectory = Root };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);

        using var git = Process.Start(start) ?? throw new InvalidOperationException("git did not start");
        var output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        Assert.True(git.ExitCode == 0, $"git {string.Join(' ', arguments)} exited with {git.ExitCode}");
        return output;
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Rcmp.Actors.sln")))
                return folder.FullName;
        }

        throw new InvalidOperationException($"no folder above {AppContext.BaseDirectory} holds Rcmp.Actors.sln");
    }

    // Without a .git folder (an unpacked archive) every file counts that is not built.
    private static List<string> ListFiles()
    {
        var files = Path.Exists(Path.Combine(Root, ".git"))
            ? Git("ls-files", "-z", "--cached", "--others", "--exclude-standard").Split('\0', StringSplitOptions.RemoveEmptyEntries)
            : Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Root, file));
        return files
            .Where(file => !file.Split('/').Any(part => part is "bin" or "obj" or ".rcmp"))
            .Where(file => File.Exists(Path.Combine(Root, file)))
            .ToList();
    }
}
