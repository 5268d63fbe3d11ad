using Akka.Actor;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Rcmp.Cluster.Hosting;

namespace Rcmp;

/// <summary>Registers a client of the pool with an application.</summary>
public static class RcmpServiceCollectionExtensions
{
    /// <summary>A singleton <see cref="IMemoryPool"/>, connected by a hosted service when the host starts, with an actor system of its own.
    /// Wrong options and an unreachable rack end the start.</summary>
    public static IServiceCollection AddRcmpClient(this IServiceCollection services, Action<RcmpClientOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return services.AddPool((provider, ct) =>
        {
            var options = new RcmpClientOptions { LoggerFactory = provider.GetService<ILoggerFactory>() };
            configure(options);
            return RcmpPool.ConnectAsync(options, ct);
        });
    }

    /// <summary>As <see cref="AddRcmpClient(IServiceCollection, Action{RcmpClientOptions})"/>, with the options of a section, whose keys are the
    /// names of the properties. An unknown key ends the start.</summary>
    public static IServiceCollection AddRcmpClient(this IServiceCollection services, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        return services.AddRcmpClient(options =>
        {
            try
            {
                section.Bind(options, binder => binder.ErrorOnUnknownConfiguration = true);
            }
            catch (InvalidOperationException e)
            {
                var name = section is IConfigurationSection { Path: var path } ? $"section {path}" : "configuration";
                throw new PoolConfigurationException($"The {name} of the pool's client cannot be used: {(e.InnerException ?? e).Message}", e);
            }
        });
    }

    /// <summary>A singleton <see cref="IMemoryPool"/>: the one that <see cref="RcmpAkkaExtensions.WithRcmpClient"/> connects in the application's
    /// actor system. Call it after <c>AddAkka</c>: hosted services start in the order in which they were added, so those that come after it have
    /// the pool; before <c>AddAkka</c>, it is there when all services have started. Without <c>WithRcmpClient</c> the start ends with a
    /// <see cref="PoolConfigurationException"/>.</summary>
    public static IServiceCollection AddRcmpClientOfAkka(this IServiceCollection services) =>
        services.AddPool((provider, ct) => RcmpAkkaExtensions.PoolOf(provider.GetService<ActorSystem>(), ct));

    private static IServiceCollection AddPool(this IServiceCollection services, Func<IServiceProvider, CancellationToken, Task<IMemoryPool>?> connect)
    {
        services.AddSingleton(provider => new PoolConnection(ct => connect(provider, ct)));
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<PoolConnection>());
        services.AddSingleton(provider => provider.GetRequiredService<PoolConnection>().Pool);
        return services;
    }
}
