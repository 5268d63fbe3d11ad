using System.Globalization;

namespace Rcmp.Cluster.Configuration;

/// <summary>Sizes (<c>4KiB</c>, <c>1GiB</c>, plain bytes) and durations (<c>50us</c>, <c>200ms</c>, <c>5s</c>, <c>1m</c>) as users write them.</summary>
internal static class Quantity
{
    private static readonly (string Suffix, long Factor)[] SizeUnits =
        [("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40), ("K", 1L << 10), ("M", 1L << 20), ("G", 1L << 30), ("B", 1)];

    // Longest suffix first where one ends another: "ms" before "s".
    private static readonly (string Suffix, double Nanoseconds)[] TimeUnits =
        [("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

    public static bool TryParseSize(string text, out long bytes)
    {
        text = text.Trim();
        var factor = 1L;
        foreach (var unit in SizeUnits)
            if (text.EndsWith(unit.Suffix, StringComparison.OrdinalIgnoreCase))
            {
                factor = unit.Factor;
                text = text[..^unit.Suffix.Length].TrimEnd();
                break;
            }
        bytes = 0;
        if (!decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return false;
        // Divide the limit instead of multiplying the number: decimal throws where it overflows.
        if (number > (decimal)long.MaxValue / factor) return false;
        var product = number * factor;
        if (product != decimal.Truncate(product)) return false;
        bytes = (long)product;
        return true;
    }

    public static bool TryParseDuration(string text, out TimeSpan duration)
    {
        text = text.Trim();
        duration = default;
        if (text == "0") return true;
        foreach (var unit in TimeUnits)
        {
            if (!text.EndsWith(unit.Suffix, StringComparison.Ordinal)) continue;
            var digits = text[..^unit.Suffix.Length].TrimEnd();
            if (!double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) continue;
            var ticks = number * unit.Nanoseconds / TimeSpan.NanosecondsPerTick;
            if (ticks >= long.MaxValue) return false;
            duration = TimeSpan.FromTicks((long)Math.Round(ticks));
            return true;
        }
        return false;
    }

    public static string FormatSize(long bytes)
    {
        foreach (var (suffix, factor) in SizeUnits.Take(4).Reverse())
            if (bytes >= factor && bytes % factor == 0)
                return string.Create(CultureInfo.InvariantCulture, $"{bytes / factor}{suffix}");
        return bytes.ToString(CultureInfo.InvariantCulture);
    }

    public static string FormatDuration(TimeSpan duration)
    {
        var ns = duration.TotalNanoseconds;
        var (suffix, unit) = ns switch
        {
            >= 1e9 => ("s", 1e9),
            >= 1e6 => ("ms", 1e6),
            >= 1e3 => ("us", 1e3),
            _ => ("ns", 1.0),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{ns / unit:0.###}{suffix}");
    }
}
