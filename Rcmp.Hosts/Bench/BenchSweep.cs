using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Bench;

/// <summary>Measurements that differ in policy, payload and threads: every combination.</summary>
/// <param name="Common">What they share.</param>
internal sealed record BenchSweep(BenchOptions Common)
{
    public IReadOnlyList<string> Policies { get; init; } = [Common.Policy];

    public IReadOnlyList<ByteSize> Payloads { get; init; } = [Common.Payload];

    public IReadOnlyList<int> Threads { get; init; } = [Common.Threads];

    /// <summary>By policy first: those of one share a cluster.</summary>
    public IReadOnlyList<BenchOptions> Points =>
    [
        .. from policy in Policies
           from payload in Payloads
           from threads in Threads
           select Common with { Policy = policy, Payload = payload, Threads = threads },
    ];

    public int Count => Policies.Count * Payloads.Count * Threads.Count;

    /// <summary>What varies, as a plot or a progress bar names it; all three if none does.</summary>
    public string NameOf(string policy, long payload, int threads) =>
        Name(Policies.Count > 1 || Count == 1 ? policy : null, Payloads.Count > 1 || Count == 1 ? payload : null, Threads.Count > 1 || Count == 1 ? threads : null);

    /// <summary>Those that are given, between commas.</summary>
    public static string Name(string? policy, long? payload, int? threads)
    {
        List<string> parts = [];
        if (policy is not null) parts.Add(policy);
        if (payload is { } bytes) parts.Add(new ByteSize(bytes).ToString());
        if (threads is { } count) parts.Add(count == 1 ? "1 thread" : $"{count} threads");
        return string.Join(", ", parts);
    }

    /// <summary>Before anything is touched.</summary>
    public void Validate()
    {
        foreach (var point in Points) point.Validate();
        if (Common.PlotPath is not null && Count == 1 && !Common.HasShift)
            throw CommandException.Usage("--plot: one measurement makes no plot; give several values of --payload, --threads or --policy, or --shift");
    }
}
