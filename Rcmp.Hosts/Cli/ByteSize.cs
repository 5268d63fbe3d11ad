using System.Globalization;
using Rcmp.Cluster.Configuration;

namespace Rcmp.Hosts.Cli;

/// <summary>A size as users write it: <c>4KiB</c>, <c>1.5GiB</c>, or plain bytes.</summary>
internal readonly record struct ByteSize(long Bytes)
{
    private static readonly (string Suffix, int Shift)[] Units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

    public static ByteSize KiB(long count) => new(checked(count << 10));

    public static ByteSize MiB(long count) => new(checked(count << 20));

    public static ByteSize GiB(long count) => new(checked(count << 30));

    public static bool TryParse(string? text, out ByteSize size)
    {
        var ok = Quantity.TryParseSize(text ?? "", out var bytes);
        size = new ByteSize(bytes);
        return ok;
    }

    public static ByteSize Parse(string text) => TryParse(text, out var size) ? size : throw CommandException.Usage(Complaint(text));

    public static string Complaint(string? text) => $"'{text}' is not a size: write a number and KiB, MiB or GiB, such as 64MiB";

    /// <summary>The largest unit that divides it: parses back to the same value.</summary>
    public override string ToString()
    {
        foreach (var unit in Units)
        {
            if (Bytes != 0 && Bytes % (1L << unit.Shift) == 0) return $"{(Bytes >> unit.Shift).ToString(CultureInfo.InvariantCulture)}{unit.Suffix}";
        }
        return "0B";
    }

    /// <summary>Rounded, for people.</summary>
    public string ToShortString()
    {
        foreach (var unit in Units)
        {
            if (Bytes < 1L << unit.Shift || unit.Shift == 0) continue;
            return ((double)Bytes / (1L << unit.Shift)).ToString("0.#", CultureInfo.InvariantCulture) + " " + unit.Suffix;
        }
        return Bytes.ToString(CultureInfo.InvariantCulture) + " B";
    }
}
