namespace Rcmp.Hosts.Workloads;

/// <summary>What a client does to a range of pages. Goes to client processes as JSON.</summary>
internal sealed record WorkloadSpec
{
    public const string Read = "read";
    public const string Write = "write";
    public const string Mixed = "mixed";
    public const string CompareAndSwap = "cas";

    public static readonly string[] Operations = [Read, Write, Mixed, CompareAndSwap];

    /// <summary>The first page's address; the pages are consecutive.</summary>
    public required GAddr Address { get; init; }

    public required long Pages { get; init; }

    public int Payload { get; init; } = 64;

    public string Distribution { get; init; } = KeyDistribution.Zipf;

    public double Theta { get; init; } = 0.99;

    public string Operation { get; init; } = Read;

    /// <summary>Mixed: the share of writes.</summary>
    public double WriteShare { get; init; } = 0.5;

    public int Threads { get; init; } = 1;

    public ulong Seed { get; init; } = 1;

    /// <summary>Which pages are hot: another value, another hot set.</summary>
    public ulong HotSet { get; init; }

    /// <summary>How often other pages become hot; 0 never.</summary>
    public double ShiftSeconds { get; init; }

    /// <summary>Operations that each thread means to start a second; 0: each when the last one has ended.</summary>
    public double Rate { get; init; }

    /// <summary>Not measured.</summary>
    public double WarmupSeconds { get; init; }

    /// <summary>How long, if <see cref="Count"/> is 0.</summary>
    public double Seconds { get; init; }

    /// <summary>How many operations, all threads of this client together.</summary>
    public long Count { get; init; }

    /// <summary>How often progress is told; 0 never.</summary>
    public double ReportSeconds { get; init; }
}
