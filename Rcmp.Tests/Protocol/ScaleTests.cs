using Rcmp.Hosts.Simulation.Scale;

namespace Rcmp.Tests.Protocol;

public class ScaleTests
{
    private static readonly ScaleOptions Small = new() { Racks = 2, Pages = 2000, HotPages = 50, AccessesPerSecond = 5000 };

    [Fact]
    public void HotPagesComeToTheRackThatUsesThem()
    {
        var moving = new ScaleWorld(Small).Run();
        var staying = new ScaleWorld(Small with { Policy = SwapPolicy.DirectIo }).Run();
        Assert.Equal(0, staying.MovesPerSecond);
        Assert.InRange(staying.RackHitShare, 0.3, 0.7);
        Assert.True(moving.RackHitShare > staying.RackHitShare + 0.1, $"{moving} {staying}");
    }

    [Fact]
    public void TheSameSeedGivesTheSamePool()
    {
        var (first, second) = (new ScaleWorld(Small).Run(), new ScaleWorld(Small).Run());
        // Memory and time are this machine's.
        Assert.Equal(first with { DirectoryBytesPerPage = 0, WallSeconds = 0 }, second with { DirectoryBytesPerPage = 0, WallSeconds = 0 });
    }

    [Fact]
    public void APageOfWhichTheDirectoryKnowsHasAPrice()
    {
        var point = new ScaleWorld(Small).Run();
        Assert.InRange(point.DirectoryBytesPerPage, 50, 10_000);
        Assert.InRange(point.RegionBytesPerPage, 64, 10_000);
        Assert.True(point.RebuildMessagesPerShard >= Small.Racks, $"{point}");
    }
}
