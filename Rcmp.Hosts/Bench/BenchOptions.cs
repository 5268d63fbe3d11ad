using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Bench;

/// <summary>What <c>bench rw</c> measures.</summary>
internal sealed record BenchOptions
{
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

    public string? CsvPath { get; init; }

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
        Check(CsvPath is null || Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(CsvPath))), $"--csv: the directory of '{CsvPath}' does not exist");
    }

    private static void Check(bool ok, string complaint)
    {
        if (!ok) throw CommandException.Usage(complaint);
    }
}
