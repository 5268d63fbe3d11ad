using System.Diagnostics;
using System.Globalization;
using Rcmp.Tests.Workers;

namespace Rcmp.Tests.Processes;

/// <summary>Measures the times of docs/failures on real processes and prints them (<c>-class Rcmp.Tests.Processes.FailureTimes -showLiveOutput</c>). The bounds are far away: a busy machine is not a defect.</summary>
[Collection(ProcessCollection.Name)]
[Trait("Tier", "long")]
public sealed class FailureTimes
{
    private const int Rounds = 5;
    private const int Pages = 64;

    private static readonly TimeSpan RateTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task AKilledClientsPageMovesAsSoonAsItIsGone()
    {
        await using var pool = await ProcessPool.StartAsync(2, ("rcmp.swap.policy", "direct-io"));
        var owner = await pool.StartClientAsync(0);
        var pages = await owner.AllocateAsync(Rounds);
        var moved = new Times("from SIGKILL of a client that holds a page until the page has moved", "s");
        for (var round = 0; round < Rounds; round++)
        {
            // A pin lasts until its process ends.
            var mover = await pool.StartClientAsync(1);
            var holder = await pool.StartClientAsync(0);
            await holder.SayAsync($"{WorkerProtocol.Start} w write {pages} {Rounds}");
            await holder.SayAsync($"{WorkerProtocol.Pin} {pages + round * 4096L}");
            var began = Stopwatch.GetTimestamp();
            await holder.KillAsync();
            await UntilAsync(mover, $"{WorkerProtocol.Pin} {pages + round * 4096L}", began, moved);
        }

        moved.Print();
    }

    [Fact]
    public async Task AKilledDaemonsPagesAreRefusedInTimeAndServedAgainSoon()
    {
        const double TimeoutSeconds = 4;
        await using var pool = await ProcessPool.StartAsync(2, ("rcmp.client.timeout", "4s"));
        var near = await pool.StartClientAsync(0);
        var far = await pool.StartClientAsync(1);
        var data = await near.AllocateAsync(Pages);
        await near.SayAsync($"{WorkerProtocol.Fill} {data} {Pages} 1");
        var own = new Times("the rack's own clients, daemon dead / alive", "x");
        var refused = new Times("from SIGKILL until another rack's client gets PageUnavailableException (rcmp.client.timeout = 4 s)", "s");
        var served = new Times("from the start of the daemon until another rack's client reads its page", "s");
        for (var round = 0; round < Rounds; round++)
        {
            await UntilAsync(far, $"{WorkerProtocol.Verify} {data} {Pages} 1", Stopwatch.GetTimestamp(), null);
            var before = await RateAsync(near, data, "read");
            var began = Stopwatch.GetTimestamp();
            await pool.Cluster.Racks[0].KillAsync();
            Assert.False(await far.TrySayAsync($"{WorkerProtocol.Word} {data}", nameof(PageUnavailableException)));
            refused.Add(Stopwatch.GetElapsedTime(began).TotalSeconds);
            own.Add(await RateAsync(near, data, "read") / before);

            began = Stopwatch.GetTimestamp();
            pool.Cluster.Racks[0].Start(detached: false);
            await UntilAsync(far, $"{WorkerProtocol.Word} {data}", began, served);
            await pool.Cluster.Racks[0].WaitReadyAsync(Bound, TestContext.Current.CancellationToken);
        }

        Assert.True(refused.Max < TimeoutSeconds + 5, refused.ToString());
        Assert.True(own.Median > 0.5, own.ToString());
        foreach (var times in (Times[])[own, refused, served]) times.Print();
    }

    [Fact]
    public async Task WithAllMastersDeadResolvedPagesAreAsFastAndTheRestIsServedAgainSoon()
    {
        // Pages that move would need the directory, which dies with the masters' nodes.
        await using var pool = await ProcessPool.StartAsync(2, 2, ("rcmp.swap.policy", "direct-io"));
        var near = await pool.StartClientAsync(0);
        var far = await pool.StartClientAsync(1);
        var data = await near.AllocateAsync(Pages);
        await near.SayAsync($"{WorkerProtocol.Fill} {data} {Pages} 1");
        var own = new Times("the rack's own clients, all masters dead / alive", "x");
        var other = new Times("another rack's client, all masters dead / alive", "x");
        var allocated = new Times("allocating 16 pages of the rack itself, all masters dead", "s");
        var served = new Times("from the start of two masters until a page that was allocated without them is read from another rack", "s");
        for (var round = 0; round < Rounds; round++)
        {
            await UntilAsync(far, $"{WorkerProtocol.Verify} {data} {Pages} 1", Stopwatch.GetTimestamp(), null);
            var (ownBefore, otherBefore) = (await RateAsync(near, data, "read"), await RateAsync(far, data, "read"));
            await Task.WhenAll(pool.Cluster.Masters.Select(master => master.KillAsync()));
            own.Add(await RateAsync(near, data, "read") / ownBefore);
            other.Add(await RateAsync(far, data, "read") / otherBefore);
            var began = Stopwatch.GetTimestamp();
            var more = await near.AllocateAsync(16);
            allocated.Add(Stopwatch.GetElapsedTime(began).TotalSeconds);
            await near.SayAsync($"{WorkerProtocol.Fill} {more} 16 2");

            began = Stopwatch.GetTimestamp();
            foreach (var master in pool.Cluster.Masters) master.Start(detached: false);
            await UntilAsync(far, $"{WorkerProtocol.Verify} {more} 16 2", began, served);
            foreach (var master in pool.Cluster.Masters) await master.WaitReadyAsync(Bound, TestContext.Current.CancellationToken);
        }

        Assert.True(own.Median > 0.5, own.ToString());
        Assert.True(other.Median > 0.5, other.ToString());
        Assert.True(allocated.Max < 2, allocated.ToString());
        foreach (var times in (Times[])[own, other, allocated, served]) times.Print();
    }

    private static async Task<double> RateAsync(WorkerProcess client, GAddr data, string kind)
    {
        var began = Stopwatch.GetTimestamp();
        await client.SayAsync($"{WorkerProtocol.Start} rate {kind} {data} {Pages}");
        await Task.Delay(RateTime, TestContext.Current.CancellationToken);
        var rounds = long.Parse(await client.SayAsync($"{WorkerProtocol.Stop} rate"), CultureInfo.InvariantCulture);
        return rounds / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static async Task UntilAsync(WorkerProcess client, string line, long began, Times? times)
    {
        await Eventually.TrueAsync(() => client.TrySayAsync(line, nameof(PageUnavailableException)), line, Bound);
        times?.Add(Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    private sealed class Times(string what, string unit)
    {
        private readonly List<double> _values = [];

        public double Median => _values.Order().ElementAt((_values.Count - 1) / 2);

        public double Max => _values.Max();

        public void Add(double value) => _values.Add(value);

        public void Print() => TestContext.Current.TestOutputHelper?.WriteLine(ToString());

        public override string ToString() =>
            string.Create(CultureInfo.InvariantCulture, $"{what}: median {Median:0.00} {unit}, {_values.Min():0.00} to {Max:0.00} of {_values.Count}");
    }
}
