using System.Globalization;

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
        size = default;
        var digits = text.AsSpan().Trim();
        var shift = 0;
        foreach (var unit in Units)
        {
            if (!digits.EndsWith(unit.Suffix, StringComparison.OrdinalIgnoreCase)) continue;
            digits = digits[..^unit.Suffix.Length].TrimEnd();
            shift = unit.Shift;
            break;
        }
        if (!decimal.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return false;
        if (number > long.MaxValue >> shift) return false;
        var bytes = number * (1L << shift);
        if (bytes != decimal.Truncate(bytes)) return false;
        size = new ByteSize((long)bytes);
        return true;
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
