using Microsoft.Extensions.Hosting;

namespace Rcmp.Cluster.Hosting;

/// <summary>Connects the application's pool when the host starts, and disposes it when it stops.</summary>
/// <param name="connect">The connected pool; null if what connects it has not started, and may only when this has.</param>
internal sealed class PoolConnection(Func<CancellationToken, Task<IMemoryPool>?> connect) : IHostedLifecycleService
{
    private IMemoryPool? _pool;

    public IMemoryPool Pool => _pool ?? throw new PoolNotConnectedException("The pool is connected when the host starts: use it after that.");

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_pool is null && connect(cancellationToken) is { } connecting) _pool = await connecting.ConfigureAwait(false);
    }

    /// <summary>All services have started: an actor system that was added after this one too.</summary>
    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        await StartAsync(cancellationToken).ConfigureAwait(false);
        if (_pool is null) throw new PoolConfigurationException("The pool is not connected: the host has not started the actor system that WithRcmpClient was called for.");
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_pool is { } pool) await pool.DisposeAsync().ConfigureAwait(false);
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
