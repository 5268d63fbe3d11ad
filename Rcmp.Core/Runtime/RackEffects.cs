using Microsoft.Extensions.Logging;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Runtime;

/// <summary>Carries out what the rack's state machine decided. Called under the host's lock; what takes time goes to a worker, and its
/// end comes back as an event.</summary>
internal sealed class RackEffects(RackHost host, GuardTable guards, IFabricServer server, QuiesceWorker quiesce, PullWorker pulls, FenceWorker fences, ILogger log)
    : IRackEffects
{
    public void SendToShard(ShardId shard, IPoolProtocol message) => host.Transport?.ToShard(shard, message);

    public void SendToRack(RackId rack, IPoolProtocol message) => host.Transport?.ToRack(rack, message);

    public void SendToMaster(IPoolProtocol message) => host.Transport?.ToMaster(message);

    public void SendToSession(SessionToken session, IPoolProtocol message) => host.Transport?.ToSession(session, message);

    public void Quiesce(ulong ticket, PageId page, long budgetNs, bool remoteOnly) => PostIfEnded(quiesce.Begin(ticket, page, null, budgetNs, remoteOnly));

    public void QuiesceLink(ulong ticket, LinkRecord link, long budgetNs) =>
        PostIfEnded(quiesce.Begin(ticket, PageId.None, link, budgetNs, remoteOnly: true));

    public void Pull(ulong ticket, PageId page, LinkRecord from, FrameIndex source, FrameIndex target) => pulls.Enqueue(ticket, page, from, source, target);

    public void AcceptRegistration(LinkId link) => server.AcceptRegistration(link);

    public void Fence(ulong ticket, RackId rack) => fences.Enqueue(ticket, () => server.Fence(rack));

    public void DestroyConnections(ulong ticket, IReadOnlyList<ulong> connections)
    {
        ulong[] names = [.. connections];
        fences.Enqueue(ticket, () => server.Destroy(names));
    }

    public void ReleaseConnections(IReadOnlyList<ulong> connections) => guards.ClearConnections(connections);

    public void ReleaseConnectionsOf(LinkRecord link) => guards.ClearConnectionsOf(link.Number);

    public void Registered(RackId rack) => host.OnRegistered(rack);

    public void RosterKnown(RosterChanged roster) => host.Transport?.RosterKnown(roster);

    public void SessionFreed(SessionToken session) => host.OnSessionFreed(session);

    public void Fatal(string message) => host.Fatal(message);

    public void Log(RackLogLevel level, string message) => RackLog.Write(log, level, message);

    private void PostIfEnded(QuiesceEnded? ended)
    {
        if (ended is not null) host.Post(ended);
    }
}
