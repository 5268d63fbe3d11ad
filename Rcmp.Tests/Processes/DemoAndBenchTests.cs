using System.Text.Json;
using Rcmp.Tests.Hosts;

namespace Rcmp.Tests.Processes;

[Collection(ProcessCollection.Name)]
public sealed class DemoAndBenchTests
{
    [Fact]
    public async Task TheDemoVerifiesEveryByteAndLeavesNothingBehind()
    {
        var before = Left();
        var input = Directory.CreateTempSubdirectory("rcmp-test-input-");
        try
        {
            for (var i = 0; i < 5; i++) await File.WriteAllBytesAsync(Path.Combine(input.FullName, $"{i}.bin"), [.. Enumerable.Range(0, i * 5000).Select(b => (byte)(b * i))]);

            var result = await CommandRunner.RunAsync("demo", "--input", input.FullName, "--json");

            Assert.True(result.ExitCode == 0, result.Error);
            using var json = JsonDocument.Parse(result.Out);
            Assert.True(json.RootElement.GetProperty("ok").GetBoolean());
            Assert.Equal(2, json.RootElement.GetProperty("racks").GetInt32());
            Assert.Equal(50_000, json.RootElement.GetProperty("bytesVerified").GetInt64());
            foreach (var name in new[] { "rackHits", "directIo", "swaps", "rackHitP50Ns", "directIoP50Ns" }) Assert.True(json.RootElement.GetProperty(name).GetInt64() > 0, name);
            Assert.True(json.RootElement.GetProperty("elapsedSeconds").GetDouble() > 0);
        }
        finally
        {
            input.Delete(true);
        }

        Assert.Equal(before, Left());
    }

    [Theory]
    [InlineData("--run-in 1 --op mixed --policy direct-io --operations 2000 --range 1MiB --clients 2", "directIo")]
    [InlineData("--baseline --distribution uniform --duration 500ms --range 4MiB --threads 2 --racks 1", "rackHits")]
    public async Task BenchPrintsItsFields(string options, string above0)
    {
        var before = Left();

        var result = await CommandRunner.RunAsync([.. $"bench rw --json --warmup 100ms {options}".Split(' ')]);

        Assert.True(result.ExitCode == 0, result.Error);
        using var json = JsonDocument.Parse(result.Out);
        foreach (var name in new[] { "ok", "policy", "distribution", "theta", "payload", "threads", "clients", "operations", "throughputPerSecond", "rackHits", "directIo", "swaps" })
            Assert.True(json.RootElement.TryGetProperty(name, out _), name);
        foreach (var name in new[] { "mean", "p50", "p99", "p999", "p9999", "max" }) Assert.True(json.RootElement.GetProperty("latencyNs").TryGetProperty(name, out _), name);
        Assert.True(json.RootElement.GetProperty(above0).GetInt64() > 0, above0);
        Assert.Equal(options.Contains("--baseline"), json.RootElement.TryGetProperty("plainCopyMeanNs", out _));
        Assert.Equal(before, Left());
    }

    /// <summary>Files of local clusters of this process; those of tests in other processes do not count.</summary>
    private static string[] Left() =>
        [.. Directory.GetFileSystemEntries(Path.GetTempPath(), $"rcmp-*-{Environment.ProcessId}*").Order(StringComparer.Ordinal)];
}
