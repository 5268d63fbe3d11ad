using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Protocol;

/// <summary>What a rack tells the directory of a page's heat, and the word that it sends every shard.</summary>
public class RackHeatTests
{
    /// <summary>Of the owner's own accesses.</summary>
    [Theory]
    [InlineData(SwapPolicy.Watermark, 1)]
    [InlineData(SwapPolicy.Swap, 1)]
    [InlineData(SwapPolicy.Adaptive, 5)]
    [InlineData(SwapPolicy.DirectIo, 5)]
    [InlineData(SwapPolicy.RdmaOnly, 5)]
    public void HeatIsReportedFromSoManyAccessesOn(SwapPolicy policy, int accesses)
    {
        var rig = new RackRig(policy: policy);
        var page = SharedPage(rig);
        for (var i = 1; i < accesses; i++) rig.Store.Touch(page, 0);
        rig.Give(new SampleHeat());
        Assert.Empty(rig.Sent.OfType<HeatReport>());
        rig.Store.Touch(page, 0);
        rig.Give(new SampleHeat());
        var report = Assert.Single(Assert.Single(rig.Sent.OfType<HeatReport>()).Pages);
        Assert.Equal((page, accesses), (report.Page, (int)report.Heat));
    }

    /// <summary>In units of 64 ns; only where it decides does it matter when it is told.</summary>
    [Theory]
    [InlineData(SwapPolicy.Watermark, 1, true)]
    [InlineData(SwapPolicy.Adaptive, 1600, true)]
    [InlineData(SwapPolicy.Adaptive, 1500, false)]
    [InlineData(SwapPolicy.DirectIo, 1 << 20, false)]
    [InlineData(SwapPolicy.RdmaOnly, 1 << 20, false)]
    public void TimeOfRemoteAccessIsReportedWhereItDecides(SwapPolicy policy, int time, bool isReported)
    {
        var rig = new RackRig(policy: policy);
        rig.Store.Touch(SharedPage(rig), (uint)time);
        rig.Give(new SampleHeat());
        Assert.Equal(isReported, rig.Sent.OfType<HeatReport>().Any());
    }

    [Fact]
    public void ARackGreetsEveryShardOnceSomeTimeAfterItWasRegistered()
    {
        var rig = new RackRig();
        rig.Advance(9_900_000_000);
        Assert.Empty(rig.Sent.OfType<RowsPending>());
        rig.Advance(200_000_000);
        var greeting = Assert.Single(rig.Sent.OfType<RowsPending>());
        Assert.Equal((RackRig.Shard, RackRig.Self, 0), (greeting.Shard, greeting.Rack, greeting.Rows.Count));
        rig.Advance(60_000_000_000);
        Assert.Single(rig.Sent.OfType<RowsPending>());
    }

    [Fact]
    public void APageThatHasCooledDownIsReportedAsWithoutHeatOnce()
    {
        var rig = new RackRig();
        var page = SharedPage(rig);
        for (var i = 0; i < 8; i++) rig.Store.Touch(page, 0);
        rig.Give(new SampleHeat());
        for (var second = 0; second < 10; second++)
        {
            rig.NowNs += 1_000_000_000;
            rig.Give(new SampleHeat());
        }

        Assert.Equal(0, Assert.Single(rig.Sent.OfType<HeatReport>().SelectMany(r => r.Pages), p => p.Heat < 0.5).Heat);
    }

    private static PageId SharedPage(RackRig rig)
    {
        var page = rig.Allocate();
        rig.AcceptHolder();
        rig.Resolve(page);
        return page;
    }
}
