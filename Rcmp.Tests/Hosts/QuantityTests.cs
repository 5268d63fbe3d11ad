using Rcmp.Hosts.Cli;

namespace Rcmp.Tests.Hosts;

public sealed class QuantityTests
{
    [Theory]
    [InlineData("4KiB", 4096)]
    [InlineData("64MiB", 64L << 20)]
    [InlineData("1GiB", 1L << 30)]
    [InlineData("1.5KiB", 1536)]
    [InlineData("0", 0)]
    [InlineData("123", 123)]
    [InlineData(" 2 MiB ", 2L << 20)]
    [InlineData("2mib", 2L << 20)]
    public void ASizeIsReadWithItsUnit(string text, long bytes)
    {
        Assert.True(ByteSize.TryParse(text, out var size));
        Assert.Equal(bytes, size.Bytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("MiB")]
    [InlineData("-4KiB")]
    [InlineData("4XiB")]
    [InlineData("0.3KiB")]
    [InlineData("9999999999GiB")]
    [InlineData("1e3")]
    [InlineData(null)]
    public void WhatIsNoSizeIsRefused(string? text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData(4096, "4KiB")]
    [InlineData(1536, "1536B")]
    [InlineData(0, "0B")]
    [InlineData(3L << 30, "3GiB")]
    public void ASizePrintsInTheLargestUnitThatDividesIt(long bytes, string text)
    {
        Assert.Equal(text, new ByteSize(bytes).ToString());
        Assert.True(ByteSize.TryParse(text, out var back));
        Assert.Equal(bytes, back.Bytes);
    }

    [Theory]
    [InlineData("250ms", 250)]
    [InlineData("10s", 10_000)]
    [InlineData("2m", 120_000)]
    [InlineData("1.5s", 1500)]
    public void ADurationIsReadWithItsUnit(string text, int milliseconds)
    {
        Assert.True(Duration.TryParse(text, out var duration));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), duration.Value);
        Assert.True(Duration.TryParse(duration.ToString(), out var back));
        Assert.Equal(duration, back);
    }

    [Theory]
    [InlineData("10")]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("-1s")]
    [InlineData("1d")]
    public void WhatIsNoDurationIsRefused(string text) => Assert.False(Duration.TryParse(text, out _));
}
