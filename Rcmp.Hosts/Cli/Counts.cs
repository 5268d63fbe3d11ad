using System.Globalization;

namespace Rcmp.Hosts.Cli;

/// <summary>Large numbers for people.</summary>
internal static class Counts
{
    public static string Short(double value) => value switch
    {
        >= 10e9 => (value / 1e9).ToString("0.0", CultureInfo.InvariantCulture) + " G",
        >= 10e6 => (value / 1e6).ToString("0.0", CultureInfo.InvariantCulture) + " M",
        >= 10e3 => (value / 1e3).ToString("0.0", CultureInfo.InvariantCulture) + " k",
        _ => value.ToString("0", CultureInfo.InvariantCulture),
    };
}

/// <summary>Nanoseconds for people.</summary>
internal static class Latency
{
    public static string Short(double nanoseconds) => nanoseconds switch
    {
        <= 0 => "-",
        >= 1e9 => (nanoseconds / 1e9).ToString("0.00", CultureInfo.InvariantCulture) + " s",
        >= 1e6 => (nanoseconds / 1e6).ToString("0.0", CultureInfo.InvariantCulture) + " ms",
        >= 1e3 => (nanoseconds / 1e3).ToString("0.0", CultureInfo.InvariantCulture) + " µs",
        _ => nanoseconds.ToString("0", CultureInfo.InvariantCulture) + " ns",
    };
}
