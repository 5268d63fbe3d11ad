using Rcmp.Protocol;

namespace Rcmp.Tests.Protocol;

public class PolicyTests
{
    private static readonly DirectoryOptions Options = new() { Geometry = new PageGeometry(4096), MinResidenceNs = 1000, Watermark = 3 };

    private static readonly SwapFigures Hot = new(new RackId(1), new RackId(2), 0, 10, 5000, 4000, 2000, false);

    [Fact]
    public void AdaptiveMovesWhenTheTimeSpentExceedsTheCost()
    {
        Assert.True(SwapPolicies.Decide(SwapPolicy.Adaptive, Hot, Options).Move);
        Assert.False(SwapPolicies.Decide(SwapPolicy.Adaptive, Hot with { RemoteTimeNs = 4000 }, Options).Move);
    }

    [Fact]
    public void WatermarkMovesAboveItsHeat()
    {
        Assert.True(SwapPolicies.Decide(SwapPolicy.Watermark, Hot with { ReaderHeat = 3.1 }, Options).Move);
        Assert.False(SwapPolicies.Decide(SwapPolicy.Watermark, Hot with { ReaderHeat = 3 }, Options).Move);
    }

    [Theory]
    [InlineData(SwapPolicy.Adaptive)]
    [InlineData(SwapPolicy.Watermark)]
    public void NoPageMovesTowardsLessHeatThanItsOwnerHas(SwapPolicy policy)
    {
        Assert.False(SwapPolicies.Decide(policy, Hot with { OwnerHeat = 10 }, Options).Move);
        Assert.False(SwapPolicies.Decide(policy, Hot with { OwnerHeat = 11 }, Options).Move);
        Assert.False(SwapPolicies.Decide(policy, Hot with { OwnerHeat = null }, Options).Move);
    }

    [Theory]
    [InlineData(SwapPolicy.Adaptive)]
    [InlineData(SwapPolicy.Watermark)]
    public void APageThatHasJustMovedStays(SwapPolicy policy) =>
        Assert.False(SwapPolicies.Decide(policy, Hot with { ResidentNs = 999 }, Options).Move);

    [Fact]
    public void TheOtherPoliciesDoWhatTheirNamesSay()
    {
        Assert.False(SwapPolicies.Decide(SwapPolicy.DirectIo, Hot, Options).Move);
        Assert.False(SwapPolicies.Decide(SwapPolicy.RdmaOnly, Hot, Options).Move);
        Assert.False(SwapPolicies.Decide(SwapPolicy.Swap, Hot, Options).Move);
        Assert.True(SwapPolicies.Decide(SwapPolicy.Swap, Hot with { FirstTouch = true, ResidentNs = 0 }, Options).Move);
    }

    [Fact]
    public void ADecisionNamesItsFigures()
    {
        var text = SwapPolicies.Decide(SwapPolicy.Adaptive, Hot, Options).ToString();
        Assert.Equal(
            "move to rack 2: the time spent on remote access exceeds the cost of a move (rack 2 heat 10, rack 1 heat 0, remote time 5 µs, "
            + "a move costs 4 µs, here for 0 ms)",
            text);
    }

    [Fact]
    public void HeatHalvesEveryHalfLife()
    {
        Assert.Equal(5, HeatDecay.Next(10, 1000, 1000, 0));
        Assert.Equal(2.5 + 7, HeatDecay.Next(10, 2000, 1000, 7));
        Assert.Equal(10, HeatDecay.Next(10, -5, 1000, 0));
    }
}
