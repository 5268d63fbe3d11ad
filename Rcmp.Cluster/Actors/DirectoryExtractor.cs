using System.Globalization;
using Akka.Cluster.Sharding;
using Rcmp.Protocol;

namespace Rcmp.Cluster.Actors;

/// <summary>Which directory shard a message is for. A directory shard is one entity in one Akka shard of the same number.</summary>
internal sealed class DirectoryExtractor(PageGeometry geometry, int shards) : IMessageExtractor
{
    private readonly string[] _names = [.. Enumerable.Range(0, shards).Select(i => i.ToString(CultureInfo.InvariantCulture))];

    public string EntityId(object message) => message switch
    {
        IWithShardId named => Name(named.Shard),
        IWithPageId page => Name(geometry.ShardOf(page.Page, shards)),
        _ => null!, // Akka's way to say: not for an entity.
    };

    public object EntityMessage(object message) => message;

    public string ShardId(object message) => EntityId(message);

    public string ShardId(string entityId, object? messageHint = null) => entityId;

    private string Name(ShardId shard) => (uint)shard.Value < (uint)_names.Length ? _names[shard.Value] : null!;
}
