using Rcmp.Hosts.Chaos;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Clients;

/// <summary>What a client process is asked to do: one JSON object per line on its standard input.</summary>
internal sealed record ClientRequest
{
    public const string Allocate = "allocate";
    public const string Free = "free";
    public const string Fill = "fill";
    public const string Store = "store";
    public const string Verify = "verify";
    public const string Run = "run";
    public const string Baseline = "baseline";
    public const string Chaos = "chaos";

    public required string Kind { get; init; }

    public long Pages { get; init; }

    public GAddr Address { get; init; }

    public IReadOnlyList<StoredFile> Files { get; init; } = [];

    public WorkloadSpec? Workload { get; init; }

    public ChaosAssignment? Assignment { get; init; }
}

/// <summary>What it answers, one JSON object per line on its standard output: any number of <see cref="Progress"/>, then <see cref="Done"/> or <see cref="Failed"/>.</summary>
internal sealed record ClientReply
{
    public const string Ready = "ready";
    public const string Progress = "progress";
    public const string Done = "done";
    public const string Failed = "failed";

    public required string Kind { get; init; }

    public int Rack { get; init; }

    public int PageSize { get; init; }

    public GAddr Address { get; init; }

    public IReadOnlyList<StoredFile> Files { get; init; } = [];

    public long Bytes { get; init; }

    public IReadOnlyList<string> Mismatches { get; init; } = [];

    public WorkloadReport? Report { get; init; }

    public double RackHitMeanNs { get; init; }

    public double PlainCopyMeanNs { get; init; }

    public string? Error { get; init; }

    public int ExitCode { get; init; }
}

/// <summary>A file in the pool.</summary>
/// <param name="Path">Where it came from.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Address">Where it lies, once stored.</param>
/// <param name="Sha256">Of the bytes that were read from disk, in hexadecimal.</param>
internal sealed record StoredFile(string Path, long Length, GAddr Address, string Sha256);
