using Rcmp.Hosts.Bench.Plots;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Bench;

/// <summary>What <c>bench rw</c> measures.</summary>
internal sealed record BenchOptions
{
    private const int IntervalsPerShift = 10;
    private const double ShortestInterval = 0.1;
    private static readonly Duration ShiftMin = new(TimeSpan.FromMilliseconds(200));

    /// <summary>A client's configuration of a running cluster; null brings one.</summary>
    public string? Configuration { get; init; }

    public int Racks { get; init; } = 2;

    public int Clients { get; init; } = 1;

    public int Threads { get; init; } = 1;

    public ByteSize Payload { get; init; } = new(64);

    public string Distribution { get; init; } = KeyDistribution.Zipf;

    public double Theta { get; init; } = 0.99;

    public ByteSize Range { get; init; } = ByteSize.MiB(64);

    /// <summary>0: by duration.</summary>
    public long Operations { get; init; }

    public Duration Duration { get; init; } = Duration.Seconds(5);

    public Duration Warmup { get; init; } = Duration.Seconds(1);

    public string Operation { get; init; } = WorkloadSpec.Read;

    public double WriteShare { get; init; } = 0.5;

    public string Policy { get; init; } = "adaptive";

    public int BornIn { get; init; }

    public int RunIn { get; init; }

    public bool Baseline { get; init; }

    /// <summary>The hot set moves.</summary>
    public bool HasShift { get; init; }

    /// <summary>How often.</summary>
    public Duration Shift { get; init; }

    /// <summary>Operations that each thread starts a second; 0: as many as it can.</summary>
    public double Rate { get; init; }

    /// <summary>How many such commands begin together.</summary>
    public int Nodes { get; init; } = 1;

    /// <summary>Which of them this is, from 0.</summary>
    public int Node { get; init; }

    /// <summary>How long the other nodes are waited for.</summary>
    public Duration Wait { get; init; } = Duration.Seconds(60);

    /// <summary>A directory, or a file whose ending says what it is.</summary>
    public string? PlotPath { get; init; }

    public string? CsvPath { get; init; }

    /// <summary>The measured time that there are reports of, when the hot set moves; else 0.</summary>
    public double IntervalSeconds => HasShift ? Math.Clamp(Shift.Value.TotalSeconds / IntervalsPerShift, ShortestInterval, 1) : 0;

    /// <summary>Before anything is touched.</summary>
    public void Validate()
    {
        Check(Payload.Bytes is >= 1 and <= 64 << 20, $"--payload: {Payload} is not from 1B to 64MiB");
        Check(Operation != WorkloadSpec.CompareAndSwap || Payload.Bytes == sizeof(ulong), $"--payload: --op cas works on words of 8 bytes, not {Payload}");
        Check(Range.Bytes >= Math.Max(Payload.Bytes, 4096), $"--range: {Range} is smaller than one payload of {Payload}, or than 4KiB");
        Check(BornIn < Racks, $"--born-in: there is no rack {BornIn}, the racks are 0 to {Racks - 1}");
        Check(RunIn < Racks, $"--run-in: there is no rack {RunIn}, the racks are 0 to {Racks - 1}");
        Check(Operations > 0 || Duration.Value > TimeSpan.Zero, "--duration: must be above 0");
        Check(!Baseline || BornIn == RunIn, "--baseline: a rack hit needs pages of the own rack: give --born-in and --run-in the same rack");
        Check(!Baseline || Payload.Bytes <= 4096, "--baseline: the payload must fit a page of 4KiB");
        Check(!HasShift || Distribution == KeyDistribution.Zipf, $"--shift: {Distribution} has no hot set to move; give --distribution zipf");
        Check(!HasShift || Operations == 0, "--shift needs --duration, not --operations");
        Check(!HasShift || Shift.Value >= ShiftMin.Value, $"--shift: {Shift} is too short, the minimum is {ShiftMin}");
        Check(!HasShift || Shift.Value < Duration.Value, $"--shift: the hot set would never move, since --duration is {Duration}");
        Check(!HasShift || !Baseline, "--baseline and --shift cannot be given together");
        Check(Nodes == 1 || Configuration is not null, "--nodes needs --config: a client's configuration of a pool that all of them use");
        Check(Node < Nodes, $"--node: there is no node {Node}, the nodes are 0 to {Nodes - 1}");
        Check(Wait.Value > TimeSpan.Zero, "--wait: must be above 0");
        Check(Nodes == 1 || !Baseline, "--baseline and --nodes cannot be given together");
        Check(PlotPath is not "", "--plot: the path is empty");
        Check(PlotPath is null || Directory.Exists(PlotPath) || Directory.Exists(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(PlotPath)))),
            $"--plot: the directory that '{PlotPath}' is to be in does not exist");
        Check(PlotPath is null || PlotFiles.NamesAFile(PlotPath) || !File.Exists(PlotPath), $"--plot: {PlotPath} is a file; give a directory, or a file that ends in .png or .svg");
        Check(CsvPath is null || Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(CsvPath))), $"--csv: the directory of '{CsvPath}' does not exist");
        Check(CsvPath is null || BenchCsv.Fits(CsvPath), $"--csv: {CsvPath} has other columns; give another file");
    }

    private static void Check(bool ok, string complaint)
    {
        if (!ok) throw CommandException.Usage(complaint);
    }
}
