using System.CommandLine;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Commands;

/// <summary>Which pool an operator's command asks: <c>--config</c>, or the local cluster.</summary>
internal sealed class PoolTarget
{
    private readonly Option<string?> _config =
        SharedOptions.Text("--config", "FILE", "The HOCON file of a client or of a node (default: the cluster that 'rcmp up' started).");

    private readonly Option<string?> _directory = SharedOptions.Directory();

    public void AddTo(Command command)
    {
        command.Add(_config);
        command.Add(_directory);
    }

    public (PoolMonitor Monitor, LocalCluster? Cluster) Open(CommandContext context)
    {
        if (context.Has(_config) && context.Has(_directory)) throw CommandException.Usage("--config and --dir cannot be given together");
        if (context.Get(_config) is { } file) return (PoolMonitor.Of(file), null);
        var cluster = LocalCluster.Open(context.Get(_directory));
        return (PoolMonitor.Of(cluster), cluster);
    }
}
