using System.Globalization;
using Rcmp.Cluster.Configuration;

namespace Rcmp.Hosts.Cli;

/// <summary>A duration as users write it: <c>250ms</c>, <c>10s</c>, <c>2m</c>.</summary>
internal readonly record struct Duration(TimeSpan Value)
{
    public static Duration Seconds(int count) => new(TimeSpan.FromSeconds(count));

    public static bool TryParse(string? text, out Duration duration)
    {
        var ok = Quantity.TryParseDuration(text ?? "", out var value);
        duration = new Duration(value);
        return ok;
    }

    public static string Complaint(string? text) => $"'{text}' is not a duration: write a number and ms, s, m or h, such as 10s";

    public override string ToString()
    {
        var ticks = Value.Ticks;
        var (suffix, unit) = ticks % TimeSpan.TicksPerMinute == 0 && ticks != 0 ? ("m", TimeSpan.TicksPerMinute)
            : ticks % TimeSpan.TicksPerSecond == 0 ? ("s", TimeSpan.TicksPerSecond)
            : ("ms", TimeSpan.TicksPerMillisecond);
        return ((decimal)ticks / unit).ToString("0.####", CultureInfo.InvariantCulture) + suffix;
    }
}
