using System.Diagnostics;
using System.Text.Json;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;
using Rcmp.Tests.Hosts;

namespace Rcmp.Tests.Processes;

[Collection(ProcessCollection.Name)]
public sealed class BenchTests
{
    private const string Short = "--json --warmup 50ms --range 1MiB";

    [Fact]
    public async Task ASweepMeasuresEveryCombinationAndDrawsIt()
    {
        var directory = Directory.CreateTempSubdirectory("rcmp-test-bench-");
        try
        {
            var csv = Path.Combine(directory.FullName, "rows.csv");
            var plots = Path.Combine(directory.FullName, "plots");

            var result = await RunAsync($"--racks 1 --payload 8B,4KiB --threads 1,2 --duration 700ms --shift 300ms --op mixed --rate 2000 --csv {csv} --plot {plots}");

            Assert.True(result.ExitCode == 0, result.Error);
            using var json = JsonDocument.Parse(result.Out);
            Assert.True(json.RootElement.GetProperty("ok").GetBoolean());
            var results = json.RootElement.GetProperty("results").EnumerateArray().ToList();
            Assert.Equal([(8, 1), (8, 2), (4096, 1), (4096, 2)], results.Select(r => (r.GetProperty("payload").GetInt32(), r.GetProperty("threads").GetInt32())));
            Assert.All(results, r => Assert.True(r.GetProperty("operations").GetInt64() > 0));
            Assert.All(results, r => Assert.True(r.GetProperty("intervals").GetArrayLength() > 2));
            // Each thread starts 2000 a second for 0.7 s, and no more.
            Assert.All(results, r => Assert.InRange(r.GetProperty("operations").GetInt64(), 1, 1401 * r.GetProperty("threads").GetInt32()));
            Assert.Equal(5, File.ReadAllLines(csv).Length);
            Assert.Equal(
                ["latency-by-payload.png", "latency-by-payload.svg", "latency-over-time.png", "latency-over-time.svg", "throughput-by-threads.png", "throughput-by-threads.svg"],
                Directory.GetFiles(plots).Select(Path.GetFileName).Order(StringComparer.Ordinal));
            Assert.All(Directory.GetFiles(plots), file => Assert.Contains(file, result.Error));
        }
        finally
        {
            directory.Delete(true);
        }
    }

    [Fact]
    public async Task ProcessesOnSeveralMachinesBeginTogetherAndOneThatDoesNotComeIsNamed()
    {
        await using var directory = new ClusterDirectory();
        var up = await directory.RunAsync("up --detach --region-size 32MiB");
        Assert.True(up.ExitCode == 0, up.Error + directory.Logs());
        var free = await FreeAsync(directory);

        var nodes = await Task.WhenAll(Enumerable.Range(0, 2).Select(i => OtherAsync($"--config {directory.Open().ClientConfiguration(i)} --nodes 2 --node {i} --wait 30s --payload 8B,64B --duration 300ms")));

        Assert.All(nodes, node => Assert.True(node.ExitCode == 0, node.Error));
        for (var i = 0; i < nodes.Length; i++)
        {
            using var json = JsonDocument.Parse(nodes[i].Out);
            var results = json.RootElement.GetProperty("results").EnumerateArray().ToList();
            Assert.Equal(2, results.Count);
            Assert.All(results, r => Assert.Equal(i, r.GetProperty("node").GetInt32()));
            // Node 1 is in the other rack than the pages: it measures on those of node 0, not on some of its own.
            if (i == 1) Assert.True(results[0].GetProperty("directIo").GetInt64() > 0);
        }
        await Eventually.TrueAsync(async () => await FreeAsync(directory) == free, "the pages of the measurements to be free again");

        var alone = await RunAsync($"--config {directory.Open().ClientConfiguration(0)} --nodes 3 --node 1 --wait 1s");
        Assert.Equal(ExitCodes.NodeMissing, alone.ExitCode);
        Assert.Empty(alone.Out);
        Assert.StartsWith("error: nodes 0, 2 did not come within 1s", alone.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]);
    }

    private static Task<CommandResult> RunAsync(string options) => CommandRunner.RunAsync([.. $"bench rw {Short} {options}".Split(' ')]);

    /// <summary>The command as a process of its own.</summary>
    private static async Task<CommandResult> OtherAsync(string options)
    {
        var start = SelfLauncher.Describe($"bench rw {Short} {options}".Split(' '));
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
        return new CommandResult(process.ExitCode, await output, await error);
    }

    private static async Task<long> FreeAsync(ClusterDirectory directory)
    {
        using var json = JsonDocument.Parse((await directory.RunAsync("status --json")).Out);
        return json.RootElement.GetProperty("racks").EnumerateArray().Sum(r => r.GetProperty("framesFree").GetInt64() + r.GetProperty("framesReserved").GetInt64());
    }
}
