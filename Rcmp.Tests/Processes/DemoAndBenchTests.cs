using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Rcmp.Hosts.Demo;
using Rcmp.Hosts.Local;
using Rcmp.Runtime;
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

        Assert.Empty(Left().Except(before));
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
        Assert.Empty(Left().Except(before));
    }

    [Fact]
    [Trait("Tier", "long")]
    public async Task TheDemoAsAPersonStartsItShowsWhatItDidWithinAMinute()
    {
        var before = Left();
        var started = Stopwatch.GetTimestamp();

        var result = await CommandRunner.RunAsync("demo");

        var elapsed = Stopwatch.GetElapsedTime(started);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.True(elapsed < TimeSpan.FromSeconds(60), $"the demo took {elapsed.TotalSeconds:0.0} s:\n{result.Out}");
        Assert.Contains(result.Lines, line => DemoRow.Titles.All(title => line.Contains(title, StringComparison.Ordinal)));
        Assert.Contains("What you have seen", result.Lines);
        Assert.Contains(result.Lines, line => line.Contains("All of it is gone again", StringComparison.Ordinal));
        Assert.Empty(Left().Except(before));
    }

    [Theory]
    [InlineData("demo")]
    [InlineData("bench")]
    public void WhatWouldBeLeftBehindIsSeen(string run)
    {
        var before = Left();
        var sessions = Directory.CreateDirectory(Path.Combine(RegionFiles.SharedMemory, ClusterFiles.SharedNameOf(DirectoryOf(run)) + "-rack0.sessions"));
        // The inner shell is no child of this process: only its command line tells whose it is.
        using var shell = Process.Start("/bin/sh", ["-c", $"sh -c 'sleep 60; :' {DirectoryOf(run)}/rack0.conf >/dev/null 2>&1 & sleep 60"]);
        var inner = $"sh -c sleep 60; : {DirectoryOf(run)}/rack0.conf";
        try
        {
            Assert.True(SpinWait.SpinUntil(() => Left().Any(line => line.Contains(inner, StringComparison.Ordinal)), TimeSpan.FromSeconds(30)), string.Join('\n', Left()));

            var left = Left().Except(before).ToList();
            Assert.Contains(sessions.FullName, left);
            Assert.Contains(left, line => line.StartsWith($"process {shell.Id}:", StringComparison.Ordinal));
            Assert.Contains(left, line => line.Contains(inner, StringComparison.Ordinal));
        }
        finally
        {
            shell.Kill(entireProcessTree: true);
            shell.WaitForExit();
            sessions.Delete(true);
        }
    }

    private static string DirectoryOf(string run) => Path.Combine(Path.GetTempPath(), $"rcmp-{run}-{Environment.ProcessId}");

    /// <summary>What there is of local clusters of this process: files, shared memory with its folders of sessions, processes. What tests in other processes have does not count.</summary>
    private static string[] Left() =>
    [
        .. Directory.GetFileSystemEntries(Path.GetTempPath(), $"rcmp-*-{Environment.ProcessId}*"),
        .. new[] { "demo", "bench" }.SelectMany(run => Directory.GetFileSystemEntries(RegionFiles.SharedMemory, ClusterFiles.SharedNameOf(DirectoryOf(run)) + "*")),
        .. Directory.GetDirectories("/proc").Select(DescribeOwn).OfType<string>(),
    ];

    /// <summary>A process that this one started, or that has its command line from a cluster of this one; else null.</summary>
    private static string? DescribeOwn(string folder)
    {
        if (!int.TryParse(Path.GetFileName(folder), out var id) || id == Environment.ProcessId || ProcessIdentity.Of(id) is null) return null;
        try
        {
            var stat = File.ReadAllText(Path.Combine(folder, "stat"));
            var parent = stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1];
            var line = File.ReadAllText(Path.Combine(folder, "cmdline")).Replace('\0', ' ');
            var own = parent == Environment.ProcessId.ToString(CultureInfo.InvariantCulture) || line.Contains(DirectoryOf("demo"), StringComparison.Ordinal) || line.Contains(DirectoryOf("bench"), StringComparison.Ordinal);
            return own ? $"process {id}: {line}" : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended meanwhile.
            return null;
        }
    }
}
