using Rcmp.Native;

namespace Rcmp.Tests.Fabric;

public sealed class ShimAbiTests
{
    [Fact]
    public void TheShimBesideTheAssemblyMatches() => ShimAbi.Verify();

    [Fact]
    public void AnyValueThatDiffersIsNamed()
    {
        var expected = ShimAbi.Expected();
        var echoed = expected.Select(item => item.Value).ToArray();
        Assert.Null(ShimAbi.Difference(expected, echoed));
        for (var i = 0; i < echoed.Length; i++)
        {
            var changed = (ulong[])echoed.Clone();
            changed[i] ^= 1;
            var difference = ShimAbi.Difference(expected, changed);
            Assert.NotNull(difference);
            Assert.Contains(expected[i].Name, difference);
        }
    }

    [Fact]
    public void AShimThatEchoesFewerValuesIsRefused() =>
        Assert.NotNull(ShimAbi.Difference(ShimAbi.Expected(), ShimAbi.Expected().Select(item => item.Value).SkipLast(1).ToArray()));
}
