using Rcmp.Protocol;

namespace Rcmp.Cluster.Actors;

/// <summary>Is shown what a directory shard is told and what it tells, each before it has an effect. A daemon has none; tests have one, to end the process at a step.</summary>
internal interface IShardObserver
{
    /// <summary>False: the message is lost on its way to the shard.</summary>
    bool Hears(ShardId shard, IPoolProtocol message);

    void Sends(ShardId shard, IPoolProtocol message);
}
