namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>How far a series goes.</summary>
internal enum ScaleReach
{
    Quick,
    Usual,
    Full,
}

/// <summary>Sizes of which one number grows while the others stay.</summary>
/// <param name="Name">As the option has it.</param>
/// <param name="Growing">As a plot's axis has it.</param>
/// <param name="Of">The number that grows.</param>
/// <param name="Sizes">In order.</param>
internal sealed record ScaleSweep(string Name, string Growing, Func<ScalePoint, double> Of, IReadOnlyList<ScaleOptions> Sizes)
{
    private const string ByPages = "pages";
    private const string ByRacks = "racks";
    private const string ByClients = "clients";
    private const string ByHotPages = "hot";

    /// <summary>A pool that grows by racks grows by their pages: with fewer than these a rack's tables would be smaller than what its clients use.</summary>
    private const long PagesPerRack = 4096;

    /// <summary>And their clients are slower: a thousand of them would take too long to simulate.</summary>
    private const int SlowerBy = 10;

    /// <summary>A quick series is for tests and for a first look.</summary>
    private const int QuickSizes = 2;

    public static readonly string[] Names = [ByPages, ByRacks, ByClients, ByHotPages];

    public static ScaleSweep Create(string name, ScaleOptions size, ScaleReach reach) => name switch
    {
        ByPages => new(name, "pages of the pool", p => p.Pages, [.. Take([1_000, 10_000, 100_000, 1_000_000], [10_000_000], reach).Select(n => size with { Pages = n, HotPages = (int)long.Min(size.HotPages, n / 2) })]),
        ByRacks => new(name, $"racks, each with {PagesPerRack} pages", p => p.Racks, [.. Take([2, 4, 16, 64], [256, 1000], reach).Select(n => size with { Racks = (int)n, Pages = n * PagesPerRack, AccessesPerSecond = int.Max(1, size.AccessesPerSecond / SlowerBy) })]),
        ByClients => new(name, "clients of each rack", p => p.Clients, [.. Take([1, 4, 16, 64], [256], reach).Select(n => size with { Clients = (int)n })]),
        _ => new(name, "hot pages of each rack", p => p.HotPages, [.. Take([10, 100, 1_000, 10_000], [100_000], reach).Where(n => n <= size.Pages).Select(n => size with { HotPages = (int)n })]),
    };

    private static IEnumerable<long> Take(long[] usual, long[] large, ScaleReach reach) => reach switch
    {
        ScaleReach.Quick => usual.Take(QuickSizes),
        ScaleReach.Usual => usual,
        _ => [.. usual, .. large],
    };
}
