using Rcmp.Cluster.Client;
using Rcmp.Cluster.Nodes;
using Rcmp.DataPath;
using Rcmp.Fabric;
using Rcmp.Runtime.Embedded;

namespace Rcmp;

/// <summary>Opens pools.</summary>
public static class RcmpPool
{
    /// <summary>Connects to the rack daemon on this machine. The client has an actor system of its own, which is not a member of the cluster.</summary>
    /// <exception cref="PoolConfigurationException">An option is missing or outside its range.</exception>
    /// <exception cref="PoolNotConnectedException">The daemon does not answer within the timeout.</exception>
    /// <exception cref="PoolMismatchException">The rack belongs to another pool, or has another format version.</exception>
    /// <exception cref="PoolExhaustedException">All sessions of the rack are taken.</exception>
    public static async Task<IMemoryPool> ConnectAsync(RcmpClientOptions options, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var system = SystemConfig.Start(
            Paths.Client, SystemConfig.ForClient(options.Host, options.Port, options.TimingProfile), options.LoggerFactory, "rcmp.node.host and rcmp.node.port");
        try
        {
            return await ConnectAsync(system, ownsSystem: true, options, ct).ConfigureAwait(false);
        }
        catch
        {
            await EndedSystem.TerminateAsync(system).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>As <see cref="ConnectAsync(RcmpClientOptions, CancellationToken)"/>, with the options of a HOCON file.</summary>
    public static Task<IMemoryPool> ConnectAsync(string path, CancellationToken ct = default) => ConnectAsync(RcmpClientOptions.Load(path), ct);

    /// <summary>Starts a pool inside this process: for tests, samples, and applications that want the API without a cluster. Where <c>/dev/shm</c> is too
    /// small for its regions they are files in the temporary directory, slower at first touch: that is logged, and <see cref="PoolInfo.RegionPath"/> of <see cref="IMemoryPool.Info"/> tells.</summary>
    public static async Task<IMemoryPool> StartEmbeddedAsync(EmbeddedPoolOptions? options = null, CancellationToken ct = default)
    {
        options ??= new EmbeddedPoolOptions();
        var cluster = new EmbeddedCluster(options);
        try
        {
            await cluster.StartAsync(ct).ConfigureAwait(false);
            return cluster.Connect(options.ClientRack, ownsCluster: true);
        }
        catch
        {
            cluster.Dispose();
            throw;
        }
    }

    internal static async Task<IMemoryPool> ConnectAsync(Akka.Actor.ActorSystem system, bool ownsSystem, RcmpClientOptions options, CancellationToken ct)
    {
        var (control, grant) = await AkkaControlPlane.ConnectAsync(system, ownsSystem, options, ct).ConfigureAwait(false);
        try
        {
            return PoolClient.Open(grant, control, new NativeFabric(), options.ToDataPath());
        }
        catch
        {
            await control.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }
}
