using Rcmp.Fabric;
using Rcmp.Runtime;

namespace Rcmp.DataPath;

/// <summary>A client's view of the pool, over the rack's mapped region, the fabric and the rack's daemon.</summary>
internal sealed partial class PoolClient : IMemoryPool
{
    /// <summary>Locks the session file, maps the region and is ready. Owns <paramref name="control"/> from now on, unless it throws.</summary>
    /// <exception cref="PoolMismatchException">The mapped region is not the granted one.</exception>
    public static PoolClient Open(SessionGrant grant, IControlPlane control, IFabric fabric, PoolClientOptions options) =>
        throw new NotSupportedException();

    public PoolClientStatistics Statistics => default;
}
