using System.Globalization;

namespace Rcmp.Hosts.Bench;

/// <summary>Results as rows of a file that grows.</summary>
internal static class BenchCsv
{
    private static readonly (string Name, Func<BenchResult, object?> Of)[] Columns =
    [
        ("time", _ => DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)), ("policy", r => r.Policy), ("distribution", r => r.Distribution), ("theta", r => r.Theta),
        ("payload", r => r.Payload), ("threads", r => r.Threads), ("clients", r => r.Clients), ("op", r => r.Op), ("range", r => r.Range), ("operations", r => r.Operations),
        ("throughputPerSecond", r => r.ThroughputPerSecond), ("mean", r => r.LatencyNs.Mean), ("p50", r => r.LatencyNs.P50), ("p99", r => r.LatencyNs.P99), ("p999", r => r.LatencyNs.P999),
        ("p9999", r => r.LatencyNs.P9999), ("max", r => r.LatencyNs.Max), ("rackHits", r => r.RackHits), ("directIo", r => r.DirectIo), ("swaps", r => r.Swaps),
        ("rackHitMeanNs", r => r.RackHitMeanNs), ("plainCopyMeanNs", r => r.PlainCopyMeanNs), ("rate", r => r.Rate > 0 ? r.Rate : null),
        ("shiftSeconds", r => r.ShiftSeconds > 0 ? r.ShiftSeconds : null), ("node", r => r.Node),
    ];

    private static string Header => string.Join(',', Columns.Select(c => c.Name));

    /// <summary>Whether a row can be added: the file is new, or has the same columns.</summary>
    public static bool Fits(string path) => !File.Exists(path) || File.ReadLines(path).FirstOrDefault() is null or "" || File.ReadLines(path).First() == Header;

    /// <summary>Adds a row; a new file gets the names first.</summary>
    public static void Append(string path, BenchResult result)
    {
        if (!File.Exists(path) || new FileInfo(path).Length == 0) File.AppendAllText(path, Header + "\n");
        File.AppendAllText(path, string.Join(',', Columns.Select(c => Convert.ToString(c.Of(result), CultureInfo.InvariantCulture))) + "\n");
    }
}
