using CsCheck;

namespace Rcmp.Tests.DataPath;

public sealed class AddressTests
{
    [Fact]
    public void AnAddressIsReadBackAsItPrints() => Gen.ULong.Sample(static value =>
    {
        var address = new GAddr(value);
        return address.ToString().Length == 18 && GAddr.Parse(address.ToString()) == address && $"{address}" == address.ToString()
            && GAddr.Parse(value.ToString(System.Globalization.CultureInfo.InvariantCulture)) == address;
    });

    [Theory]
    [InlineData("")]
    [InlineData("0x")]
    [InlineData("zebra")]
    [InlineData("-1")]
    [InlineData("0x10000000000000000")]
    [InlineData("18446744073709551616")]
    [InlineData("1.5")]
    [InlineData("0x-1")]
    public void OtherTextIsNoAddress(string text)
    {
        Assert.False(GAddr.TryParse(text, null, out _));
        Assert.Throws<FormatException>(() => GAddr.Parse(text));
    }

    [Theory]
    [InlineData("0x00000000000000ff", 255UL)]
    [InlineData("0XFF", 255UL)]
    [InlineData("  255 ", 255UL)]
    public void HexadecimalHasAPrefixAndDecimalNone(string text, ulong value) => Assert.Equal(value, GAddr.Parse(text).Value);

    [Fact]
    public void ArithmeticIsOnBytesAndNeverWraps()
    {
        var address = new GAddr(0x1000);
        Assert.Equal(new GAddr(0x1008), address + 8);
        Assert.Equal(new GAddr(0xFF8), address + -8);
        Assert.Equal(new GAddr(0xFF8), address - 8);
        Assert.Equal(-8, address - (address + 8));
        Assert.True(address < address + 1 && address + 1 > address && address <= new GAddr(0x1000) && address >= new GAddr(0x1000));
        Assert.Throws<OverflowException>(() => new GAddr(ulong.MaxValue) + 1);
        Assert.Throws<OverflowException>(() => address - 0x1001);
        Assert.Throws<OverflowException>(() => address + long.MinValue);
        Assert.Throws<OverflowException>(() => new GAddr(ulong.MaxValue) - GAddr.Null);
    }

    [Fact]
    public void ItPrintsIntoSpansWithoutAString()
    {
        Span<char> text = stackalloc char[18];
        Assert.True(new GAddr(1).TryFormat(text, out var written, default, null));
        Assert.Equal(18, written);
        Assert.False(new GAddr(1).TryFormat(text[..17], out _, default, null));
        Span<byte> utf8 = stackalloc byte[18];
        Assert.True(new GAddr(0xAB).TryFormat(utf8, out _, default, null));
        Assert.Equal("0x00000000000000ab", System.Text.Encoding.UTF8.GetString(utf8));
    }

    [Fact]
    public void PageSizesDivideAnAddress() => Gen.Select(Gen.Int[12, 21], Gen.Int[1, RackId.Max], Gen.ULong, Gen.Int[0, (2 << 20) - 1]).Sample(
        static (shift, region, sequence, offset) =>
        {
            var geometry = new PageGeometry(1 << shift);
            var page = geometry.MakePage(new RackId((ushort)region), sequence);
            var address = geometry.AddressOf(page, offset & (geometry.PageSize - 1));
            return geometry.PageOf(address) == page && geometry.OffsetOf(address) == (offset & (geometry.PageSize - 1))
                && geometry.BirthRackOf(page).Value == region && geometry.SequenceOf(page) == (sequence & geometry.SequenceMax);
        });
}
