using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Embedded;

/// <summary>A directory shard that dies at each step of a move: real regions and guards, the shard's memory gone.</summary>
public sealed class ShardKilledTests
{
    [Theory]
    [InlineData("Leave")]
    [InlineData("Pull")]
    [InlineData("Commit")]
    [InlineData("Release")]
    [InlineData("Settle")]
    [InlineData("Drop")]
    [InlineData("Reopen")]
    public async Task APageSurvivesTheDeathOfItsShard(string step)
    {
        var order = Enum.Parse<OrderKind>(step);
        await using var pools = await EmbeddedPools.StartAsync(new EmbeddedPoolOptions { Racks = 2, RegionSize = 32 << 20, Policy = SwapPolicy.DirectIo });
        var first = pools.Connect(0);
        var second = pools.Connect(1);
        var address = await first.AllocatePagesAsync(1);
        first.Write(address, 0x5EEDul);

        var killed = 0;
        pools.Cluster.ShardSending = (shard, message) =>
        {
            if (message is PageOrder page && page.Order == order && Interlocked.Increment(ref killed) == 1) pools.Cluster.ReplaceShard(shard);
        };
        // A move is given up when the receiver's answer is lost for longer than a step may take: the copy is complete, and must be dropped.
        if (order is OrderKind.Drop or OrderKind.Reopen)
            pools.Cluster.ShardHearing = (_, message) => message is not OrderAnswered { Order: OrderKind.Pull } || Volatile.Read(ref killed) > 0;
        await BringAsync(second, address);
        // The page is there before its move has ended.
        await Eventually.TrueAsync(() => Volatile.Read(ref killed) > 0, $"{order} to be sent");
        pools.Cluster.ShardSending = null;
        pools.Cluster.ShardHearing = null;

        Assert.Equal(0x5EEDul, first.Read<ulong>(address));
        second.Write(address, 0xBEEFul);
        // The page is not stuck: it goes back, with its last write, and can be freed.
        await BringAsync(first, address);
        Assert.Equal(0xBEEFul, second.Read<ulong>(address));
        await first.FreePagesAsync(address, 1);
        Assert.Throws<PageNotFoundException>(() => second.Read<ulong>(address));
    }

    private static Task BringAsync(IMemoryPool pool, GAddr address) => Eventually.TrueAsync(async () =>
    {
        try
        {
            (await pool.PinAsync(address)).Dispose();
            return true;
        }
        catch (PoolException e) when (e.IsTransient)
        {
            return false;
        }
    }, $"{address} to come to rack {pool.Info.Rack}");
}
