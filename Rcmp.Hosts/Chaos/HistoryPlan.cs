using System.Diagnostics;

namespace Rcmp.Hosts.Chaos;

/// <summary>Words that all clients read, write, swap, compare and add to. They are used for a window of time, then others are: so a history is never longer than its window,
/// an operation of unknown outcome spoils no later one, however late it takes effect, and a run of hours needs no more memory than a short one.</summary>
/// <param name="Areas">Pages, as many in each rack.</param>
/// <param name="PageSize">Of the pool.</param>
/// <param name="PagesPerArea">Pages of an area.</param>
/// <param name="Windows">For so many the words suffice; then nothing is recorded any more.</param>
/// <param name="Clients">How many take part.</param>
/// <param name="Origin">When the first window begins, by <see cref="Stopwatch"/>.</param>
/// <param name="Directory">Of the recorded histories.</param>
internal sealed record HistoryPlan(IReadOnlyList<GAddr> Areas, int PageSize, int PagesPerArea, int Windows, int Clients, long Origin, string Directory)
{
    /// <summary>Words of a window.</summary>
    public const int Words = 8;

    public static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    /// <summary>A file is named by its window, its client and how often that was started before.</summary>
    private const string FilePrefix = "history-";

    private static readonly long WindowTicks = (long)(Window.TotalSeconds * Stopwatch.Frequency);

    public static int WindowsFor(TimeSpan time) => (int)Math.Ceiling(time / Window) + 1;

    public static int PagesPerAreaFor(int windows, int areas, int pageSize) => (windows * Words + areas * (pageSize / sizeof(ulong)) - 1) / (areas * (pageSize / sizeof(ulong)));

    public long WindowNow() => (Stopwatch.GetTimestamp() - Origin) / WindowTicks;

    /// <summary>No two windows share a word, and neighbours lie in different racks' pages.</summary>
    public GAddr Word(long window, int word)
    {
        var number = window * Words + word;
        var inArea = number / Areas.Count;
        return Areas[(int)(number % Areas.Count)] + (inArea % PagesPerArea * PageSize + inArea / PagesPerArea * sizeof(ulong));
    }

    /// <summary>Whoever uses it most: pages move to where they are used.</summary>
    public bool IsFavourite(long window, int word, int client) => (window + word) % Clients == client;

    public string File(long window, int client, int start) => Path.Combine(Directory, FormattableString.Invariant($"{FilePrefix}{window}-{client}-{start}.txt"));

    public string[] FilesOf(long window) => System.IO.Directory.GetFiles(Directory, FormattableString.Invariant($"{FilePrefix}{window}-*"));
}
