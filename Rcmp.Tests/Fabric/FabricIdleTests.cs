using System.Diagnostics;
using Rcmp.Fabric;

namespace Rcmp.Tests.Fabric;

/// <summary>Not beside other tests: their servers' threads would be measured too.</summary>
[CollectionDefinition(nameof(FabricIdleTests), DisableParallelization = true)]
[Collection(nameof(FabricIdleTests))]
public sealed class FabricIdleTests
{
    [Fact]
    public async Task AnIdleServerSleeps()
    {
        using var served = new ServedMemory("tcp", options: new FabricServerOptions("", Guid.NewGuid(), ServedMemory.Owner, 2, SpinNs: 200_000));
        using var caller = served.Connect();
        caller.Do(FabricOp.Read, 1);
        await Task.Delay(20, TestContext.Current.CancellationToken);
        var idle = await CpuOfServiceThreadsAsync(TimeSpan.FromMilliseconds(500), null);
        var busy = await CpuOfServiceThreadsAsync(TimeSpan.FromMilliseconds(500), () => caller.Do(FabricOp.Read, 1));
        Assert.True(busy.TotalMilliseconds > 30, $"the measurement sees nothing: {busy.TotalMilliseconds} ms while busy");
        Assert.True(idle.TotalMilliseconds <= 20, $"{idle.TotalMilliseconds} ms of CPU in half a second of idleness");
    }

    /// <summary>The CPU time of the service threads of this process over a span.</summary>
    private static async Task<TimeSpan> CpuOfServiceThreadsAsync(TimeSpan span, Action? repeatedly)
    {
        var before = CpuTicks();
        var start = Stopwatch.GetTimestamp();
        if (repeatedly is null)
            await Task.Delay(span);
        while (Stopwatch.GetElapsedTime(start) < span)
            repeatedly?.Invoke();
        return TimeSpan.FromMilliseconds((CpuTicks() - before) * 10);
    }

    private static long CpuTicks()
    {
        var ticks = 0L;
        foreach (var task in Directory.GetDirectories("/proc/self/task"))
        {
            var stat = File.ReadAllText(Path.Combine(task, "stat"));
            if (!stat.Contains("(rcmp-tcp-", StringComparison.Ordinal))
                continue;
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            ticks += long.Parse(fields[11]) + long.Parse(fields[12]);
        }

        return ticks;
    }
}
