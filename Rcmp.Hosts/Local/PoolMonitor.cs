namespace Rcmp.Hosts.Local;

/// <summary>Asks a running pool how it is.</summary>
internal sealed class PoolMonitor : IAsyncDisposable
{
    public static Task<PoolMonitor> ConnectAsync(string configuration, CancellationToken ct) => throw new NotSupportedException();

    /// <summary>Pages that have moved since the racks started, all racks together.</summary>
    public Task<long> SwapsAsync(CancellationToken ct) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => default;
}
