using Rcmp.Hosts.Local;
using Rcmp.Tests.Hosts;

namespace Rcmp.Tests.Processes;

/// <summary>A directory for one test's cluster, which is taken down with it.</summary>
internal sealed class ClusterDirectory : IAsyncDisposable
{
    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"rcmp-test-{Guid.NewGuid():n}");

    public LocalCluster Open() => LocalCluster.Open(Path);

    /// <summary>Runs a command against the cluster of this directory.</summary>
    public Task<CommandResult> RunAsync(string line, string input = "") =>
        CommandRunner.RunWithInputAsync(input, [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--dir", Path]);

    /// <summary>What the nodes logged, for a failed assertion.</summary>
    public string Logs() => !Directory.Exists(Path) ? "" : string.Join('\n', Directory.GetFiles(Path, "*.log").SelectMany(f => File.ReadLines(f).TakeLast(15)));

    public async ValueTask DisposeAsync()
    {
        if (ClusterManifest.Read(Path) is not null) await Open().StopAsync(false);
        if (Directory.Exists(Path)) Directory.Delete(Path, true);
    }
}
