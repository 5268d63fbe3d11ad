using System.Globalization;
using Rcmp.Tests.Workers;

namespace Rcmp.Tests.Processes;

/// <summary>Clients and daemons that are killed.</summary>
public sealed class DeadProcessTests
{
    [Fact]
    public async Task AClientKilledWhileItWritesLeavesItsPagesFreeToMove()
    {
        await using var pool = await ProcessPool.StartAsync(2, ("rcmp.swap.policy", "direct-io"));
        var writer = await pool.StartClientAsync(0);
        var remoteWriter = await pool.StartClientAsync(1);
        var other = await pool.StartClientAsync(1);
        var pages = await writer.AllocateAsync(8);
        await writer.SayAsync($"{WorkerProtocol.Start} w write {pages} 8");
        await remoteWriter.SayAsync($"{WorkerProtocol.Start} w write {pages} 8");
        // One guard is certainly held when its process dies.
        await writer.SayAsync($"{WorkerProtocol.Pin} {pages}");
        await Task.WhenAll(writer.KillAsync(), remoteWriter.KillAsync());

        // A pin brings the page: every guard and every connection of the dead must be out of the way.
        for (var page = 0; page < 8; page++)
        {
            var address = pages + page * 4096;
            await other.SayAsync($"{WorkerProtocol.Pin} {address}");
            Assert.Equal(other.Rack.ToString(), await other.SayAsync($"{WorkerProtocol.Owner} {address}"));
            await other.SayAsync($"{WorkerProtocol.Add} {address} 1");
        }
    }

    [Fact]
    public async Task AStoppedClientIsNamedInErrorStatusAndLogAndHoldsUpItsOwnPageAlone()
    {
        await using var pool = await ProcessPool.StartAsync(2, ("rcmp.swap.policy", "direct-io"), ("rcmp.client.timeout", "4s"));
        var holder = await pool.StartClientAsync(0);
        var mover = await pool.StartClientAsync(1);
        var pages = await holder.AllocateAsync(2);
        // A pin is a guard that stays.
        await holder.SayAsync($"{WorkerProtocol.Pin} {pages}");
        await holder.SuspendAsync(true);
        var who = $"process {holder.Id}";
        Assert.Contains(who, await mover.RefusedAsync($"{WorkerProtocol.Pin} {pages}"));
        Assert.Contains(who, await File.ReadAllTextAsync(pool.Cluster.Racks[0].LogPath, TestContext.Current.CancellationToken));
        var status = await Hosts.CommandRunner.RunAsync(["status", "--dir", pool.Cluster.Directory]);
        Assert.Contains(who, status.Out);

        // It goes on to be read and written, and the page beside it moves.
        await mover.SayAsync($"{WorkerProtocol.Add} {pages} 1");
        await mover.SayAsync($"{WorkerProtocol.Pin} {pages + 4096}");
        Assert.Equal(mover.Rack.ToString(), await mover.SayAsync($"{WorkerProtocol.Owner} {pages + 4096}"));
        await holder.SuspendAsync(false);
        await holder.KillAsync();
        await mover.SayAsync($"{WorkerProtocol.Pin} {pages}");
        Assert.Equal("1", await mover.SayAsync($"{WorkerProtocol.Word} {pages}"));
    }

    [Fact]
    public Task ADaemonKilledAndRestartedHasLostNothingAndItsClientsGoOn() => KillAndRestartAsync("fast");

    [Fact]
    [Trait("Tier", "long")]
    public Task ADaemonKilledAndRestartedComesBackWithinHalfAMinuteUnderTheDefaultProfileToo() => KillAndRestartAsync("default");

    private static async Task KillAndRestartAsync(string timingProfile)
    {
        await using var pool = await ProcessPool.StartAsync(2, ("rcmp.timing-profile", timingProfile));
        var near = await pool.StartClientAsync(0);
        var far = await pool.StartClientAsync(1);
        var data = await near.AllocateAsync(500);
        var counters = await near.AllocateAsync(4);
        await near.SayAsync($"{WorkerProtocol.Fill} {data} 500 1");
        await near.SayAsync($"{WorkerProtocol.Start} c count {counters} 4");

        var rack = pool.Cluster.Racks[0];
        await rack.KillAsync();
        // The rack's own pages need no daemon.
        await near.SayAsync($"{WorkerProtocol.Verify} {data} 500 1");
        // docs/failures/daemon-killed.md has the times that are usual.
        await pool.Cluster.RestartAsync(rack, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        await near.SayAsync($"{WorkerProtocol.Verify} {data} 500 1");
        await far.SayAsync($"{WorkerProtocol.Verify} {data} 500 1");
        var rounds = long.Parse(await near.SayAsync($"{WorkerProtocol.Stop} c"), CultureInfo.InvariantCulture);
        for (var i = 0; i < 4; i++)
            Assert.Equal(rounds.ToString(CultureInfo.InvariantCulture), await far.SayAsync($"{WorkerProtocol.Word} {counters + i * 4096}"));

        // And it serves: new pages, and sessions that were open before.
        var more = await near.AllocateAsync(10);
        await near.SayAsync($"{WorkerProtocol.Fill} {more} 10 2");
        await far.SayAsync($"{WorkerProtocol.Verify} {more} 10 2");
    }

    [Fact]
    public async Task WithTheMasterKilledResolvedPagesAndTheRacksOwnFramesStayUsable()
    {
        await using var pool = await ProcessPool.StartAsync();
        var near = await pool.StartClientAsync(0);
        var far = await pool.StartClientAsync(1);
        // So many that each shard of the directory was asked: the racks know where they are.
        var data = await near.AllocateAsync(500);
        await near.SayAsync($"{WorkerProtocol.Fill} {data} 500 1");
        await far.SayAsync($"{WorkerProtocol.Verify} {data} 500 1");
        await pool.Cluster.Masters[0].KillAsync();
        await near.SayAsync($"{WorkerProtocol.Verify} {data} 500 1");
        await far.SayAsync($"{WorkerProtocol.Verify} {data} 500 1");
        var more = await near.AllocateAsync(4);
        await near.SayAsync($"{WorkerProtocol.Fill} {more} 4 2");
        // The directory is on the racks: they need no master to tell each other of pages.
        await far.SayAsync($"{WorkerProtocol.Verify} {more} 4 2");
        await pool.Cluster.RestartAsync(pool.Cluster.Masters[0], TestContext.Current.CancellationToken);
        var last = await near.AllocateAsync(4);
        await near.SayAsync($"{WorkerProtocol.Fill} {last} 4 3");
        // The nodes may find each other anew first: until then a page is unavailable, for a moment.
        await Eventually.TrueAsync(() => far.TrySayAsync($"{WorkerProtocol.Verify} {last} 4 3", nameof(PageUnavailableException)), "pages that were allocated after the master's return");
    }
}
