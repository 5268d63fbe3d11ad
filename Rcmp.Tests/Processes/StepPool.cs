using System.Globalization;
using Rcmp.Hosts.Local;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;
using Rcmp.Tests.Workers;

namespace Rcmp.Tests.Processes;

/// <summary>A pool of real processes of which one can be made to end itself at a step of a move: a master and three racks, so that a page, the rack that it goes to and its
/// directory shard are in three processes. The first rack has the pages; it and its client live on.</summary>
public sealed class StepPool : IAsyncLifetime
{
    // Neighbours share a shard: one page of each block is used.
    private const int BlockPages = 64;
    private const int Blocks = 40;
    private const int Shards = 64;
    private static readonly PageGeometry Geometry = new(4096);

    private ProcessPool _pool = null!;
    private StepFiles _files = null!;
    private WorkerProcess[] _clients = [];
    private GAddr _pages;
    private int _blocksUsed;
    private int? _shardProcess;

    internal LocalCluster Cluster => _pool.Cluster;

    /// <summary>Of the rack that has the pages.</summary>
    internal WorkerProcess Near => _clients[0];

    internal WorkerProcess ClientOf(NodeProcess rack) => _clients[Cluster.Racks.ToList().IndexOf(rack)];

    public async ValueTask InitializeAsync()
    {
        _pool = await ProcessPool.StartAsync(
            null, StepNode.Launcher, 1, 3,
            // What moves pages are the test's calls, and what moves shards is death.
            ("rcmp.timing-profile", "fast"), ("rcmp.swap.policy", "direct-io"), ("akka.cluster.sharding.rebalance-interval", "1h"),
            // A machine under load: a mover waits until those in the middle of a write have their turn, and whoever needs a page until its shard lives again.
            ("rcmp.guard.budget", "20ms"), ("rcmp.client.timeout", "30s"), ("rcmp.directory.shards", Shards.ToString(CultureInfo.InvariantCulture)));
        _files = new StepFiles(Cluster.Directory);
        _clients = [await _pool.StartClientAsync(0), await _pool.StartClientAsync(1), await _pool.StartClientAsync(2)];
        _pages = await Near.AllocateAsync(BlockPages * Blocks);
    }

    public async ValueTask DisposeAsync()
    {
        if (_pool is not null) await _pool.DisposeAsync();
    }

    /// <summary>A page that no test has used, whose shard is on neither the rack that has it nor the one that gets it.</summary>
    internal async Task<(GAddr Page, NodeProcess ShardHost, NodeProcess Receiver)> TakePageAsync()
    {
        while (_blocksUsed < Blocks)
        {
            var page = _pages + (long)_blocksUsed++ * BlockPages * Geometry.PageSize;
            // Starts the shard, if nobody had a question before.
            await OwnerAsync(Near, page);
            // What a case that failed has left dead: the others are judged by themselves.
            foreach (var dead in Cluster.Racks.Where(rack => rack.Running is null)) await Cluster.RestartAsync(dead, TestContext.Current.CancellationToken);
            _shardProcess = _files.HostOf(Geometry.ShardOf(Geometry.PageOf(page), Shards));
            var host = Cluster.Racks.FirstOrDefault(rack => rack.Running?.Id is { } id && id == _shardProcess);
            if (host is not null && host != Cluster.Racks[0]) return (page, host, Cluster.Racks.Skip(1).First(rack => rack != host));
        }

        throw new InvalidOperationException("every page has been used, or has its shard on the rack that has the page");
    }

    internal void Arm(GAddr page, OrderKind order, StepPoint point, bool losesPulled) => _files.Arm(new MoveStep(Geometry.PageOf(page), order, point, losesPulled));

    internal void Disarm() => _files.Disarm();

    /// <summary>The process that ran the shard of the page taken last has come to the step, and is dead.</summary>
    internal async Task ReachedAsync(NodeProcess host, TimeSpan patience)
    {
        await Eventually.TrueAsync(() => _files.ReachedBy is not null, "the step to be reached", patience);
        Assert.Equal(_shardProcess, _files.ReachedBy);
        await Eventually.TrueAsync(() => host.Running is null, $"the end of {host.Name}");
    }

    internal static async Task<string> OwnerAsync(WorkerProcess client, GAddr page)
    {
        var owner = "";
        await Eventually.TrueAsync(async () => (owner = await client.AskAsync($"{WorkerProtocol.Owner} {page}", nameof(PageUnavailableException)) ?? "") != "", $"the owner of {page}");
        return owner;
    }

    /// <summary>What the regions say: the page is there alone, and none of them has a row in transition. A page with two owners keeps them, so waiting hides nothing.</summary>
    internal async Task HasOneOwnerAsync(GAddr page, NodeProcess owner)
    {
        await Eventually.TrueAsync(() => IsAloneIn(owner, page), $"{page} to be in the region of {owner.Name} alone, and every row to be settled");
        Assert.All(Cluster.Racks, rack => Assert.Empty(RegionInspector.Check(rack.Node.RegionPath!).Findings));
    }

    internal bool IsAloneIn(NodeProcess owner, GAddr page) => Cluster.Racks.All(rack =>
        RegionInspector.Inspect(rack.Node.RegionPath!).Frames is var rows && rows[RowState.Leaving] == 0 && rows[RowState.Incoming] == 0
        && RegionInspector.ResidentPages(rack.Node.RegionPath!).Count(resident => resident == Geometry.PageOf(page)) == (rack == owner ? 1 : 0));
}
