using System.Globalization;
using Rcmp.Hosts.Local;
using Rcmp.Tests.Workers;

namespace Rcmp.Tests.Processes;

/// <summary>All operations from both racks on the same pages, while the pages move back and forth.</summary>
public sealed class MovingPagesTests(ITestOutputHelper output)
{
    private const int Pages = 4;
    private const int Increments = 20_000;
    private const int MovesMin = 30;
    private const int TimesMax = 20;

    [Fact]
    public async Task CountersOfFourClientsSumExactlyAndStampsNeverGoBack()
    {
        // A page that has moved is used from afar, also under the policy swap, which moves it at a first touch: what moves it again and again is that both racks want it.
        // More threads than processors are in the middle of a write at any time: a mover waits until they have their turn, and does not rest long when they have not.
        await using var pool = await ProcessPool.StartAsync(2, ("rcmp.swap.policy", "swap"), ("rcmp.guard.budget", "20ms"), ("rcmp.guard.backoff", "1ms"));
        await using var monitor = PoolMonitor.Of(pool.Cluster);
        var clients = new[] { await pool.StartClientAsync(0), await pool.StartClientAsync(1), await pool.StartClientAsync(0), await pool.StartClientAsync(1) };
        var counters = await clients[0].AllocateAsync(1);
        var stamps = await clients[0].AllocateAsync(Pages);

        await clients[0].SayAsync($"{WorkerProtocol.Start} stamps stamp {stamps} {Pages}");
        await clients[1].SayAsync($"{WorkerProtocol.Start} watch watch {stamps} {Pages}");
        await clients[2].SayAsync($"{WorkerProtocol.Start} watch watch {stamps} {Pages}");
        foreach (var client in clients[2..])
        {
            await client.SayAsync($"{WorkerProtocol.Start} bring-stamps bring {stamps} {Pages}");
            await client.SayAsync($"{WorkerProtocol.Start} bring-counters bring {counters} 1");
        }

        // A slow machine moves fewer pages in the time of so many increments.
        var (times, moves) = (0, 0L);
        for (; moves <= MovesMin && times < TimesMax; times++)
        {
            await Task.WhenAll(clients.Select(async client =>
            {
                await client.SayAsync($"{WorkerProtocol.Add} {counters} {Increments}");
                await client.SayAsync($"{WorkerProtocol.Swap} {counters + 8} {Increments}");
            }));
            moves = await monitor.SwapsAsync(TestContext.Current.CancellationToken);
        }

        var rounds = long.Parse(await clients[0].SayAsync($"{WorkerProtocol.Stop} stamps"), CultureInfo.InvariantCulture);
        Assert.True(rounds > 10, $"the stamps were written {rounds} times");
        Assert.NotEqual("0", await clients[1].SayAsync($"{WorkerProtocol.Stop} watch"));
        Assert.NotEqual("0", await clients[2].SayAsync($"{WorkerProtocol.Stop} watch"));

        foreach (var client in clients[2..])
        {
            await client.SayAsync($"{WorkerProtocol.Stop} bring-stamps");
            await client.SayAsync($"{WorkerProtocol.Stop} bring-counters");
        }

        output.WriteLine($"{moves} moves, {rounds} rounds of stamps, {times} times");
        Assert.True(moves > MovesMin, $"only {moves} moves");

        var total = (times * clients.Length * Increments).ToString(CultureInfo.InvariantCulture);
        foreach (var client in clients)
        {
            Assert.Equal(total, await client.SayAsync($"{WorkerProtocol.Word} {counters}"));
            Assert.Equal(total, await client.SayAsync($"{WorkerProtocol.Word} {counters + 8}"));
        }
    }
}
