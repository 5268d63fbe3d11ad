using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Rcmp;

/// <summary>A global address: page id, then offset in the page. 0 is null. Prints as <c>0x</c> and 16 hexadecimal digits.</summary>
/// <remarks>Addresses of one allocation are consecutive, wherever its pages are; arithmetic is on bytes and never wraps.</remarks>
public readonly record struct GAddr(ulong Value) : IComparable<GAddr>, ISpanParsable<GAddr>, ISpanFormattable, IUtf8SpanFormattable
{
    private const int TextLength = 18;

    /// <summary>The null address, which no allocation has.</summary>
    public static readonly GAddr Null;

    /// <summary>Whether this is the null address.</summary>
    public bool IsNull => Value == 0;

    /// <summary>The address <paramref name="bytes"/> further on.</summary>
    /// <exception cref="OverflowException">The result lies outside the address space.</exception>
    public static GAddr operator +(GAddr address, long bytes) =>
        new(bytes >= 0 ? checked(address.Value + (ulong)bytes) : checked(address.Value - unchecked((ulong)-bytes)));

    /// <summary>The address <paramref name="bytes"/> back.</summary>
    /// <exception cref="OverflowException">The result lies outside the address space.</exception>
    public static GAddr operator -(GAddr address, long bytes) =>
        new(bytes >= 0 ? checked(address.Value - (ulong)bytes) : checked(address.Value + unchecked((ulong)-bytes)));

    /// <summary>The distance in bytes from <paramref name="right"/> to <paramref name="left"/>.</summary>
    /// <exception cref="OverflowException">The distance does not fit 64 signed bits.</exception>
    public static long operator -(GAddr left, GAddr right) =>
        left.Value >= right.Value ? checked((long)(left.Value - right.Value)) : checked(-(long)(right.Value - left.Value));

    /// <summary>Whether <paramref name="left"/> lies before <paramref name="right"/>.</summary>
    public static bool operator <(GAddr left, GAddr right) => left.Value < right.Value;

    /// <summary>Whether <paramref name="left"/> lies behind <paramref name="right"/>.</summary>
    public static bool operator >(GAddr left, GAddr right) => left.Value > right.Value;

    /// <summary>Whether <paramref name="left"/> does not lie behind <paramref name="right"/>.</summary>
    public static bool operator <=(GAddr left, GAddr right) => left.Value <= right.Value;

    /// <summary>Whether <paramref name="left"/> does not lie before <paramref name="right"/>.</summary>
    public static bool operator >=(GAddr left, GAddr right) => left.Value >= right.Value;

    /// <inheritdoc/>
    public int CompareTo(GAddr other) => Value.CompareTo(other.Value);

    /// <summary>Reads an address: hexadecimal with <c>0x</c>, decimal without.</summary>
    /// <exception cref="FormatException">Not such a number, or more than 64 bits.</exception>
    public static GAddr Parse(ReadOnlySpan<char> s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out var result) ? result : throw new FormatException($"'{s}' is not an address: write 0x and hexadecimal digits.");

    /// <inheritdoc cref="Parse(ReadOnlySpan{char}, IFormatProvider?)"/>
    public static GAddr Parse(string s, IFormatProvider? provider = null)
    {
        ArgumentNullException.ThrowIfNull(s);
        return Parse(s.AsSpan(), provider);
    }

    /// <summary>Reads an address, as <see cref="Parse(ReadOnlySpan{char}, IFormatProvider?)"/> does, without an exception.</summary>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out GAddr result)
    {
        s = s.Trim();
        ulong value;
        var ok = s.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? ulong.TryParse(s[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value)
            : ulong.TryParse(s, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        result = new GAddr(value);
        return ok;
    }

    /// <inheritdoc cref="TryParse(ReadOnlySpan{char}, IFormatProvider?, out GAddr)"/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out GAddr result) =>
        TryParse(s.AsSpan(), provider, out result);

    /// <summary><c>0x</c> and 16 hexadecimal digits.</summary>
    public override string ToString() => string.Create(TextLength, this, static (span, address) => address.TryFormat(span, out _, default, null));

    /// <inheritdoc/>
    public string ToString(string? format, IFormatProvider? formatProvider) => ToString();

    /// <inheritdoc/>
    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        destination.TryWrite(CultureInfo.InvariantCulture, $"0x{Value:x16}", out charsWritten);

    /// <inheritdoc/>
    public bool TryFormat(Span<byte> utf8Destination, out int bytesWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        System.Text.Unicode.Utf8.TryWrite(utf8Destination, CultureInfo.InvariantCulture, $"0x{Value:x16}", out bytesWritten);
}
