using System.Globalization;
using Rcmp.Protocol.Messages;
using Rcmp.Tests.Workers;

namespace Rcmp.Tests.Processes;

/// <summary>The process of a page's directory shard ends by SIGKILL at each step of the page's move, while clients of both racks count on it.</summary>
[Collection(ProcessCollection.Name)]
public sealed class ShardProcessKilledTests(StepPool pool) : IClassFixture<StepPool>
{
    private const int Seed = 3;
    private const int CounterBytes = sizeof(ulong);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(nameof(OrderKind.Leave))]
    [InlineData(nameof(OrderKind.Pull))]
    [InlineData(nameof(OrderKind.Commit))]
    [InlineData(nameof(OrderKind.Release))]
    [InlineData(nameof(OrderKind.Settle))]
    [InlineData(nameof(OrderKind.Reopen))]
    public Task APageOutlivesTheProcessOfItsShardThatEndsBeforeItSends(string order) => KillAtAsync(Enum.Parse<OrderKind>(order), StepPoint.Sending);

    // What is answered, and never heard, leaves the rows as the next order finds them: most of these are near those above. A move that is given up takes a step's limit, 3 s.
    [Theory]
    [Trait("Tier", "long")]
    [InlineData(nameof(OrderKind.Leave), StepPoint.Answered)]
    [InlineData(nameof(OrderKind.Pull), StepPoint.Answered)]
    [InlineData(nameof(OrderKind.Commit), StepPoint.Answered)]
    [InlineData(nameof(OrderKind.Release), StepPoint.Answered)]
    [InlineData(nameof(OrderKind.Settle), StepPoint.Answered)]
    [InlineData(nameof(OrderKind.Drop), StepPoint.Sending)]
    [InlineData(nameof(OrderKind.Drop), StepPoint.Answered)]
    [InlineData(nameof(OrderKind.Reopen), StepPoint.Answered)]
    public Task APageOutlivesTheProcessOfItsShardThatEndsAt(string order, StepPoint point) => KillAtAsync(Enum.Parse<OrderKind>(order), point);

    /// <summary>The control: a move that is not given up has no such step.</summary>
    [Fact]
    public async Task AStepThatIsNeverReachedFailsItsTest()
    {
        var (page, host, receiver) = await pool.TakePageAsync();
        pool.Arm(page, OrderKind.Reopen, StepPoint.Sending, losesPulled: false);
        try
        {
            await BringAsync(pool.ClientOf(receiver), page);
            await pool.HasOneOwnerAsync(page, receiver);
            await Assert.ThrowsAsync<Xunit.Sdk.FailException>(() => pool.ReachedAsync(host, TimeSpan.Zero));
        }
        finally
        {
            pool.Disarm();
        }
    }

    private async Task KillAtAsync(OrderKind order, StepPoint point)
    {
        var (page, host, receiver) = await pool.TakePageAsync();
        var (near, far) = (pool.Near, pool.ClientOf(receiver));
        await near.SayAsync($"{WorkerProtocol.Fill} {page} 1 {Seed}");
        var start = await WordAsync(near, page);
        // Named for the page: a case that fails leaves its loops behind.
        var (count, move) = ($"count-{page}", $"move-{page}");
        foreach (var client in new[] { near, far }) await client.SayAsync($"{WorkerProtocol.Start} {count} tally {page} 1");

        pool.Arm(page, order, point, losesPulled: order is OrderKind.Drop or OrderKind.Reopen);
        try
        {
            await far.SayAsync($"{WorkerProtocol.Start} {move} attract {page} 1");
            await pool.ReachedAsync(host, Patience);
        }
        finally
        {
            pool.Disarm();
        }

        // It comes back, and whoever runs the shard now lets the move end, or begins another.
        await pool.Cluster.RestartAsync(host, TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(async () => await StepPool.OwnerAsync(near, page) == far.Rack.ToString(), $"{page} to come to {receiver.Name}");
        await far.SayAsync($"{WorkerProtocol.Stop} {move}");
        var sum = start;
        foreach (var client in new[] { near, far })
        {
            var rounds = ulong.Parse(await client.SayAsync($"{WorkerProtocol.Stop} {count}"), CultureInfo.InvariantCulture);
            Assert.NotEqual(0ul, rounds);
            sum = unchecked(sum + rounds);
        }

        await IsWholeAsync(page, sum);
        Assert.Equal(far.Rack.ToString(), await StepPool.OwnerAsync(far, page));
        await pool.HasOneOwnerAsync(page, receiver);

        // And the page is not stuck. A repeat of the receiver's request that waited for the shard to live again may take it back once.
        var first = pool.Cluster.Racks[0];
        await Eventually.TrueAsync(async () =>
        {
            await BringAsync(near, page);
            return await StepPool.OwnerAsync(far, page) == near.Rack.ToString() && pool.IsAloneIn(first, page);
        }, $"{page} to stay in {first.Name}");
        await IsWholeAsync(page, sum);
    }

    /// <summary>In every rack, that of the dead process among them.</summary>
    private async Task IsWholeAsync(GAddr page, ulong counter)
    {
        foreach (var client in pool.Cluster.Racks.Select(pool.ClientOf))
        {
            await Eventually.TrueAsync(
                () => client.TrySayAsync($"{WorkerProtocol.Verify} {page} 1 {Seed} {CounterBytes}", nameof(PageUnavailableException)), $"{page} in rack {client.Rack}");
            Assert.Equal(counter, await WordAsync(client, page));
        }
    }

    private static Task BringAsync(WorkerProcess client, GAddr page) => Eventually.TrueAsync(
        () => client.TrySayAsync($"{WorkerProtocol.Bring} {page}", nameof(PageUnavailableException)), $"{page} to come to rack {client.Rack}");

    private static async Task<ulong> WordAsync(WorkerProcess client, GAddr page) =>
        ulong.Parse(await client.SayAsync($"{WorkerProtocol.Word} {page}"), CultureInfo.InvariantCulture);
}
