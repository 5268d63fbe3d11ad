namespace Rcmp.Hosts.Local;

/// <summary>Where <c>up</c> started a cluster last: a file beside the default directory, so that commands without <c>--dir</c> find the cluster that a user means.</summary>
internal static class LastCluster
{
    /// <summary>Its own directory while a cluster is there, else the default one.</summary>
    public static string Directory => Recorded() is { } directory && File.Exists(Path.Combine(directory, ClusterManifest.FileName)) ? directory : LocalClusterOptions.DefaultDirectory;

    private static string FilePath => Path.Combine(Path.GetDirectoryName(LocalClusterOptions.DefaultDirectory)!, "last");

    /// <param name="directory">The full path.</param>
    public static void Record(string directory)
    {
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(FilePath)!);
        // Two may start clusters at once: each writes a file of its own, and the later rename counts.
        var next = $"{FilePath}.{Environment.ProcessId}.new";
        File.WriteAllText(next, Path.TrimEndingDirectorySeparator(directory));
        File.Move(next, FilePath, true);
    }

    /// <summary>The cluster is taken down. Another that was started since stays the last one.</summary>
    public static void Forget(string directory)
    {
        if (Recorded() == Path.TrimEndingDirectorySeparator(directory)) File.Delete(FilePath);
    }

    private static string? Recorded()
    {
        try
        {
            return File.Exists(FilePath) && File.ReadAllText(FilePath) is var directory && Path.IsPathRooted(directory) ? directory : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Removed meanwhile, or another user's: as if nothing were recorded.
            return null;
        }
    }
}
