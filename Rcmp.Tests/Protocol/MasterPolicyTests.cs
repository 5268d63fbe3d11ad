using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Protocol;

/// <summary>A master that sees racks with different policies.</summary>
public class MasterPolicyTests : IMasterEffects
{
    private static readonly PoolSettings Settings = new(new Guid(9, 0, 0, new byte[8]), 4096, 64, 1, SwapPolicy.Adaptive);

    private readonly MasterCore _master = new(new MasterOptions { Settings = Settings, GraceNs = 0 });
    private readonly List<string> _warnings = [];

    private void Register(SwapPolicy? policy) => _master.Handle(
        new RegisterRack(
            new Guid(1, 0, 0, new byte[8]), new RackId(1), new Generation(1), "node1", Settings with { Policy = policy }, 0, ValueList<RosterEntry>.Empty, 100, 50, 0),
        1,
        this);

    [Fact]
    public void ARackWithAnotherPolicyIsWarnedOfOnceAndTakenAllTheSame()
    {
        Register(SwapPolicy.DirectIo);
        Register(SwapPolicy.DirectIo);
        Assert.Single(_master.Roster.Entries);
        var warning = Assert.Single(_warnings);
        Assert.Contains("Rack 1 at node1 has another rcmp.swap.policy than this master, direct-io instead of adaptive", warning, StringComparison.Ordinal);
        // Restarted with the pool's policy, then with another one again.
        Register(SwapPolicy.Adaptive);
        Assert.Single(_warnings);
        Register(SwapPolicy.Swap);
        Assert.Equal(2, _warnings.Count);
    }

    [Theory]
    [InlineData(SwapPolicy.Adaptive)]
    [InlineData(null)]
    public void OfARackWithThePoolsPolicyOrAnOlderOneThatDoesNotTellItNothingIsSaid(SwapPolicy? policy)
    {
        Register(policy);
        Assert.Empty(_warnings);
    }

    void IMasterEffects.SendToNode(string nodeAddress, IPoolProtocol message)
    {
    }

    void IMasterEffects.Broadcast(RosterChanged roster)
    {
    }

    void IMasterEffects.Log(RackLogLevel level, string message)
    {
        if (level == RackLogLevel.Warning) _warnings.Add(message);
    }
}
