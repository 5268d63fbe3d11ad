using Akka.Actor;
using Akka.Configuration;
using Akka.Hosting;
using Rcmp.Cluster.Nodes;

namespace Rcmp;

/// <summary>A client of the pool inside an application's own actor system.</summary>
public static class RcmpAkkaExtensions
{
    /// <summary>Adds a client's actor and the pool's serializer to the application's system, and changes nothing global there. The system must be
    /// able to talk to others (remoting or cluster), under a name that the rack's daemon reaches. Get the pool by <see cref="GetRcmpPool"/>,
    /// or register it with <see cref="RcmpServiceCollectionExtensions.AddRcmpClientOfAkka"/>.</summary>
    public static AkkaConfigurationBuilder WithRcmpClient(this AkkaConfigurationBuilder builder, Action<RcmpClientOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder
            .AddHocon(ConfigurationFactory.ParseString(SystemConfig.Bindings), HoconAddMode.Append)
            .AddStartup(async (system, _) => await PoolExtensionProvider.Instance.Apply(system).ConnectAsync(configure).ConfigureAwait(false));
    }

    /// <summary>The pool that <see cref="WithRcmpClient"/> has connected.</summary>
    /// <exception cref="PoolNotConnectedException">The system was not set up so, or has not started yet.</exception>
    public static IMemoryPool GetRcmpPool(this ActorSystem system) =>
        PoolExtensionProvider.Instance.Apply(system).Pool is { IsCompletedSuccessfully: true } pool
            ? pool.Result
            : throw new PoolNotConnectedException("The actor system has no pool: call WithRcmpClient when it is configured, and wait until it has started.");

    internal static Task<IMemoryPool> PoolOf(ActorSystem system) => PoolExtensionProvider.Instance.Apply(system).Pool;

    private sealed class PoolExtensionProvider : ExtensionIdProvider<PoolExtension>
    {
        public static readonly PoolExtensionProvider Instance = new();

        public override PoolExtension CreateExtension(ExtendedActorSystem system) => new(system);
    }

    private sealed class PoolExtension(ExtendedActorSystem system) : IExtension
    {
        private readonly TaskCompletionSource<IMemoryPool> _pool = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<IMemoryPool> Pool => _pool.Task;

        public async Task ConnectAsync(Action<RcmpClientOptions> configure)
        {
            try
            {
                var options = new RcmpClientOptions();
                configure(options);
                options.Validate();
                if (system.Provider.DefaultAddress.Port is null)
                    throw new PoolConfigurationException("The actor system cannot talk to others: configure remoting (WithRemoting) before WithRcmpClient.");
                var pool = await RcmpPool.ConnectAsync(system, ownsSystem: false, options, CancellationToken.None).ConfigureAwait(false);
                CoordinatedShutdown.Get(system).AddTask(CoordinatedShutdown.PhaseServiceStop, "rcmp-pool", async () =>
                {
                    await pool.DisposeAsync().ConfigureAwait(false);
                    return Akka.Done.Instance;
                });
                _pool.TrySetResult(pool);
            }
            catch (Exception e)
            {
                _pool.TrySetException(e);
                throw;
            }
        }
    }
}
