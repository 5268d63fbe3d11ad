using Rcmp.Cluster.Serialization;
using Rcmp.Hosts.Simulation.Scale;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Tests.Protocol;

// Bytes are told by what the heap loses: nobody else may fill it.
[CollectionDefinition(nameof(ScaleTests), DisableParallelization = true)]
[Collection(nameof(ScaleTests))]
public class ScaleTests
{
    private static readonly ScaleOptions Small = new() { Racks = 2, Pages = 2000, HotPages = 50, Clients = 2, AccessesPerSecond = 2500, WarmupSeconds = 1 };

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
    public void TheSameSeedGivesTheSamePool() => Assert.Equal(WithoutThisMachines(new ScaleWorld(Small).Run()), WithoutThisMachines(new ScaleWorld(Small).Run()));

    private static ScalePoint WithoutThisMachines(ScalePoint point) => point with
    {
        DirectoryBytesPerPage = 0,
        DaemonBytesPerPage = 0,
        DaemonBytesPerReference = 0,
        WallSeconds = 0,
        BusiestShardLoad = 0,
        BusiestRackLoad = 0,
        MasterLoad = 0,
        ShardHandlingNs = 0,
        RackHandlingNs = 0,
        MasterHandlingNs = 0,
        HeatSampleNs = 0,
    };

    [Fact]
    public void APageOfWhichTheDirectoryKnowsHasAPrice()
    {
        var point = new ScaleWorld(Small).Run();
        Assert.InRange(point.DirectoryBytesPerPage, 50, 10_000);
        Assert.InRange(point.RegionBytesPerPage, 64, 10_000);
        Assert.InRange(point.DaemonBytesPerPage, 20, 1_000);
        Assert.InRange(point.DaemonBytesPerReference, 20, 10_000);
        Assert.True(point.RebuildMessagesPerShard >= Small.Racks, $"{point}");
    }

    [Fact]
    public void EveryMessageOfTheDirectoryHasAKind()
    {
        // What is sent before and after the measured time would be in one of the two numbers.
        var point = new ScaleWorld(Small).Run();
        Assert.InRange(point.ResolveMessagesPerAccess + point.HeatMessagesPerAccess + point.MoveMessagesPerAccess, 0.98 * point.DirectoryMessagesPerAccess, point.DirectoryMessagesPerAccess + 1e-9);
        Assert.InRange(point.HeatMessagesPerAccess * point.Accesses, 1, 2 * 64 * 50 * 2);
    }

    [Fact]
    public void ClientsBringAccessesOfTheirOwn()
    {
        var (few, many) = (new ScaleWorld(Small).Run(), new ScaleWorld(Small with { Clients = 2 * Small.Clients }).Run());
        Assert.InRange((double)many.Accesses / few.Accesses, 1.8, 2.2);
    }

    [Fact]
    public void ARebuildTakesLongerIfMessagesCostMore()
    {
        var size = Small with { Racks = 8, WarmupSeconds = 0, Seconds = 0.1 };
        var (cheap, dear) = (new ScaleWorld(size).Run(), new ScaleWorld(size with { MessageCpuNs = 20 * size.MessageCpuNs }).Run());
        Assert.Equal(cheap.RebuildMessagesPerShard, dear.RebuildMessagesPerShard);
        // A rack answers every shard, one after the other.
        Assert.True(dear.RebuildSeconds > cheap.RebuildSeconds + (64 * 18 * size.MessageCpuNs / 1e9), $"{cheap.RebuildSeconds} {dear.RebuildSeconds}");
    }

    [Fact]
    public void WhoTakesOneMessageAtATimeLetsTheNextOneWait()
    {
        var server = new ScaleServer();
        Assert.Equal(110, server.Serve(100, 10));
        Assert.Equal(120, server.Serve(105, 10));
        Assert.Equal(510, server.Serve(500, 10));
        Assert.Equal(3, server.Messages);
        Assert.Equal(3 * 1000 / 1e6, server.Load(1000, 5, 0.001), 9);
    }

    [Fact]
    public void ReportsAreAsLongAsTheirEncoding()
    {
        var traffic = new ScaleTraffic();
        var bytes = 0L;
        foreach (var pages in new[] { 1, 10, 300 })
        {
            var values = Enumerable.Range(1, pages).Select(i => new PageHeatValue(new PageId((7UL << 40) + (ulong)i), 1.5 + i, 15_040));
            var report = new HeatReport(new ShardId(3), new RackIncarnation(new RackId(7), new Generation(1)), ValueList<PageHeatValue>.Of(values));
            traffic.CountDirectory(report);
            bytes += PoolSerializer.Encode(report).Length;
        }

        // Numbers are as long as they are large.
        Assert.InRange(traffic.HeatBytes, 0.9 * bytes, 1.1 * bytes);
    }

    [Fact]
    public void ATableKeepsItsOwnPagesAndAsManyOfOthersAsFit()
    {
        var store = new ScaleStore(8, 7, 4, new SuperblockState(new RackId(1), new Generation(1), 1, [], new Dictionary<ShardId, Term>()), 2);
        PageId Of(ushort rack, ulong sequence) => store.Geometry.MakePage(new RackId(rack), sequence);
        var at = Location.Resident(new FrameIndex(3), new Epoch(1));
        for (ulong i = 1; i <= 4; i++) Assert.True(store.TrySetLocation(Of(1, i), at));
        for (ulong i = 1; i <= 3; i++) Assert.True(store.TrySetLocation(Of(2, i), Location.Moving));
        Assert.False(store.TrySetLocation(Of(2, 4), Location.Moving));
        Assert.Equal(LocationKind.Resident, store.Access(Of(1, 4), 9));
        Assert.Equal(1u, store.ReadCounter(Of(1, 4)).Accesses);
        Assert.Equal(0u, store.ReadCounter(Of(1, 4)).RemoteTime);

        store.ReleaseEntry(Of(2, 1));
        Assert.Equal(LocationKind.Absent, store.Lookup(Of(2, 1)).Kind);
        Assert.Equal(LocationKind.Moving, store.Lookup(Of(2, 3)).Kind);
        Assert.True(store.TrySetLocation(Of(2, 4), at));
        Assert.False(store.TestAndClearReference(Of(2, 4)));
        store.Access(Of(2, 4), 9);
        Assert.True(store.TestAndClearReference(Of(2, 4)));
    }

    [Theory]
    [InlineData("pages")]
    [InlineData("racks")]
    [InlineData("clients")]
    [InlineData("hot")]
    public void OfASeriesOneNumberGrows(string name)
    {
        var sweep = ScaleSweep.Create(name, new ScaleOptions(), ScaleReach.Full);
        var point = new ScaleWorld(Small with { WarmupSeconds = 0, Seconds = 0.1 }).Run();
        List<ScalePoint> points = [.. sweep.Sizes.Select(s => point with { Racks = s.Racks, Pages = s.Pages, Clients = s.Clients, HotPages = s.HotPages })];
        Assert.Equal(points.Count, points.Select(sweep.Of).Distinct().Count());
        Assert.True(points.Count > ScaleSweep.Create(name, new ScaleOptions(), ScaleReach.Usual).Sizes.Count);
        var charts = new ScaleCharts(sweep, points).Charts();
        Assert.Equal(charts.Count, charts.Select(c => c.Name).Distinct().Count());
        foreach (var series in charts.SelectMany(c => c.Series)) Assert.Equal(points.Count, series.Points.Count);
    }
}
