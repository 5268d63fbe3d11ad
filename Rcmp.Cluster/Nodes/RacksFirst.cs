using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster.Sharding;
using Allocations = System.Collections.Immutable.IImmutableDictionary<Akka.Actor.IActorRef, System.Collections.Immutable.IImmutableList<string>>;

namespace Rcmp.Cluster.Nodes;

/// <summary>Where the directory's shards are: on racks, as long as there are any, and among them as <paramref name="inner"/> says. A shard beside a rack's daemon is one message less for what that rack
/// asks or is told, and the death of every master leaves the whole directory alive: pages go on moving.</summary>
/// <param name="inner">Chooses among the nodes that it is shown.</param>
/// <param name="racks">The nodes of racks, by address, as the cluster knows them now; and whether every node is there and answers.</param>
internal sealed class RacksFirst(IShardAllocationStrategy inner, Func<ActorSystem, (IReadOnlySet<Address> Racks, bool Whole)> racks) : IActorSystemDependentAllocationStrategy
{
    // A shard that moves asks all racks for their rows before it goes on.
    private const int MovedAtOnce = 16;

    private ActorSystem? _system;

    public void Start(ActorSystem system)
    {
        _system = system;
        if (inner is IActorSystemDependentAllocationStrategy dependent) dependent.Start(system);
    }

    public Task<IActorRef> AllocateShard(IActorRef requester, string shardId, Allocations currentShardAllocations) =>
        inner.AllocateShard(requester, shardId, OnRacks(currentShardAllocations));

    public Task<IImmutableSet<string>> Rebalance(Allocations currentShardAllocations, IImmutableSet<string> rebalanceInProgress)
    {
        // Every node must agree to a move, and until it has nobody is told where the shard is.
        if (_system is not { } system || !racks(system).Whole) return Task.FromResult<IImmutableSet<string>>(ImmutableHashSet<string>.Empty);
        var onRacks = OnRacks(currentShardAllocations);
        var misplaced = currentShardAllocations.Where(region => !onRacks.ContainsKey(region.Key)).SelectMany(region => region.Value)
            .Where(shard => !rebalanceInProgress.Contains(shard)).Take(MovedAtOnce - rebalanceInProgress.Count).ToImmutableHashSet();
        return misplaced.Count > 0 ? Task.FromResult<IImmutableSet<string>>(misplaced) : inner.Rebalance(onRacks, rebalanceInProgress);
    }

    private Allocations OnRacks(Allocations all)
    {
        if (_system is not { } system) return all;
        var self = ((ExtendedActorSystem)system).Provider.DefaultAddress;
        var known = racks(system).Racks;
        var onRacks = all.Where(region => known.Contains(region.Key.Path.Address.HasLocalScope ? self : region.Key.Path.Address)).ToImmutableDictionary();
        return onRacks.IsEmpty ? all : onRacks;
    }
}
