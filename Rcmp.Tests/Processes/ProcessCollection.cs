namespace Rcmp.Tests.Processes;

/// <summary>Tests with clusters of real processes run one after the other: each has the machine's cores to itself.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ProcessCollection
{
    public const string Name = "processes";
}
