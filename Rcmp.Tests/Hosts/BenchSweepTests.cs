using System.Text.Json;
using Rcmp.Hosts.Bench;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Commands;

namespace Rcmp.Tests.Hosts;

public sealed class BenchSweepTests
{
    [Fact]
    public void EveryCombinationIsMeasuredAndThoseOfOnePolicyInARow()
    {
        var sweep = MadeUpResults.Sweep("adaptive,swap", "8B,4KiB", "1,2");

        var points = sweep.Points.Select(p => sweep.NameOf(p.Policy, p.Payload.Bytes, p.Threads)).ToArray();

        Assert.Equal(8, sweep.Count);
        Assert.Equal(["adaptive, 8B, 1 thread", "adaptive, 8B, 2 threads", "adaptive, 4KiB, 1 thread", "adaptive, 4KiB, 2 threads"], points[..4]);
        Assert.All(points[4..], p => Assert.StartsWith("swap, ", p));
    }

    [Fact]
    public void ANameSaysOnlyWhatVaries()
    {
        Assert.Equal("2MiB", MadeUpResults.Sweep(payloads: "8B,2MiB").NameOf("adaptive", 2 << 20, 1));
        Assert.Equal("adaptive, 8B, 1 thread", MadeUpResults.Sweep().NameOf("adaptive", 8, 1));
    }

    [Fact]
    public void EachValueOfAListIsChecked()
    {
        Assert.Contains("128MiB", Assert.Throws<CommandException>(MadeUpResults.Sweep(payloads: "8B,128MiB").Validate).Message);
        MadeUpResults.Sweep("adaptive,rdma-only", "8B,2MiB", "1,8").Validate();
    }

    [Fact]
    public void OneResultIsAnObjectAndSeveralAreAListOfThem()
    {
        using var one = Json(MadeUpResults.Sweep());
        Assert.Equal(64, one.RootElement.GetProperty("payload").GetInt32());
        foreach (var name in new[] { "rate", "shiftSeconds", "intervals", "node" }) Assert.False(one.RootElement.TryGetProperty(name, out _), name);

        using var several = Json(MadeUpResults.Sweep(payloads: "8B,64B"));
        Assert.True(several.RootElement.GetProperty("ok").GetBoolean());
        Assert.Equal([8, 64], several.RootElement.GetProperty("results").EnumerateArray().Select(r => r.GetProperty("payload").GetInt32()));
    }

    [Fact]
    public void ASweepThatWasCutShortIsNotOk()
    {
        using var json = Json(MadeUpResults.Sweep(payloads: "8B,64B"), measured: 1);

        Assert.False(json.RootElement.GetProperty("ok").GetBoolean());
        Assert.Single(json.RootElement.GetProperty("results").EnumerateArray());
    }

    [Fact]
    public void AMovingHotSetHasItsIntervalsInTheResult()
    {
        using var json = Json(MadeUpResults.Sweep(shift: "1s"));

        Assert.Equal(1, json.RootElement.GetProperty("shiftSeconds").GetDouble());
        foreach (var name in new[] { "second", "meanNs", "p50", "p99", "throughputPerSecond", "rackHits", "directIo" })
            Assert.True(json.RootElement.GetProperty("intervals")[0].TryGetProperty(name, out _), name);
    }

    [Fact]
    public void EachResultIsARowUnderOneLineOfNames()
    {
        using var file = new TemporaryFile("");
        foreach (var result in MadeUpResults.Of(MadeUpResults.Sweep(payloads: "8B,64B", threads: "1,2"))) BenchCsv.Append(file.Path, result);

        var rows = File.ReadAllLines(file.Path).Select(l => l.Split(',')).ToArray();

        Assert.Equal(5, rows.Length);
        Assert.All(rows, row => Assert.Equal(rows[0].Length, row.Length));
        Assert.Equal(["8", "8", "64", "64"], rows[1..].Select(row => row[Array.IndexOf(rows[0], "payload")]));
        Assert.True(BenchCsv.Fits(file.Path));
    }

    [Fact]
    public async Task RowsAreNotAddedToAFileOfOtherColumns()
    {
        using var file = new TemporaryFile("time,policy\n");

        var result = await CommandRunner.RunAsync("bench", "rw", "--csv", file.Path);

        Assert.Equal(ExitCodes.Usage, result.ExitCode);
        Assert.Contains("other columns", result.Error);
        Assert.Equal("time,policy\n", await File.ReadAllTextAsync(file.Path, TestContext.Current.CancellationToken));
    }

    private static JsonDocument Json(BenchSweep sweep, int? measured = null)
    {
        var writer = new StringWriter();
        BenchCommand.WriteJson(writer, sweep, [.. MadeUpResults.Of(sweep).Take(measured ?? sweep.Count)]);
        return JsonDocument.Parse(writer.ToString());
    }
}
