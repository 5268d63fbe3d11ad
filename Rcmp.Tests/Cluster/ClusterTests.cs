namespace Rcmp.Tests.Cluster;

[Collection(ClusterCollection.Name)]
public sealed class ClusterTests
{
    [Fact]
    public async Task APageAllocatedInOneRackIsReadMovedAndFreedFromTheOther()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 2);
        await using var first = await cluster.ConnectAsync(0);
        await using var second = await cluster.ConnectAsync(1);
        Assert.NotEqual(first.Info.Rack, second.Info.Rack);

        var address = await first.AllocatePagesAsync(4);
        first.Write(address, 0x1122334455667788UL);
        Assert.Equal(0x1122334455667788UL, second.Read<ulong>(address));
        Assert.Equal(0x1122334455667788UL, second.FetchAdd(address, 1));
        Assert.Equal(0x1122334455667789UL, first.Read<ulong>(address));

        using (await second.PinAsync(address)) Assert.Equal(second.Info.Rack, (await second.LocateAsync(address)).Owner);
        Assert.Equal(0x1122334455667789UL, first.Read<ulong>(address));

        await second.FreePagesAsync(address, 4);
        await Assert.ThrowsAsync<PageNotFoundException>(async () => await first.FreePagesAsync(address, 1));
    }
}
