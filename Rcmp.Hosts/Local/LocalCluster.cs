using Rcmp.Hosts.Cli;
using Rcmp.Runtime;

namespace Rcmp.Hosts.Local;

/// <summary>A pool of real processes on this machine, in a directory with its configuration, logs and process ids.</summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    private static readonly TimeSpan ReadyTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(5);

    private readonly bool _detached;

    private LocalCluster(string directory, ClusterManifest manifest, bool detached, LinkNetwork? network = null, IReadOnlyList<string>? launcher = null)
    {
        Directory = directory;
        Manifest = manifest;
        _detached = detached;
        Network = network;
        Nodes = [.. manifest.Nodes.Select(n => new NodeProcess(directory, n, [.. network?.LauncherOf(n.Name) ?? [], .. launcher ?? []]))];
    }

    public string Directory { get; }

    public ClusterManifest Manifest { get; }

    public IReadOnlyList<NodeProcess> Nodes { get; }

    /// <summary>If the nodes have one of their own.</summary>
    public LinkNetwork? Network { get; }

    public IReadOnlyList<NodeProcess> Masters => [.. Nodes.Where(n => n.Node.Role == "master")];

    public IReadOnlyList<NodeProcess> Racks => [.. Nodes.Where(n => n.Node.Role == "rack")];

    /// <summary>What starts it again: an 'rcmp up' alone would start another if it is not the one in the default directory.</summary>
    public string StartedBy => Directory == LocalClusterOptions.DefaultDirectory ? "rcmp up" : $"rcmp up --dir {(Directory.Contains(' ') ? $"\"{Directory}\"" : Directory)}";

    public bool IsRunning => Nodes.Any(n => n.Running is not null);

    /// <summary>The pool was there before it was started here: whatever happens, its regions stay, unless somebody takes it down.</summary>
    public bool IsTakenUp { get; private init; }

    /// <summary>What <c>down --keep</c> has left in a directory; null if nothing.</summary>
    /// <exception cref="CommandException">A part of it is missing.</exception>
    public static ClusterManifest? Kept(string directory)
    {
        if (ClusterManifest.Read(Path.GetFullPath(directory)) is not { } manifest) return null;
        var regions = manifest.Nodes.Select(n => n.RegionPath).OfType<string>().ToList();
        var missing = regions.Where(path => !File.Exists(path)).ToList();
        if (missing.Count == regions.Count) return null;
        // A new region among old ones would be another rack of the same pool, and might get a number that was given out already.
        return missing.Count == 0 ? manifest : throw CommandException.Usage(
            $"{directory} has the regions of a pool, but not {string.Join(", ", missing)}: put that back, or remove the pool with 'rcmp down --dir {directory}'");
    }

    /// <summary>Writes the files of a new cluster, or takes up the regions that <c>down --keep</c> left. Nothing runs yet.</summary>
    public static LocalCluster Prepare(LocalClusterOptions options, Action<string> say)
    {
        options = options with { Directory = Path.GetFullPath(options.Directory) };
        var poolId = Guid.NewGuid();
        if (ClusterManifest.Read(options.Directory) is { } earlier && new LocalCluster(options.Directory, earlier, options.Detached).IsRunning)
            throw CommandException.Usage($"a cluster runs in {options.Directory} already: 'rcmp down' stops it, --dir starts another elsewhere");
        var kept = Kept(options.Directory);
        if (kept is not null)
        {
            if (kept.Racks != options.Racks || kept.PageSize != options.PageSize.Bytes || kept.RegionSize != options.RegionSize.Bytes)
            {
                throw CommandException.Usage(
                    $"{options.Directory} has the regions of a pool with {kept.Racks} racks of {new ByteSize(kept.RegionSize)} and pages of {new ByteSize(kept.PageSize)}: "
                    + "give the same or nothing, or remove them with 'rcmp down'");
            }
            poolId = kept.PoolId;
            say($"taking up pool {poolId}, whose regions were kept");
        }
        foreach (var log in System.IO.Directory.Exists(options.Directory) ? System.IO.Directory.GetFiles(options.Directory, "*.log") : []) File.Delete(log);
        return new LocalCluster(options.Directory, ClusterFiles.Write(options, poolId, kept, say), options.Detached, options.Network, options.Launcher) { IsTakenUp = kept is not null };
    }

    /// <summary>The cluster of a directory, running or not; without one, that which <c>up</c> started last.</summary>
    public static LocalCluster Open(string? directory)
    {
        var path = Path.GetFullPath(directory ?? LastCluster.Directory);
        var manifest = ClusterManifest.Read(path)
            ?? throw CommandException.Unreachable($"no local cluster in {path}: 'rcmp up' starts one" + (directory is null ? ", --dir names another place" : ""));
        return new LocalCluster(path, manifest, true);
    }

    /// <summary>The configuration of a client of the rack.</summary>
    public string ClientConfiguration(int rack) => rack >= 0 && rack < Racks.Count
        ? ClusterFiles.ConfigurationOf(Directory, $"client{rack}")
        : throw CommandException.Usage($"there is no rack {rack} in {Directory}: its racks are 0 to {Racks.Count - 1}");

    /// <summary>What a client process of the rack is started with: it belongs where the rack is.</summary>
    public IReadOnlyList<string> ClientLauncher(int rack) => Network?.LauncherOf(Racks[rack].Name) ?? [];

    /// <summary>Starts all nodes; returns when they serve. If one fails, all are stopped again; a new pool is removed, one that was taken up is not.</summary>
    public async Task StartAsync(Action<string> say, CancellationToken ct)
    {
        try
        {
            foreach (var master in Masters) master.Start(_detached);
            foreach (var rack in Racks)
            {
                // One after the other, so that rack 0 gets the lowest number.
                rack.Start(_detached);
                await rack.WaitReadyAsync(ReadyTimeout, ct);
                say($"{rack.Name} serves {rack.Node.RegionPath} as rack {rack.Rack}");
            }
            foreach (var master in Masters) await master.WaitReadyAsync(ReadyTimeout, ct);
        }
        catch
        {
            await StopAsync(IsTakenUp);
            throw;
        }
    }

    public async Task RestartAsync(NodeProcess node, CancellationToken ct)
    {
        await node.StopAsync(StopTimeout);
        node.Start(_detached);
        await node.WaitReadyAsync(ReadyTimeout, ct);
    }

    /// <summary>Stops what runs, racks first, and removes the regions unless they are kept.</summary>
    public async Task StopAsync(bool keepRegions)
    {
        await Task.WhenAll(Racks.Select(r => r.StopAsync(StopTimeout)));
        await Task.WhenAll(Masters.Select(m => m.StopAsync(StopTimeout)));
        if (keepRegions) return;
        foreach (var rack in Racks) RegionFiles.Remove(rack.Node.RegionPath!);
        if (Manifest.Ephemeral) System.IO.Directory.Delete(Directory, true);
        else ClusterFiles.Remove(Directory, Manifest);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_detached) await StopAsync(IsTakenUp);
    }
}
