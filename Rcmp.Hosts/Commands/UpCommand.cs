using System.CommandLine;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Commands;

internal sealed class UpCommand : RcmpCommand
{
    private static readonly TimeSpan WatchInterval = TimeSpan.FromMilliseconds(500);

    private readonly Option<long?> _masters = SharedOptions.Count("--masters", "Masters (default 1).", 1, 9);
    private readonly Option<long?> _racks = SharedOptions.Count("--racks", "Racks (default 2).", 1, 64);
    private readonly Option<ByteSize?> _regionSize = SharedOptions.Size("--region-size", "Memory of each rack (default 256MiB).");
    private readonly Option<ByteSize?> _pageSize = SharedOptions.Size("--page-size", "The pool's page size, a power of two from 4KiB to 2MiB (default 4KiB).");
    private readonly Option<string?> _policy = SharedOptions.Policy();
    private readonly Option<string?> _directory = SharedOptions.Text("--dir", "DIR", "The cluster's directory (default: rcmp/default in $XDG_STATE_HOME or ~/.local/state).");
    private readonly Option<bool> _detach = new("--detach") { Description = "Return when the cluster serves; 'rcmp down' stops it. Without it, the cluster runs until Ctrl-C." };

    public UpCommand()
        : base("up", "Start a local cluster: masters and racks as processes of this machine.")
    {
        foreach (var option in new Option[] { _masters, _racks, _regionSize, _pageSize, _policy, _directory, _detach }) Add(option);
    }

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var defaults = DefaultsIn(context.Get(_directory) ?? LocalClusterOptions.DefaultDirectory);
        var options = defaults with
        {
            Masters = (int)(context.Get(_masters) ?? defaults.Masters),
            Racks = (int)(context.Get(_racks) ?? defaults.Racks),
            RegionSize = context.Get(_regionSize) ?? defaults.RegionSize,
            PageSize = context.Get(_pageSize) ?? defaults.PageSize,
            Detached = context.Get(_detach),
            Settings = context.Get(_policy) is { } policy ? new Dictionary<string, string> { ["rcmp.swap.policy"] = policy } : defaults.Settings,
        };
        options.Validate();
        await using var cluster = LocalCluster.Prepare(options, context.Out.WriteLine);
        await cluster.StartAsync(context.Out.WriteLine, ct);
        Remember(cluster, context);
        context.Out.WriteLine($"pool {cluster.Manifest.PoolId} is up in {cluster.Directory}");
        var at = context.Has(_directory) ? $" --dir {context.Get(_directory)}" : "";
        context.Out.WriteLine($"next: rcmp status{at} · rcmp shell --rack 0{at} · rcmp logs{at} · " + (options.Detached ? $"rcmp down{at}" : "Ctrl-C takes it down"));
        context.Out.Flush();
        if (options.Detached) return ExitCodes.Done;
        return await WatchAsync(cluster, context, ct);
    }

    /// <summary>A pool whose regions were kept is taken up as it was.</summary>
    private static LocalClusterOptions DefaultsIn(string directory)
    {
        var options = new LocalClusterOptions { Directory = directory };
        if (LocalCluster.Kept(directory) is not { } kept) return options;
        return options with
        {
            Masters = kept.Masters,
            Racks = kept.Racks,
            RegionSize = new ByteSize(kept.RegionSize),
            PageSize = new ByteSize(kept.PageSize),
            Settings = kept.Settings ?? options.Settings,
        };
    }

    private static void Remember(LocalCluster cluster, CommandContext context)
    {
        try
        {
            LastCluster.Record(cluster.Directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            context.Error.WriteLine($"commands will not find this cluster without --dir {cluster.Directory}: {Failures.OneLine(e)}");
        }
    }

    private static async Task<int> WatchAsync(LocalCluster cluster, CommandContext context, CancellationToken ct)
    {
        var lost = new HashSet<string>();
        while (!ct.IsCancellationRequested)
        {
            foreach (var node in cluster.Nodes.Where(n => n.Running is null && lost.Add(n.Name)))
                context.Error.WriteLine($"{node.Name} has ended; its log is {node.LogPath}");
            await Task.Delay(WatchInterval, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        context.Out.WriteLine(cluster.IsTakenUp ? $"stopping the cluster; its regions are kept, as they were: 'rcmp down --dir {cluster.Directory}' removes them" : "taking the cluster down");
        await cluster.StopAsync(cluster.IsTakenUp);
        if (!cluster.IsTakenUp) LastCluster.Forget(cluster.Directory);
        return ExitCodes.Done;
    }
}

internal sealed class DownCommand : RcmpCommand
{
    private readonly Option<string?> _directory = SharedOptions.Directory();
    private readonly Option<bool> _keep = new("--keep") { Description = "Keep the regions: the next 'rcmp up' takes up the pool with all its pages." };

    public DownCommand()
        : base("down", "Stop the local cluster and remove its regions.")
    {
        Add(_directory);
        Add(_keep);
    }

    public override async Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var cluster = LocalCluster.Open(context.Get(_directory));
        var running = cluster.Nodes.Count(n => n.Running is not null);
        var keeps = context.Get(_keep);
        await cluster.StopAsync(keeps);
        if (!keeps) LastCluster.Forget(cluster.Directory);
        context.Out.WriteLine($"stopped {running} of {cluster.Nodes.Count} nodes in {cluster.Directory}; " + (keeps ? $"the regions are kept: '{cluster.StartedBy}' takes up the pool" : "the regions are removed"));
        return ExitCodes.Done;
    }
}
