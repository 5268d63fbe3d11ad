namespace Rcmp.Hosts.Demo;

/// <summary>What <c>demo --json</c> prints.</summary>
internal sealed record DemoResult
{
    public required bool Ok { get; init; }

    public required int Racks { get; init; }

    public required long Files { get; init; }

    public required long BytesVerified { get; init; }

    public required long RackHits { get; init; }

    public required long DirectIo { get; init; }

    public required long Swaps { get; init; }

    public required long RackHitP50Ns { get; init; }

    public required long DirectIoP50Ns { get; init; }

    public required double ElapsedSeconds { get; init; }
}
