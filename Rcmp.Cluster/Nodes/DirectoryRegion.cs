using System.Globalization;
using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using Akka.Cluster.Tools.Singleton;
using Microsoft.Extensions.Logging;
using Rcmp.Cluster.Actors;
using Rcmp.Cluster.Configuration;

namespace Rcmp.Cluster.Nodes;

/// <summary>What masters and racks both run: the directory's shards, a way to the master, the roster.</summary>
internal static class DirectoryRegion
{
    public static IActorRef StartDirectory(ActorSystem system, NodeOptions options, NodeRoster roster, Action<string> fatal, ILoggerFactory loggers, IShardObserver? observer)
    {
        var log = loggers.CreateLogger("Rcmp.Directory");
        var directory = options.ToDirectory();
        var sharding = ClusterSharding.Get(system);
        var settings = ClusterShardingSettings.Create(system);
        return sharding.Start(
            Paths.Directory,
            entity => Props.Create(() => new DirectoryShardActor(
                new ShardId(int.Parse(entity, CultureInfo.InvariantCulture)), directory, roster, fatal, log, observer)),
            settings,
            new DirectoryExtractor(options.Geometry, options.DirectoryShards),
            new RacksFirst(sharding.DefaultShardAllocationStrategy(settings), RacksOf),
            PoisonPill.Instance);
    }

    private static (IReadOnlySet<Address> Racks, bool Whole) RacksOf(ActorSystem system)
    {
        var state = Akka.Cluster.Cluster.Get(system).State;
        var racks = state.Members.Where(m => m.HasRole(SystemConfig.RackRole) && m.Status == MemberStatus.Up).Select(m => m.Address).ToHashSet();
        return (racks, state.Unreachable.IsEmpty && state.Members.All(m => m.Status is not (MemberStatus.Joining or MemberStatus.WeaklyUp)));
    }

    public static IActorRef StartMasterProxy(ActorSystem system) => system.ActorOf(
        ClusterSingletonProxy.Props("/user/" + Paths.Master, ClusterSingletonProxySettings.Create(system).WithRole(SystemConfig.MasterRole)),
        Paths.MasterProxy);

    public static void StartRoster(ActorSystem system, NodeRoster roster, Action<Protocol.Messages.RosterChanged>? rack, ILogger log) =>
        system.ActorOf(Props.Create(() => new RosterActor(roster, rack, log)), Paths.Roster);
}
