using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;
using Akka.Hosting;
using Rcmp.Cluster.Nodes;

namespace Rcmp;

/// <summary>A client of the pool inside an application's own actor system.</summary>
public static class RcmpAkkaExtensions
{
    /// <summary>Adds a client's actor and the pool's serializer to the application's system, and changes nothing global there. The system must be
    /// able to talk to others (remoting or cluster), under a name that the rack's daemon reaches. Get the pool by <see cref="GetRcmpPool"/>,
    /// or register it with <see cref="RcmpServiceCollectionExtensions.AddRcmpClientOfAkka"/>, after <c>AddAkka</c>.</summary>
    public static AkkaConfigurationBuilder WithRcmpClient(this AkkaConfigurationBuilder builder, Action<RcmpClientOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder
            .AddHocon(ConfigurationFactory.ParseString(SystemConfig.Bindings), HoconAddMode.Append)
            .AddSetup(PoolSetup.Instance)
            .AddStartup(async (system, _) => await PoolExtensionProvider.Instance.Apply(system).ConnectAsync(configure).ConfigureAwait(false));
    }

    /// <summary>The pool that <see cref="WithRcmpClient"/> has connected.</summary>
    /// <exception cref="PoolNotConnectedException">The system was not set up so, or has not started yet.</exception>
    public static IMemoryPool GetRcmpPool(this ActorSystem system) =>
        PoolExtensionProvider.Instance.Apply(system).Pool is { IsCompletedSuccessfully: true } pool
            ? pool.Result
            : throw new PoolNotConnectedException("The actor system has no pool: call WithRcmpClient when it is configured, and wait until it has started.");

    /// <summary>The pool of the system, as soon as it is connected; null if the system has not begun to start, so that a host that starts one service after the other would wait for ever.</summary>
    /// <exception cref="PoolConfigurationException">There is no system, or none that connects a pool when it starts.</exception>
    internal static Task<IMemoryPool>? PoolOf(ActorSystem? system, CancellationToken ct)
    {
        if (system is null || !system.Settings.Setup.Get<PoolSetup>().HasValue)
            throw new PoolConfigurationException("AddRcmpClientOfAkka finds no pool: call AddAkka with WithRcmpClient, which connects it, before it.");
        var extension = PoolExtensionProvider.Instance.Apply(system);
        return extension.HasBegun ? extension.Pool.WaitAsync(ct) : null;
    }

    /// <summary>Says that the system connects a pool when it starts.</summary>
    private sealed class PoolSetup : Setup
    {
        public static readonly PoolSetup Instance = new();
    }

    private sealed class PoolExtensionProvider : ExtensionIdProvider<PoolExtension>
    {
        public static readonly PoolExtensionProvider Instance = new();

        public override PoolExtension CreateExtension(ExtendedActorSystem system) => new(system);
    }

    private sealed class PoolExtension(ExtendedActorSystem system) : IExtension
    {
        private readonly TaskCompletionSource<IMemoryPool> _pool = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private volatile bool _hasBegun;

        public Task<IMemoryPool> Pool => _pool.Task;

        public bool HasBegun => _hasBegun;

        public async Task ConnectAsync(Action<RcmpClientOptions> configure)
        {
            _hasBegun = true;
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
