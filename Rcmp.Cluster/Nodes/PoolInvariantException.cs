namespace Rcmp.Cluster.Nodes;

/// <summary>An invariant of the pool is broken: the node has stopped before it could serve wrong data.</summary>
internal sealed class PoolInvariantException(string message) : PoolException(message);
