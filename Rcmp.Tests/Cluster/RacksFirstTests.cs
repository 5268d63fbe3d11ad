using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster.Sharding;
using Rcmp.Cluster.Nodes;

namespace Rcmp.Tests.Cluster;

/// <summary>Which nodes have the directory's shards.</summary>
public sealed class RacksFirstTests : IDisposable
{
    private static readonly Address MasterAddress = new("akka.tcp", "rcmp", "127.0.0.1", 1);
    private static readonly Address FirstAddress = new("akka.tcp", "rcmp", "127.0.0.1", 2);
    private static readonly Address SecondAddress = new("akka.tcp", "rcmp", "127.0.0.1", 3);

    private readonly ActorSystem _system = ActorSystem.Create("racks-first", "akka { loggers = [], loglevel = OFF }");
    private readonly IActorRef _master = new Region(MasterAddress);
    private readonly IActorRef _first = new Region(FirstAddress);
    private readonly IActorRef _second = new Region(SecondAddress);
    private readonly HashSet<Address> _racks = [FirstAddress, SecondAddress];
    private readonly Emptiest _inner = new();
    private bool _whole = true;
    private readonly RacksFirst _strategy;

    public RacksFirstTests()
    {
        _strategy = new RacksFirst(_inner, _ => (_racks, _whole));
        _strategy.Start(_system);
    }

    public void Dispose() => _system.Dispose();

    [Fact]
    public async Task AShardGoesToARackThoughTheMasterHasFewer()
    {
        var current = Current((_master, []), (_first, ["1", "2"]), (_second, ["3"]));
        Assert.Equal(_second, await _strategy.AllocateShard(_master, "4", current));
    }

    [Fact]
    public async Task WithoutRacksTheMasterHasThem()
    {
        _racks.Clear();
        Assert.Equal(_master, await _strategy.AllocateShard(_master, "4", Current((_master, ["1"]))));
        Assert.Empty(await _strategy.Rebalance(Current((_master, ["1"])), ImmutableHashSet<string>.Empty));
    }

    [Fact]
    public async Task ShardsOfAMasterMoveToRacksThatHaveComeAFewAtATime()
    {
        var many = Enumerable.Range(0, 40).Select(i => $"{i}").ToArray();
        var moved = await _strategy.Rebalance(Current((_master, many), (_first, [])), ImmutableHashSet.Create("0", "1"));
        Assert.Equal(14, moved.Count);
        Assert.DoesNotContain("0", moved);
        Assert.All(moved, shard => Assert.Contains(shard, many));
    }

    [Fact]
    public async Task NothingMovesWhileANodeDoesNotAnswer()
    {
        (_whole, _inner.Moves) = (false, ["1"]);
        Assert.Empty(await _strategy.Rebalance(Current((_master, ["1"]), (_first, [])), ImmutableHashSet<string>.Empty));
        Assert.Empty(await _strategy.Rebalance(Current((_master, []), (_first, ["1", "2"]), (_second, [])), ImmutableHashSet<string>.Empty));
        Assert.Equal(_first, await _strategy.AllocateShard(_master, "4", Current((_master, []), (_first, []))));
    }

    [Fact]
    public async Task AmongRacksTheInnerStrategyDecides()
    {
        _inner.Moves = ["7"];
        Assert.Equal(["7"], await _strategy.Rebalance(Current((_master, []), (_first, ["7", "8"]), (_second, [])), ImmutableHashSet<string>.Empty));
        Assert.Equal([_first, _second], _inner.Seen.Order());
    }

    private static IImmutableDictionary<IActorRef, IImmutableList<string>> Current(params (IActorRef Region, string[] Shards)[] regions) =>
        regions.ToImmutableDictionary(r => r.Region, r => (IImmutableList<string>)[.. r.Shards]);

    private sealed class Emptiest : IShardAllocationStrategy
    {
        public string[] Moves { get; set; } = [];

        public IActorRef[] Seen { get; private set; } = [];

        public Task<IActorRef> AllocateShard(IActorRef requester, string shardId, IImmutableDictionary<IActorRef, IImmutableList<string>> current) =>
            Task.FromResult(current.MinBy(region => region.Value.Count).Key);

        public Task<IImmutableSet<string>> Rebalance(IImmutableDictionary<IActorRef, IImmutableList<string>> current, IImmutableSet<string> inProgress)
        {
            Seen = [.. current.Keys];
            return Task.FromResult<IImmutableSet<string>>(Moves.ToImmutableHashSet());
        }
    }

    private sealed class Region(Address address) : MinimalActorRef
    {
        public override ActorPath Path { get; } = new RootActorPath(address) / "system" / "region";

        public override IActorRefProvider Provider => throw new NotSupportedException();
    }
}
