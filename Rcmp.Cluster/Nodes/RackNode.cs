using Akka.Actor;
using Microsoft.Extensions.Logging;
using Rcmp.Cluster.Actors;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Status;
using Rcmp.Cluster.Transport;
using Rcmp.Fabric;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;
using Rcmp.Runtime;

namespace Rcmp.Cluster.Nodes;

/// <summary>A rack daemon's process: the host, which lives as long as it, and actor systems around it.</summary>
internal sealed class RackNode : ClusterNode
{
    private static readonly TimeSpan ReadyPoll = TimeSpan.FromMilliseconds(10);

    private readonly RackNodeOptions _options;
    private AkkaRackTransport? _transport;
    private volatile bool _accepted;

    /// <summary>Attaches the region (formats it first if it does not exist and a size is configured) and starts to serve it.</summary>
    public RackNode(RackNodeOptions options, ILoggerFactory loggers)
        : base(options.Node, SystemConfig.RackRole, loggers)
    {
        _options = options;
        Host = RackHost.Start(options.ToHost(PrepareRegion(options)), new NativeFabric(), loggers.CreateLogger("Rcmp.Rack"));
    }

    public RackHost Host { get; }

    /// <summary>Runs a rack daemon until cancelled.</summary>
    /// <exception cref="PoolNotConnectedException">No master could be reached, or it gave no number in time.</exception>
    /// <exception cref="PoolMismatchException">The master's pool has another id, page size or number of shards.</exception>
    /// <exception cref="PoolException">The port is in use; the region is busy, damaged or of another pool.</exception>
    public static async Task RunAsync(RackNodeOptions options, ILoggerFactory loggers, Action? ready, CancellationToken ct)
    {
        await using var node = new RackNode(options, loggers);
        await MasterNode.RunAsync(node, ready, ct).ConfigureAwait(false);
    }

    protected override void Begin(ActorSystem system, string selfAddress)
    {
        var roster = new NodeRoster(system);
        var sessions = new SessionRegistry();
        var directory = DirectoryRegion.StartDirectory(system, _options.Node, roster, Fatal, Loggers, ShardObserver);
        var master = DirectoryRegion.StartMasterProxy(system);
        DirectoryRegion.StartRoster(system, roster, Host.Deliver, Log);
        system.ActorOf(Props.Create(() => new RackActor(Host, OnAccepted, OnRefused)).WithDispatcher(SystemConfig.Dispatcher), Paths.Rack);
        system.ActorOf(
            Props.Create(() => new SessionManagerActor(Host, sessions, Log)).WithDispatcher(SystemConfig.Dispatcher), Paths.Sessions);
        system.ActorOf(Props.Create(() => new AdminActor(_options.Node, roster, master, Host)), Paths.Admin);
        _transport = new AkkaRackTransport(selfAddress, roster, directory, master, sessions, ActorLane.Of(system), Fatal);
        Host.Attach(_transport);
    }

    protected override void End()
    {
        if (_transport is { } transport) Host.Detach(transport);
    }

    protected override void Release() => Host.Dispose();

    protected override async Task BecomeReadyAsync(CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(_options.Node.JoinTimeout);
        var status = await Host.StatusAsync().ConfigureAwait(false);
        while (!status.Registered)
        {
            await Task.Delay(ReadyPoll, patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ct.ThrowIfCancellationRequested();
            if (patience.IsCancellationRequested)
                throw new PoolNotConnectedException(
                    $"The master gave this rack no number within {Quantity.FormatDuration(_options.Node.JoinTimeout)} (rcmp.join-timeout): {status.NotRegisteredBecause ?? "no answer"}");
            status = await Host.StatusAsync().ConfigureAwait(false);
        }
    }

    private void OnAccepted() => _accepted = true;

    private void OnRefused(RegistrationRefused refusal)
    {
        // Waiting passes; a rack that has been serving is not stopped by a master that knows less. One that was removed while it was down knows its number, and so is ready, before it hears of that.
        var removedWhileDown = refusal.Problem == RegistrationProblem.Forgotten && !_accepted;
        if (refusal.Problem is RegistrationProblem.None or RegistrationProblem.Waiting || (Ready.IsCompleted && !removedWhileDown)) return;
        ClusterLog.RegistrationRefused(Log, refusal.Problem.ToString(), refusal.Why);
        Fail(refusal.Problem switch
        {
            RegistrationProblem.RosterFull => new PoolExhaustedException(refusal.Why, isTransient: false),
            _ => new PoolMismatchException(refusal.Why),
        });
    }

    /// <summary>The region's id; formats the region first if there is none.</summary>
    private static Guid PrepareRegion(RackNodeOptions options)
    {
        var path = options.Region.Path;
        if (!File.Exists(path))
        {
            if (options.Region.SizeBytes == 0)
                throw new PoolConfigurationException($"{options.Node.Common.Source}: the region {path} does not exist; set rcmp.region.size, or make it with: rcmp region create {path}.");
            return Region.Create(path, options.ToRegionCreate()).RegionId;
        }
        using var region = Region.OpenInspector(path);
        return region.Layout.RegionId;
    }
}
