using Microsoft.Extensions.Hosting;

namespace Rcmp.Cluster.Hosting;

/// <summary>Connects the application's pool when the host starts, and disposes it when it stops.</summary>
internal sealed class PoolConnection(Func<CancellationToken, Task<IMemoryPool>> connect) : IHostedService
{
    private IMemoryPool? _pool;

    public IMemoryPool Pool => _pool ?? throw new PoolNotConnectedException("The pool is connected when the host starts: use it after that.");

    public async Task StartAsync(CancellationToken cancellationToken) => _pool ??= await connect(cancellationToken).ConfigureAwait(false);

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_pool is { } pool) await pool.DisposeAsync().ConfigureAwait(false);
    }
}
