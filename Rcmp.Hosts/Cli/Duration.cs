using System.Globalization;

namespace Rcmp.Hosts.Cli;

/// <summary>A duration as users write it: <c>250ms</c>, <c>10s</c>, <c>2m</c>.</summary>
internal readonly record struct Duration(TimeSpan Value)
{
    // Longest suffix first: "ms" ends with "s" too.
    private static readonly (string Suffix, long Ticks)[] Units =
        [("ms", TimeSpan.TicksPerMillisecond), ("s", TimeSpan.TicksPerSecond), ("m", TimeSpan.TicksPerMinute)];

    private static readonly decimal TicksMax = TimeSpan.FromDays(365).Ticks;

    public static Duration Seconds(int count) => new(TimeSpan.FromSeconds(count));

    public static bool TryParse(string? text, out Duration duration)
    {
        duration = default;
        var span = text.AsSpan().Trim();
        foreach (var unit in Units)
        {
            if (!span.EndsWith(unit.Suffix, StringComparison.OrdinalIgnoreCase)) continue;
            var digits = span[..^unit.Suffix.Length].TrimEnd();
            if (!decimal.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return false;
            if (number > TicksMax / unit.Ticks) return false;
            duration = new Duration(new TimeSpan((long)(number * unit.Ticks)));
            return true;
        }
        return false;
    }

    public static string Complaint(string? text) => $"'{text}' is not a duration: write a number and ms, s or m, such as 10s";

    public override string ToString()
    {
        var ticks = Value.Ticks;
        var (suffix, unit) = ticks % TimeSpan.TicksPerMinute == 0 && ticks != 0 ? ("m", TimeSpan.TicksPerMinute)
            : ticks % TimeSpan.TicksPerSecond == 0 ? ("s", TimeSpan.TicksPerSecond)
            : ("ms", TimeSpan.TicksPerMillisecond);
        return ((decimal)ticks / unit).ToString("0.####", CultureInfo.InvariantCulture) + suffix;
    }
}
