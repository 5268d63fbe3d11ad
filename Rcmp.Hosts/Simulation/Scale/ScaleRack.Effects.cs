using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>What the state machine wants done: messages go to the world, guards are quiet after a moment, copies take their time.</summary>
internal sealed partial class ScaleRack : IRackEffects
{
    private const long QuiesceNs = 5_000;

    void IRackEffects.SendToShard(ShardId shard, IPoolProtocol message)
    {
        Server.CountSent();
        _world.SendToShard(shard, message);
    }

    void IRackEffects.SendToRack(RackId rack, IPoolProtocol message)
    {
        Server.CountSent();
        _world.SendToRack(rack, message);
    }

    void IRackEffects.SendToMaster(IPoolProtocol message)
    {
        Server.CountSent();
        _world.SendToMaster(message);
    }

    void IRackEffects.SendToSession(SessionToken session, IPoolProtocol message)
    {
        if (message is PagesAllocated allocated)
        {
            First = allocated.First;
            _world.Later(_options.MessageNs, () => Deliver(new AcknowledgeAllocation(session, NewRequest(), First, _options.Pages / _options.Racks)));
        }
        else if (message is ISessionReply reply && _misses.Remove(reply.Request, out var miss))
        {
            _missing.Remove(miss);
        }
    }

    void IRackEffects.Quiesce(ulong ticket, PageId page, long budgetNs, bool remoteOnly) => Quiet(ticket);

    void IRackEffects.QuiesceLink(ulong ticket, LinkRecord link, long budgetNs) => Quiet(ticket);

    private void Quiet(ulong ticket) => _world.Later(QuiesceNs, () => Happen(new QuiesceEnded(ticket, true, [], null)));

    void IRackEffects.Pull(ulong ticket, PageId page, LinkRecord from, FrameIndex source, FrameIndex target) => _world.Later(_options.PullNs, () =>
    {
        _world.Traffic.Moves++;
        Happen(new PullEnded(ticket, true, _world.RackOf(from.Id.Owner.Rack).Store.ReadRow(source), _options.PullNs, null));
    });

    void IRackEffects.AcceptRegistration(LinkId link)
    {
    }

    void IRackEffects.Fence(ulong ticket, RackId rack) => _world.Later(QuiesceNs, () => Happen(new FenceEnded(ticket)));

    void IRackEffects.DestroyConnections(ulong ticket, IReadOnlyList<ulong> connections) => _world.Later(QuiesceNs, () => Happen(new FenceEnded(ticket)));

    void IRackEffects.ReleaseConnections(IReadOnlyList<ulong> connections)
    {
    }

    void IRackEffects.ReleaseConnectionsOf(LinkRecord link)
    {
    }

    void IRackEffects.Registered(RackId rack)
    {
    }

    void IRackEffects.RosterKnown(RosterChanged roster)
    {
    }

    void IRackEffects.SessionFreed(SessionToken session)
    {
    }

    void IRackEffects.Log(RackLogLevel level, string message)
    {
    }

    void IRackEffects.Fatal(string message) => throw new SimViolation($"rack {Id} stopped: {message}");
}
