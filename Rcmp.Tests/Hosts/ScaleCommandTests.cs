using System.Text.Json;
using Rcmp.Hosts.Cli;

namespace Rcmp.Tests.Hosts;

public class ScaleCommandTests
{
    [Fact]
    public async Task ASeriesIsOneObjectARowForEachSizeAndItsPlots()
    {
        var directory = Directory.CreateTempSubdirectory("rcmp-scale").FullName;
        try
        {
            var csv = Path.Combine(directory, "points.csv");
            var result = await CommandRunner.RunAsync([.. "simulate --scale --quick --sweep hot --rate 500 --warmup 100ms --measured 100ms --json --plot".Split(' '), directory, "--csv", csv]);

            Assert.Equal(ExitCodes.Done, result.ExitCode);
            var points = JsonDocument.Parse(result.Out).RootElement.GetProperty("points");
            Assert.Equal(2, points.GetArrayLength());
            Assert.All(points.EnumerateArray(), p => Assert.Equal("hot", p.GetProperty("sweep").GetString()));
            Assert.Equal(3, (await File.ReadAllLinesAsync(csv, TestContext.Current.CancellationToken)).Length);
            Assert.Equal(5, Directory.GetFiles(directory, "scale-hot-*.png").Length);
            Assert.Equal(5, Directory.GetFiles(directory, "scale-hot-*.svg").Length);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task OneSizeIsEndedBetweenItsSteps()
    {
        using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        var began = System.Diagnostics.Stopwatch.StartNew();

        // Hours, if it went on.
        var io = new CommandIo(TextReader.Null, TextWriter.Null, TextWriter.Null, false, false);
        var exitCode = await RcmpProgram.RunAsync("simulate --scale --racks 16 --pages 20000 --warmup 1h".Split(' '), io, soon.Token);

        Assert.Equal(ExitCodes.Interrupted, exitCode);
        Assert.InRange(began.Elapsed.TotalSeconds, 0, 60);
    }
}
