using Rcmp.Protocol;

namespace Rcmp.Cluster.Messages;

/// <summary>A node to a seed that is no member of its cluster, or cannot be reached as one: in which one are you?</summary>
internal sealed record AskCluster : IPoolProtocol;

/// <summary>Answer to <see cref="AskCluster"/>, by a node that is up. <paramref name="Uid"/> tells its actor system from others that had the same address.</summary>
internal sealed record ClusterAnswered(Guid PoolId, int Uid, ClusterStanding Standing) : IPoolProtocol;

/// <summary>What decides, between two clusters of one pool, which one stays: that with a master, then the larger one, then the one with the lowest address. All nodes come to the same
/// result, so that those of the other one join it.</summary>
/// <param name="AskedNode">The node that says so.</param>
/// <param name="HasMaster">A master is up and can be reached.</param>
/// <param name="Members">Nodes that are up and can be reached.</param>
/// <param name="First">The lowest of their addresses, in ordinal order.</param>
internal sealed record ClusterStanding(string AskedNode, bool HasMaster, int Members, string First) : IComparable<ClusterStanding>
{
    /// <summary>More than 0: this one stays, and the other's nodes join it.</summary>
    public int CompareTo(ClusterStanding? other)
    {
        if (other is null) return 1;
        if (HasMaster != other.HasMaster) return HasMaster ? 1 : -1;
        return Members != other.Members ? Members.CompareTo(other.Members) : string.CompareOrdinal(other.First, First);
    }
}
