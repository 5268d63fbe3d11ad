using System.Diagnostics;
using Rcmp.Tests.Repository;

namespace Rcmp.Tests.Processes;

/// <summary>What the virtual machine does with a pool of processes on its devices, here over tcp and shared memory.</summary>
[Collection(ProcessCollection.Name)]
[Trait("Tier", "long")]
public sealed class RigProcessTests
{
    private const int Checks = 19;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task ThePoolOfProcessesOutlivesAKilledAndAFencedRack()
    {
        var start = new ProcessStartInfo(Path.Combine(SourceTree.Root, "Rcmp.Tests/rig/processes"),
            ["tcp://127.0.0.1:0", $"/dev/shm/rcmp-rig-{Environment.ProcessId}", "dotnet", Path.Combine(AppContext.BaseDirectory, "Rcmp.Hosts.dll")])
        { RedirectStandardOutput = true };
        start.Environment["RCMP_RIG_PATIENCE"] = "60";
        start.Environment["RCMP_RIG_PAUSE"] = "10";
        start.Environment["RCMP_RIG_CLIENT_TIMEOUT"] = "20";
        using var script = Process.Start(start)!;
        var output = await script.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
        await script.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(script.ExitCode == 0, output);
        Assert.DoesNotContain("FAIL", output, StringComparison.Ordinal);
        Assert.Equal(Checks, output.Split('\n').Count(line => line.StartsWith("PASS", StringComparison.Ordinal)));
    }
}
