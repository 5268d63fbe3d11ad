using System.Text.Json;
using Rcmp.Tests.Hosts;
using Rcmp.Tests.Workers;

namespace Rcmp.Tests.Processes;

/// <summary>An operator takes racks out of a pool of real processes.</summary>
[Collection(ProcessCollection.Name)]
[Trait("Tier", "long")]
public sealed class RackOrderTests
{
    private const int Pages = 200;

    [Fact]
    public async Task ADrainedRackGivesItsPagesAwayAndLeavesTheRoster()
    {
        await using var pool = await ProcessPool.StartAsync(2, ("rcmp.timing-profile", "fast"));
        var near = await pool.StartClientAsync(0);
        var far = await pool.StartClientAsync(1);
        var data = await near.AllocateAsync(Pages);
        await near.SayAsync($"{WorkerProtocol.Fill} {data} {Pages} 1");
        Assert.Equal("1", await far.SayAsync($"{WorkerProtocol.Owner} {data}"));

        var drained = await RunAsync(pool, $"rack drain {near.Rack}");

        Assert.True(drained.ExitCode == 0, drained.Error);
        Assert.Contains("empty and removed", drained.Out);
        await Eventually.TrueAsync(async () => await RacksAsync(pool) is [var only] && only == far.Rack.ToString(), "a roster without the drained rack", TimeSpan.FromSeconds(60));
        for (var page = 0; page < Pages; page += 17) Assert.Equal(far.Rack.ToString(), await far.SayAsync($"{WorkerProtocol.Owner} {data + page * 4096L}"));
        await far.SayAsync($"{WorkerProtocol.Verify} {data} {Pages} 1");
        // Nothing of it is taken up again, not even by a daemon that is started anew.
        await pool.Cluster.Racks[0].KillAsync();
        await StaysOutAsync(pool, 0, far.Rack);
        await far.SayAsync($"{WorkerProtocol.Verify} {data} {Pages} 1");
    }

    [Fact]
    public async Task AForgottenRackIsRefusedForEverAndItsPagesAreGone()
    {
        await using var pool = await ProcessPool.StartAsync(2, ("rcmp.timing-profile", "fast"));
        var near = await pool.StartClientAsync(0);
        var far = await pool.StartClientAsync(1);
        var lost = await far.AllocateAsync(4);
        var kept = await near.AllocateAsync(4);
        await near.SayAsync($"{WorkerProtocol.Fill} {kept} 4 1");
        await far.KillAsync();
        await pool.Cluster.Racks[1].KillAsync();

        await Eventually.TrueAsync(async () => (await RunAsync(pool, $"rack forget {far.Rack}")).ExitCode == 0, "the rack to be forgotten", TimeSpan.FromSeconds(60));
        await Eventually.TrueAsync(async () => await RacksAsync(pool) is [var only] && only == near.Rack.ToString(), "a roster without the forgotten rack", TimeSpan.FromSeconds(60));
        await near.SayAsync($"{WorkerProtocol.Verify} {kept} 4 1");
        // A page of which every rack that is left says that it has none.
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        CommandResult read;
        do
        {
            read = await RunAsync(pool, "shell --rack 0", $"r {lost}\n");
        }
        while (!read.Out.Contains("never allocated", StringComparison.Ordinal) && !patience.IsCancellationRequested);
        Assert.StartsWith("error: ", read.Out);
        Assert.Contains("never allocated", read.Out);
        await StaysOutAsync(pool, 1, near.Rack);
    }

    /// <summary>Its daemon ends by itself and says why, even if it was down when the order was given.</summary>
    private static async Task StaysOutAsync(ProcessPool pool, int index, RackId left)
    {
        var rack = pool.Cluster.Racks[index];
        rack.Start(detached: false);
        await Eventually.TrueAsync(() => rack.Running is null, "the daemon of a removed rack to end", TimeSpan.FromSeconds(60));
        Assert.Contains("was removed from the pool", await File.ReadAllTextAsync(rack.LogPath), StringComparison.Ordinal);
        Assert.Equal([left.ToString()], await RacksAsync(pool));
    }

    private static Task<CommandResult> RunAsync(ProcessPool pool, string line, string input = "") =>
        CommandRunner.RunWithInputAsync(input, [.. line.Split(' '), "--dir", pool.Cluster.Directory]);

    private static async Task<string[]> RacksAsync(ProcessPool pool)
    {
        var status = await RunAsync(pool, "status --json");
        using var json = JsonDocument.Parse(status.Out);
        // A rack that was taken out is shown as forgotten, for good: its number is not given again.
        return [.. json.RootElement.GetProperty("racks").EnumerateArray().Where(rack => rack.GetProperty("state").GetString() != "forgotten").Select(rack => rack.GetProperty("id").ToString())];
    }
}
