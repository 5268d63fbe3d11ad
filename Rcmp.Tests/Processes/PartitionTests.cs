using System.Diagnostics;
using System.Globalization;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Status;
using Rcmp.Hosts.Local;
using Rcmp.Regions;
using Rcmp.Tests.Workers;

namespace Rcmp.Tests.Processes;

/// <summary>A rack whose links are cut. Real processes, each node in a network namespace of its own, in which its clients are too.</summary>
[Collection(ProcessCollection.Name)]
public sealed class PartitionTests
{
    private const int PageSize = 4096;
    private const int DataPages = 200;
    private const int Counters = 4;
    private const int OtherPages = 50;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(4);

    // What a busy machine may add to a time that is promised.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan LongPatience = TimeSpan.FromSeconds(90);

    private enum Direction
    {
        Both,
        In,
        Out,
    }

    [Fact]
    public async Task ARackThatIsCutOffServesItsOwnClientsAndComesBackWithEverything()
    {
        if (await PrivateNetwork.RanInsideAsync(GetType(), nameof(ARackThatIsCutOffServesItsOwnClientsAndComesBackWithEverything))) return;
        await PartitionAsync(Direction.Both, "fast");
    }

    [Fact]
    [Trait("Tier", "long")]
    public async Task UnderTheDefaultProfileARackThatIsCutOffComesBackToo()
    {
        if (await PrivateNetwork.RanInsideAsync(GetType(), nameof(UnderTheDefaultProfileARackThatIsCutOffComesBackToo))) return;
        await PartitionAsync(Direction.Both, "default");
    }

    [Fact]
    [Trait("Tier", "long")]
    public async Task ARackThatHearsNobodyServesItsOwnClientsAndComesBackWithEverything()
    {
        if (await PrivateNetwork.RanInsideAsync(GetType(), nameof(ARackThatHearsNobodyServesItsOwnClientsAndComesBackWithEverything))) return;
        await PartitionAsync(Direction.In, "fast");
    }

    [Fact]
    [Trait("Tier", "long")]
    public async Task ARackThatNobodyHearsServesItsOwnClientsAndComesBackWithEverything()
    {
        if (await PrivateNetwork.RanInsideAsync(GetType(), nameof(ARackThatNobodyHearsServesItsOwnClientsAndComesBackWithEverything))) return;
        await PartitionAsync(Direction.Out, "fast");
    }

    private static async Task PartitionAsync(Direction direction, string timingProfile)
    {
        var network = await LinkNetwork.CreateAsync(LocalClusterOptions.NamesOf(1, 3));
        await using var pool = await ProcessPool.StartAsync(
            network, 1, 3, ("rcmp.timing-profile", timingProfile), ("rcmp.client.timeout", $"{Timeout.TotalSeconds}s"), ("rcmp.swap.policy", "direct-io"));
        await using var admin = new PoolAdmin(LinkNetwork.Observer);
        var near = await pool.StartClientAsync(0);
        var far = await pool.StartClientAsync(1);
        var data = await near.AllocateAsync(DataPages);
        var counters = await near.AllocateAsync(Counters);
        var others = await far.AllocateAsync(OtherPages);
        await near.SayAsync($"{WorkerProtocol.Fill} {data} {DataPages} 1");
        await far.SayAsync($"{WorkerProtocol.Fill} {others} {OtherPages} 2");
        await far.SayAsync($"{WorkerProtocol.Verify} {data} {DataPages} 1");
        await near.SayAsync($"{WorkerProtocol.Verify} {others} {OtherPages} 2");
        await near.SayAsync($"{WorkerProtocol.Start} count count {counters} {Counters}");
        await near.SayAsync($"{WorkerProtocol.Start} watch watch {data} {DataPages}");

        var cut = Stopwatch.StartNew();
        await network.CutAsync([
            .. direction == Direction.In ? [] : network.LinksFrom("rack0"),
            .. direction == Direction.Out ? [] : network.LinksTo("rack0"),
        ]);
        var removal = RemovedAsync(pool, cut);
        var before = await CountedAsync(near, counters);
        // A page that was in use, then, with the connection known to be lost, another; and one that shall move.
        await RefusedInTimeAsync(far, $"{WorkerProtocol.Word} {data}");
        await RefusedInTimeAsync(far, $"{WorkerProtocol.Word} {data + 7 * PageSize}");
        await RefusedInTimeAsync(far, $"{WorkerProtocol.Pin} {data + 8 * PageSize}");
        await RefusedInTimeAsync(near, $"{WorkerProtocol.Word} {others}");
        await far.SayAsync($"{WorkerProtocol.Verify} {others} {OtherPages} 2");
        var removed = await removal;
        Say($"{removed.TotalSeconds:0.0} s after the cut the others had removed the rack");
        // Its own actor system has come to an end by then, and the next one finds nobody.
        await Eventually.TrueAsync(async () => (await ViewAsync(pool.Cluster.Racks[0], admin)).Master.Length == 0, "the rack to leave", LongPatience);
        await Task.Delay(TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken);
        await near.SayAsync($"{WorkerProtocol.Verify} {data} {DataPages} 1");
        Assert.True(await CountedAsync(near, counters) > before);
        Say($"cut for {cut.Elapsed.TotalSeconds:0.0} s");

        await network.HealAllAsync();
        var healed = Stopwatch.StartNew();
        await Eventually.TrueAsync(() => IsWholeAsync(pool.Cluster, admin), "the rack to join and register again", LongPatience);
        Say($"{healed.Elapsed.TotalSeconds:0.0} s after the repair it was registered");
        await Eventually.TrueAsync(() => far.TrySayAsync($"{WorkerProtocol.Word} {data}", nameof(PageUnavailableException)), "its pages to be served to others", LongPatience);
        Say($"{healed.Elapsed.TotalSeconds:0.0} s after the repair others had its pages");
        await Eventually.TrueAsync(() => near.TrySayAsync($"{WorkerProtocol.Word} {others}", nameof(PageUnavailableException)), "others' pages to be served to it", LongPatience);
        Say($"{healed.Elapsed.TotalSeconds:0.0} s after the repair it had others' pages");
        await EverythingIsThereAsync(pool, near, far, data, counters, others);
    }

    private static async Task EverythingIsThereAsync(ProcessPool pool, WorkerProcess near, WorkerProcess far, GAddr data, GAddr counters, GAddr others)
    {
        await near.SayAsync($"{WorkerProtocol.Stop} watch");
        var rounds = await near.SayAsync($"{WorkerProtocol.Stop} count");
        for (var i = 0; i < Counters; i++) Assert.Equal(rounds, await far.SayAsync($"{WorkerProtocol.Word} {counters + i * PageSize}"));
        foreach (var client in new[] { near, far })
        {
            await client.SayAsync($"{WorkerProtocol.Verify} {data} {DataPages} 1");
            await client.SayAsync($"{WorkerProtocol.Verify} {others} {OtherPages} 2");
            Assert.Equal(near.Rack.ToString(), await client.SayAsync($"{WorkerProtocol.Owner} {data}"));
            Assert.Equal(far.Rack.ToString(), await client.SayAsync($"{WorkerProtocol.Owner} {others}"));
        }

        // Pages can be had and moved again, in both directions.
        var more = await near.AllocateAsync(4);
        await near.SayAsync($"{WorkerProtocol.Fill} {more} 4 3");
        await far.SayAsync($"{WorkerProtocol.Verify} {more} 4 3");
        await far.SayAsync($"{WorkerProtocol.Pin} {data + 8 * PageSize}");
        await near.SayAsync($"{WorkerProtocol.Pin} {others}");

        await pool.Cluster.StopAsync(true);
        var owned = pool.Cluster.Racks.SelectMany(rack => RegionInspector.ResidentPages(rack.Node.RegionPath!)).ToList();
        Assert.Equal(owned.Distinct().Count(), owned.Count);
        Assert.Equal(DataPages + Counters + OtherPages + 4, owned.Count);
        Assert.Empty(pool.Cluster.Racks.SelectMany(rack => RegionInspector.Check(rack.Node.RegionPath!).Findings));
    }

    private static async Task<long> CountedAsync(WorkerProcess client, GAddr counters) =>
        long.Parse(await client.SayAsync($"{WorkerProtocol.Word} {counters}"), CultureInfo.InvariantCulture);

    private static async Task RefusedInTimeAsync(WorkerProcess client, string line)
    {
        var began = Stopwatch.GetTimestamp();
        Assert.False(await client.TrySayAsync(line, nameof(PageUnavailableException)), $"'{line}' was carried out across a cut");
        var took = Stopwatch.GetElapsedTime(began);
        Say($"'{line}' in {client.Rack} was refused after {took.TotalSeconds:0.0} s");
        Assert.True(took < Timeout + Slack, $"'{line}' was refused after {took.TotalSeconds:0.0} s only");
    }

    /// <summary>When the log of another rack says that it was removed.</summary>
    private static async Task<TimeSpan> RemovedAsync(ProcessPool pool, Stopwatch clock)
    {
        var sign = $"{pool.Cluster.Racks[0].Node.Address} is now Removed";
        await Eventually.TrueAsync(() => File.ReadAllText(pool.Cluster.Racks[1].LogPath).Contains(sign, StringComparison.Ordinal), sign, LongPatience);
        return clock.Elapsed;
    }

    private static async Task<bool> IsWholeAsync(LocalCluster cluster, PoolAdmin admin)
    {
        var (master, registered) = await ViewAsync(cluster.Racks[1], admin);
        return master.Length > 0 && registered == 3 && (await ViewAsync(cluster.Racks[0], admin)).Master == master;
    }

    /// <summary>The node's view: the master, and how many racks say that they are registered.</summary>
    private static async Task<(string Master, int Registered)> ViewAsync(NodeProcess node, PoolAdmin admin)
    {
        Assert.True(NodeAddress.TryParse(node.Node.Address, out var address));
        try
        {
            var status = await admin.QueryStatusAsync(address, TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken);
            return (status.Master, status.Racks.Count(r => r.State == "registered"));
        }
        catch (PoolNotConnectedException)
        {
            return ("", 0);
        }
    }

    private static void Say(string text) => TestContext.Current.TestOutputHelper!.WriteLine(text);
}
