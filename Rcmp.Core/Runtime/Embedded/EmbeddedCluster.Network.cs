using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Runtime.Embedded;

internal sealed partial class EmbeddedCluster
{
    private void DeliverToShard(ShardId shard, IPoolProtocol message) =>
        _dispatcher.Post(() =>
        {
            if (ShardHearing?.Invoke(shard, message) != false) _shards[shard.Value].Handle(message, NowNs, _shardEffects[shard.Value]);
        });

    private void DeliverToRack(RackId rack, IPoolProtocol message) => _dispatcher.Post(() => FindRack(rack)?.Deliver(message));

    private void DeliverToMaster(IPoolProtocol message) => _dispatcher.Post(() => _master.Handle(message, NowNs, _masterEffects));

    private void DeliverToSession(SessionToken session, IPoolProtocol message)
    {
        // Straight to the waiting client: its thread is only woken, nothing of it runs here.
        if (message is ISessionReply reply && _sessions.TryGetValue(session, out var control)) control.Complete(reply);
    }

    private sealed class Transport(EmbeddedCluster cluster, string nodeAddress) : IRackTransport
    {
        public string NodeAddress => nodeAddress;

        public void ToShard(ShardId shard, IPoolProtocol message) => cluster.DeliverToShard(shard, message);

        public void ToRack(RackId rack, IPoolProtocol message) => cluster.DeliverToRack(rack, message);

        public void ToMaster(IPoolProtocol message) => cluster.DeliverToMaster(message);

        public void ToSession(SessionToken session, IPoolProtocol message) => cluster.DeliverToSession(session, message);

        public void RosterKnown(RosterChanged roster)
        {
            // The master's broadcast has reached everybody already.
        }

        public void Fatal(string message) => cluster.Stop(message);
    }

    private sealed class ShardEffects(EmbeddedCluster cluster, ShardId shard) : IShardEffects
    {
        public void SendToRack(RackId rack, IPoolProtocol message)
        {
            cluster.ShardSending?.Invoke(shard, message);
            cluster.DeliverToRack(rack, message);
        }

        public void Log(RackLogLevel level, string message) => RackLog.Write(cluster._log, level, message);

        public void Fatal(string message) => cluster.Stop(message);
    }

    private sealed class MasterEffects(EmbeddedCluster cluster) : IMasterEffects
    {
        public void SendToNode(string nodeAddress, IPoolProtocol message) =>
            cluster._dispatcher.Post(() => cluster._racks.Find(host => host.Transport?.NodeAddress == nodeAddress)?.Deliver(message));

        public void Broadcast(RosterChanged roster) => cluster._dispatcher.Post(() =>
        {
            foreach (var host in cluster._racks) host.Deliver(roster);
            for (var i = 0; i < Shards; i++) cluster._shards[i].Handle(roster, NowNs, cluster._shardEffects[i]);
        });

        public void Log(RackLogLevel level, string message) => RackLog.Write(cluster._log, level, message);
    }
}
