using System.Globalization;

namespace Rcmp.Hosts.Shell;

/// <summary>A line that cannot be carried out as it stands.</summary>
internal sealed class ShellUsageException(string message) : Exception(message);

/// <summary>The words behind a shell command.</summary>
internal readonly struct ShellArguments(string[] words)
{
    public bool Has(int index) => index < words.Length;

    public GAddr Address(int index) => GAddr.TryParse(words[index], null, out var address)
        ? address
        : throw new ShellUsageException($"'{words[index]}' is not an address: write 0x and hexadecimal digits");

    public long Count(int index, long max) =>
        long.TryParse(words[index], NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count >= 1 && count <= max
            ? count
            : throw new ShellUsageException($"'{words[index]}' is not a whole number from 1 to {max}");

    /// <summary>A word of 8 bytes: decimal, negative in two's complement, or hexadecimal with 0x.</summary>
    public ulong Word(int index)
    {
        var text = words[index];
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            && ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var hex)) return hex;
        if (ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var positive)) return positive;
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var signed)) return unchecked((ulong)signed);
        throw new ShellUsageException($"'{text}' is not an integer of 64 bits");
    }

    public byte[] Bytes(int index)
    {
        var text = words[index].AsSpan();
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)) text = text[2..];
        try
        {
            if (text.Length > 0) return Convert.FromHexString(text);
        }
        catch (FormatException)
        {
            // Falls through to the one complaint about this argument.
        }
        throw new ShellUsageException($"'{words[index]}' is not hexadecimal bytes: write two digits per byte, such as 00ff10");
    }
}
