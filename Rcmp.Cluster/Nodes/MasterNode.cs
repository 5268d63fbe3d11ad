using Akka.Actor;
using Akka.Cluster.Tools.Singleton;
using Microsoft.Extensions.Logging;
using Rcmp.Cluster.Actors;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Status;
using Rcmp.Protocol;

namespace Rcmp.Cluster.Nodes;

/// <summary>A master's process. All its state is soft, so nothing outlives its actor systems.</summary>
internal sealed class MasterNode(MasterNodeOptions options, ILoggerFactory loggers) : ClusterNode(options.Node, SystemConfig.MasterRole, loggers)
{
    /// <summary>Runs a master until cancelled.</summary>
    /// <exception cref="PoolNotConnectedException">No other master could be reached.</exception>
    /// <exception cref="PoolException">The port is in use.</exception>
    public static async Task RunAsync(MasterNodeOptions options, ILoggerFactory loggers, Action? ready, CancellationToken ct)
    {
        await using var node = new MasterNode(options, loggers);
        await RunAsync(node, ready, ct).ConfigureAwait(false);
    }

    internal static async Task RunAsync(ClusterNode node, Action? ready, CancellationToken ct)
    {
        var run = node.RunAsync(ct);
        if (await Task.WhenAny(node.Ready, run).ConfigureAwait(false) == node.Ready) ready?.Invoke();
        await run.ConfigureAwait(false);
    }

    protected override void Begin(ActorSystem system, string selfAddress)
    {
        var roster = new NodeRoster(system);
        var log = Loggers.CreateLogger("Rcmp.Master");
        var master = new MasterOptions { Settings = options.Node.Settings, GraceNs = (long)options.Grace.TotalNanoseconds };
        var rosterInterval = Timing.GetTimeSpan("roster-interval");
        DirectoryRegion.StartRoster(system, roster, rack: null, Log);
        system.ActorOf(
            ClusterSingletonManager.Props(
                Props.Create(() => new MasterActor(master, roster, rosterInterval, log)),
                PoisonPill.Instance,
                ClusterSingletonManagerSettings.Create(system).WithRole(SystemConfig.MasterRole)),
            Paths.Master);
        DirectoryRegion.StartDirectory(system, options.Node, roster, Fatal, Loggers, ShardObserver);
        var proxy = DirectoryRegion.StartMasterProxy(system);
        system.ActorOf(Props.Create(() => new AdminActor(options.Node, roster, proxy, null)), Paths.Admin);
    }
}
