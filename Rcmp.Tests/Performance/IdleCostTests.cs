using System.Diagnostics;
using Rcmp.Hosts.Clients;
using Rcmp.Tests.Processes;

namespace Rcmp.Tests.Performance;

/// <summary>What a pool uses that nobody uses: daemons, the master and a client of the quiet timing profile, each a process.</summary>
[Trait("Tier", "perf")]
public sealed class IdleCostTests
{
    // Until the JIT's background threads have nothing left to do, and heat has decayed.
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(30);
    private const double ShareMax = 0.01;

    [Fact]
    public async Task IdleProcessesUseLessThanOneHundredthOfACore()
    {
        await using var processes = await ProcessPool.StartAsync();
        await using var client = await ClientProcess.StartAsync(processes.Cluster.ClientConfiguration(1), TestContext.Current.CancellationToken);
        await using (var pool = await RcmpPool.ConnectAsync(processes.Cluster.ClientConfiguration(0)))
        {
            // Pages in use before: idle is not the same as new.
            var pages = await pool.AllocatePagesAsync(1000);
            for (var i = 0; i < 1000; i++) pool.Write<long>(pages + i * pool.Info.PageSize, i);
        }

        await Task.Delay(Settling);
        (string Name, int Process)[] watched = [.. processes.Cluster.Nodes.Select(node => (node.Name, node.Running!.Value.Id)), ("client", client.ProcessId)];
        var before = watched.Select(w => CpuTime(w.Process)).ToArray();
        var started = Stopwatch.GetTimestamp();
        await Task.Delay(Watched);
        var elapsed = Stopwatch.GetElapsedTime(started);
        for (var i = 0; i < watched.Length; i++)
        {
            var share = (CpuTime(watched[i].Process) - before[i]) / elapsed;
            TestContext.Current.TestOutputHelper?.WriteLine($"idle: {watched[i].Name} uses {share:0.00 %} of a core");
            Assert.True(share < ShareMax, $"{watched[i].Name} uses {share:0.00 %} of a core");
        }
    }

    private static TimeSpan CpuTime(int process)
    {
        using var of = Process.GetProcessById(process);
        return of.TotalProcessorTime;
    }
}
