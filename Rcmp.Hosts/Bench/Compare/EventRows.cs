using System.Diagnostics;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Clients;
using Rcmp.Hosts.Local;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>What happens once and not on every access, in a cluster of processes: first touches, moves, allocations, the start. Held against limits.</summary>
internal sealed class EventRows(ComparePlan plan, Action<string> say)
{
    private const int Touches = 200;
    private const int NeighboursInOrder = 1600;
    private const int Moves = 200;
    private const int Allocations = 5;
    private const int PagesAllocated = 1000;

    private readonly List<double> _touches = [];
    private readonly List<double> _neighbours = [];
    private readonly List<double> _moves = [];
    private readonly List<double> _allocations = [];
    private readonly List<double> _starts = [];

    private readonly Random _random = new(1);
    private int _block;

    public async Task<IReadOnlyList<CompareRow>> RunAsync(CancellationToken ct)
    {
        say("first touches, moves, allocations");
        var cluster = LocalCluster.Prepare(
            new LocalClusterOptions
            {
                Directory = Path.Combine(Path.GetTempPath(), $"rcmp-compare-{Environment.ProcessId}"), RegionSize = ByteSize.MiB(64), Ephemeral = true,
                Settings = new Dictionary<string, string> { ["rcmp.swap.policy"] = "direct-io" },
            },
            say);
        await using (cluster)
        {
            await cluster.StartAsync(_ => { }, ct);
            await using var first = await RcmpPool.ConnectAsync(cluster.ClientConfiguration(0), ct);
            await using var second = await RcmpPool.ConnectAsync(cluster.ClientConfiguration(1), ct);
            _block = RcmpClientOptions.Load(cluster.ClientConfiguration(1)).Neighbours + 1;
            await MeasureAsync(first, second, ct);
        }

        say("starts");
        for (var round = 0; round < plan.Rounds; round++) _starts.Add(await StartNsAsync(ct));
        return
        [
            CompareRow.Limited("first touch of a page of another rack", Median.Of(_touches), TimeSpan.FromMicroseconds(500), TimeSpan.FromMicroseconds(300)),
            CompareRow.Limited("its neighbours touched in order, a page", Median.Of(_neighbours), TimeSpan.FromMicroseconds(20), TimeSpan.FromMicroseconds(10)),
            CompareRow.Limited("page move", Median.Of(_moves), TimeSpan.FromMilliseconds(2), TimeSpan.FromMilliseconds(1)),
            CompareRow.Limited("1,000 pages allocated", Median.Of(_allocations), TimeSpan.FromMilliseconds(10), TimeSpan.FromMilliseconds(5)),
            CompareRow.Limited("rcmp up to the first successful read", Median.Of(_starts), TimeSpan.FromSeconds(8), TimeSpan.FromSeconds(4)),
        ];
    }

    private async Task MeasureAsync(IMemoryPool first, IMemoryPool second, CancellationToken ct)
    {
        // Until the JIT of all processes has little left to recompile.
        var warmup = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(warmup) < plan.ClusterWarmup) await RoundAsync(first, second, ct);
        foreach (var times in new[] { _touches, _neighbours, _moves, _allocations }) times.Clear();
        for (var round = 0; round < plan.Rounds; round++) await RoundAsync(first, second, ct);
    }

    private async Task RoundAsync(IMemoryPool first, IMemoryPool second, CancellationToken ct)
    {
        var touches = new List<double>();
        var order = Enumerable.Range(0, Touches).ToArray();
        _random.Shuffle(order);
        await OnPagesAsync(first, Touches * 2 * _block, address =>
        {
            // A miss resolves the block around it too, and what is ahead of a run: so every other block, in no order, and not at its edge.
            foreach (var i in order) touches.Add(Ns(() => second.Read<ulong>(address + ((2 * i * _block) + (_block / 2)) * (long)second.Info.PageSize)));
        }, ct);
        _touches.Add(Median.Of(touches));
        await OnPagesAsync(first, NeighboursInOrder, address => _neighbours.Add(Ns(() =>
        {
            for (var i = 0; i < NeighboursInOrder; i++) second.Read<ulong>(address + i * (long)second.Info.PageSize);
        }) / NeighboursInOrder), ct);
        _moves.Add(await MoveNsAsync(first, second, ct));
        _allocations.Add(await AllocationNsAsync(first, ct));
    }

    private static async Task OnPagesAsync(IMemoryPool pool, int pages, Action<GAddr> action, CancellationToken ct)
    {
        var address = await pool.AllocatePagesAsync(pages, null, ct);
        action(address);
        await pool.FreePagesAsync(address, pages, ct);
    }

    private static async Task<double> MoveNsAsync(IMemoryPool first, IMemoryPool second, CancellationToken ct)
    {
        var page = await first.AllocatePagesAsync(1, null, ct);
        var times = new List<double>();
        for (var i = 0; i < Moves; i++)
        {
            var started = Stopwatch.GetTimestamp();
            using (await (i % 2 == 0 ? second : first).PinAsync(page, ct)) times.Add(Stopwatch.GetElapsedTime(started).TotalNanoseconds);
        }

        await first.FreePagesAsync(page, 1, ct);
        return Median.Of(times);
    }

    private static async Task<double> AllocationNsAsync(IMemoryPool pool, CancellationToken ct)
    {
        var times = new List<double>();
        for (var i = 0; i < Allocations; i++)
        {
            var started = Stopwatch.GetTimestamp();
            var address = await pool.AllocatePagesAsync(PagesAllocated, null, ct);
            times.Add(Stopwatch.GetElapsedTime(started).TotalNanoseconds);
            await pool.FreePagesAsync(address, PagesAllocated, ct);
        }

        return Median.Of(times);
    }

    /// <summary>The command and a client are processes of their own, as they are for a user.</summary>
    private static async Task<double> StartNsAsync(CancellationToken ct)
    {
        var directory = Directory.CreateTempSubdirectory("rcmp-compare-up-").FullName;
        try
        {
            var started = Stopwatch.GetTimestamp();
            await UpAsync(directory, ct);
            await using var client = await ClientProcess.StartAsync(LocalCluster.Open(directory).ClientConfiguration(0), ct);
            var address = (await client.AskAsync(new ClientRequest { Kind = ClientRequest.Allocate, Pages = 1 }, null, ct)).Address;
            await client.AskAsync(new ClientRequest { Kind = ClientRequest.Run, Workload = new WorkloadSpec { Address = address, Pages = 1, Count = 1 } }, null, ct);
            return Stopwatch.GetElapsedTime(started).TotalNanoseconds;
        }
        finally
        {
            if (ClusterManifest.Read(directory) is not null) await LocalCluster.Open(directory).StopAsync(false);
            Directory.Delete(directory, true);
        }
    }

    private static async Task UpAsync(string directory, CancellationToken ct)
    {
        var start = SelfLauncher.Describe(["up", "--detach", "--dir", directory]);
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        using var up = Process.Start(start)!;
        var complaint = up.StandardError.ReadToEndAsync(ct);
        await up.StandardOutput.ReadToEndAsync(ct);
        await up.WaitForExitAsync(ct);
        if (up.ExitCode != 0) throw new CommandException(up.ExitCode, $"rcmp up: {(await complaint).Split('\n')[0]}");
    }

    private static double Ns(Action action)
    {
        var started = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(started).TotalNanoseconds;
    }
}
