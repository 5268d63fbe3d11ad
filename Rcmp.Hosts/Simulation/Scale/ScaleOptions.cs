using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>A pool without faults whose size is the question. Times of this kind are measured ones (docs/performance.md), so that decisions that depend on them are those of a real pool.</summary>
internal sealed record ScaleOptions
{
    private const int PagesPerRackMin = 64;

    /// <summary>Bytes of this process that a page, and a rack, cost at most; measured, with the garbage of growing tables.</summary>
    private const long BytesPerPage = 300;
    private const long BytesPerRack = 6 << 20;

    public int Racks { get; init; } = 4;

    /// <summary>Of all racks together.</summary>
    public long Pages { get; init; } = 100_000;

    /// <summary>Of each rack.</summary>
    public int Clients { get; init; } = 4;

    /// <summary>Pages that a rack uses most, anywhere in the pool, each rack its own; the first of them more than the last (Zipf 0.99).</summary>
    public int HotPages { get; init; } = 1000;

    /// <summary>Of each client.</summary>
    public int AccessesPerSecond { get; init; } = 2_500;

    /// <summary>From the clients' start; its first second is reported by itself.</summary>
    public double WarmupSeconds { get; init; } = 3;

    /// <summary>After the warm-up.</summary>
    public double Seconds { get; init; } = 1;

    public ulong Seed { get; init; } = 1;

    public SwapPolicy Policy { get; init; } = SwapPolicy.Adaptive;

    /// <summary>A control message from one process to another.</summary>
    public long MessageNs { get; init; } = 300_000;

    /// <summary>Of a core at each end of a message, besides what the state machine does with it.</summary>
    public long MessageCpuNs { get; init; } = 15_000;

    public long RemoteNs { get; init; } = 15_000;

    public long PullNs { get; init; } = 100_000;

    public long MemoryBytes => (Pages * BytesPerPage) + (Racks * BytesPerRack);

    /// <summary>On a machine like the one that this was measured on: a rack takes a twentieth of a second for each simulated one, more with its clients' accesses, and more among many, which find
    /// nothing in the processor's caches.</summary>
    public double ExpectedSeconds => 0.5 + (Pages * 1e-6) + ((WarmupSeconds + Seconds) * Racks * (0.05 + (1e-6 * Clients * AccessesPerSecond) + (Racks * 7e-5)));

    public void Validate()
    {
        if (Pages < (long)Racks * PagesPerRackMin) throw CommandException.Usage($"--pages: {Pages} is too few for {Racks} racks, each has {PagesPerRackMin} or more");
        if (HotPages > Pages) throw CommandException.Usage($"--hot: {HotPages} is more than the {Pages} pages of the pool (--pages)");
        if (Seconds <= 0) throw CommandException.Usage("--measured: it takes some time to measure");
        var free = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (MemoryBytes > free)
            throw CommandException.Missing($"{Racks} racks with {Pages} pages take {new ByteSize(MemoryBytes >> 20 << 20)} to simulate, this machine has {new ByteSize(free >> 20 << 20)}: fewer --pages");
    }
}
