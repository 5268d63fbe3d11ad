using System.CommandLine;
using Rcmp.Cluster.Configuration;
using Rcmp.DataPath;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Commands;

/// <summary>Which pool a command talks to: <c>--config</c>, or a rack of the local cluster.</summary>
internal sealed class ClientTarget
{
    private readonly Option<string?> _config = SharedOptions.Text("--config", "FILE", "A client's HOCON file (default: the cluster that 'rcmp up' started).");
    private readonly Option<long?> _rack = SharedOptions.Count("--rack", "Which rack of the local cluster, from 0 (default 0).", 0, 4094);
    private readonly Option<string?> _directory = SharedOptions.Directory();

    public void AddTo(Command command)
    {
        command.Add(_config);
        command.Add(_rack);
        command.Add(_directory);
    }

    /// <summary>The client's configuration file. A local cluster that does not run is told at once, without waiting for an answer.</summary>
    public string Resolve(CommandContext context)
    {
        foreach (var other in new Option[] { _rack, _directory })
        {
            if (context.Has(_config) && context.Has(other)) throw CommandException.Usage($"--config and {other.Name} cannot be given together");
        }
        if (context.Get(_config) is { } file) return file;
        var cluster = LocalCluster.Open(context.Get(_directory));
        var rack = (int)(context.Get(_rack) ?? 0);
        var configuration = cluster.ClientConfiguration(rack);
        if (cluster.Racks[rack].Running is null)
            throw CommandException.Unreachable($"{cluster.Racks[rack].Name} of the cluster in {cluster.Directory} does not run: '{cluster.StartedBy}' starts it, 'rcmp logs' says why it ended");
        return configuration;
    }

    public async Task<PoolClient> ConnectAsync(CommandContext context, CancellationToken ct) => await ConnectAsync(Resolve(context), ct);

    /// <param name="configuration">The client's file.</param>
    /// <param name="ct">Ends the attempt.</param>
    /// <param name="host">Where this process is reached, if that is not what the file says.</param>
    public static async Task<PoolClient> ConnectAsync(string configuration, CancellationToken ct, string? host = null)
    {
        var options = RcmpClientOptions.Read(ConfigLoader.Load(configuration, NodeRole.Client));
        options.Host = host ?? options.Host;
        return (PoolClient)await RcmpPool.ConnectAsync(options, ct);
    }
}
