using System.Xml.Linq;
using Rcmp.Hosts.Bench.Plots;

namespace Rcmp.Tests.Hosts;

public sealed class BenchPlotTests : IDisposable
{
    private static readonly byte[] PngSignature = [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("rcmp-test-plots-");

    public void Dispose() => _directory.Delete(true);

    [Theory]
    [InlineData("adaptive", "8B,64B,2MiB", "1", null, "latency-by-payload")]
    [InlineData("adaptive", "64B", "1,2,4", null, "throughput-by-threads")]
    [InlineData("adaptive", "64B", "1", "1s", "latency-over-time")]
    [InlineData("adaptive,swap", "64B", "1", null, "policies")]
    [InlineData("adaptive,swap", "8B,64B", "1,2", "1s", "latency-by-payload latency-over-time policies throughput-by-threads")]
    [InlineData("adaptive", "64B", "1", null, "")]
    public void WhatWasMeasuredIsShownAndNothingElse(string policies, string payloads, string threads, string? shift, string charts)
    {
        var sweep = MadeUpResults.Sweep(policies, payloads, threads, shift);

        var names = new BenchCharts(sweep, MadeUpResults.Of(sweep)).Charts().Select(c => c.Name).Order();

        Assert.Equal(charts, string.Join(' ', names));
    }

    [Fact]
    public void ADirectoryGetsEachPlotAsPngAndSvg()
    {
        var sweep = MadeUpResults.Sweep("adaptive,swap", "8B,64B,4KiB,2MiB", "1,2", "1s");
        var path = Path.Combine(_directory.FullName, "made");

        var files = PlotFiles.Write(new BenchCharts(sweep, MadeUpResults.Of(sweep)).Charts(), path);

        Assert.Equal(8, files.Count);
        Assert.Equal(files.Order(), Directory.GetFiles(path).Order());
        Assert.All(files.Where(f => f.EndsWith(".png", StringComparison.Ordinal)), f => Assert.Equal(PngSignature, File.ReadAllBytes(f)[..8]));
        Assert.All(files.Where(f => f.EndsWith(".svg", StringComparison.Ordinal)), f => Assert.Equal("svg", XDocument.Load(f).Root!.Name.LocalName));
    }

    [Fact]
    public void AFilesEndingSaysWhatItIsAndSeveralPlotsAddTheirNames()
    {
        var one = MadeUpResults.Sweep(payloads: "8B,64B");
        var two = MadeUpResults.Sweep(payloads: "8B,64B", threads: "1,2");
        var path = Path.Combine(_directory.FullName, "out.svg");

        Assert.Equal([path], PlotFiles.Write(new BenchCharts(one, MadeUpResults.Of(one)).Charts(), path));
        Assert.Equal(
            ["out-latency-by-payload.svg", "out-throughput-by-threads.svg"],
            PlotFiles.Write(new BenchCharts(two, MadeUpResults.Of(two)).Charts(), path).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("adaptive", "64B", "1,2", "0;2 M;4 M;6 M;8 M;10 M")]
    [InlineData("adaptive", "8B,64B", "1", "100 ns;200 ns;500 ns;1.0 µs;2.0 µs")]
    public void TheAxisOfWhatWasMeasuredHasSeveralLabels(string policies, string payloads, string threads, string labels)
    {
        var sweep = MadeUpResults.Sweep(policies, payloads, threads);

        using var plot = ChartDrawing.Draw(new BenchCharts(sweep, MadeUpResults.Of(sweep)).Charts().Single());
        plot.RenderInMemory();

        var shown = plot.Axes.Left.TickGenerator.Ticks.Where(t => t.IsMajor).Select(t => t.Label).ToHashSet();
        Assert.All(labels.Split(';'), label => Assert.Contains(label, shown));
    }

    [Fact]
    public void ANumberThatALogarithmDoesNotHaveIsLeftOut()
    {
        var sweep = MadeUpResults.Sweep(payloads: "8B,64B", shift: "1s");
        var results = MadeUpResults.Of(sweep).Select(r => r with { LatencyNs = r.DirectIoLatencyNs, ThroughputPerSecond = 0, Intervals = [] }).ToList();

        Assert.NotEmpty(PlotFiles.Write(new BenchCharts(sweep, results).Charts(), _directory.FullName));
    }

    [Fact]
    public void ALogarithmicAxisOfLessThanADecadeHasLabelsNearItsValues()
    {
        var chart = new Chart
        {
            Name = "narrow", Title = "narrow", X = new ChartAxis("x", v => v.ToString(System.Globalization.CultureInfo.InvariantCulture)),
            Y = new ChartAxis("y", v => $"{v} ms", Logarithmic: true), Series = [new ChartSeries("y", [new ChartPoint(1, 2.6), new ChartPoint(2, 4.2)], 0)],
        };
        using var plot = ChartDrawing.Draw(chart);
        plot.GetSvgXml(1000, 600);
        string[] labels = [.. plot.Axes.Left.TickGenerator.Ticks.Where(t => t.IsMajor).Select(t => t.Label)];

        Assert.Contains("3 ms", labels);
        Assert.Contains("4 ms", labels);
        Assert.DoesNotContain("9 ms", labels);
    }
}
