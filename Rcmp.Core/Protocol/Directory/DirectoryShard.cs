using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>The directory of a slice of the page ids.</summary>
internal sealed partial class DirectoryShard
{
    /// <param name="shard">Which slice.</param>
    /// <param name="incarnation">Random, for the term.</param>
    /// <param name="options">Settings.</param>
    /// <param name="random">Jitter.</param>
    public DirectoryShard(ShardId shard, uint incarnation, DirectoryOptions options, Func<ulong> random) => throw new NotSupportedException($"{shard}{incarnation}{options}{random}");

    /// <summary>When <see cref="Tick"/> is due; <see cref="long.MaxValue"/> if never.</summary>
    public long NextDeadlineNs => throw new NotSupportedException();

    /// <summary>A message has arrived; the first must be a <see cref="RosterChanged"/>, from this node's own knowledge.</summary>
    public void Handle(IPoolProtocol message, long nowNs, IShardEffects effects) => throw new NotSupportedException($"{message}{nowNs}{effects}");

    /// <summary>Deadlines are checked.</summary>
    public void Tick(long nowNs, IShardEffects effects) => throw new NotSupportedException($"{nowNs}{effects}");
}
