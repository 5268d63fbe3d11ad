namespace Rcmp.Tests.Cluster;

/// <summary>Tests with actor systems run by themselves: what else runs would be seen as nodes that do not answer, and one of them blocks the thread pool.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ClusterCollection
{
    public const string Name = "cluster";
}
