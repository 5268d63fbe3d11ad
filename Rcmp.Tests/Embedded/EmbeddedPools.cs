using Microsoft.Extensions.Logging;
using Rcmp.DataPath;
using Rcmp.Runtime.Embedded;

namespace Rcmp.Tests.Embedded;

/// <summary>An embedded cluster with clients in its racks, gone at the end of a test.</summary>
internal sealed class EmbeddedPools : IAsyncDisposable
{
    private readonly EmbeddedCluster _cluster;
    private readonly List<PoolClient> _clients = [];

    private EmbeddedPools(EmbeddedCluster cluster) => _cluster = cluster;

    public EmbeddedCluster Cluster => _cluster;

    public static async Task<EmbeddedPools> StartAsync(EmbeddedPoolOptions options, EmbeddedPlaces? places = null)
    {
        var loggers = Environment.GetEnvironmentVariable("RCMP_TEST_LOG") is null ? null : LoggerFactory.Create(builder => builder.AddSimpleConsole().SetMinimumLevel(LogLevel.Debug));
        var cluster = new EmbeddedCluster(options, loggers, places);
        await cluster.StartAsync(TestContext.Current.CancellationToken);
        return new EmbeddedPools(cluster);
    }

    public IMemoryPool Connect(int rack)
    {
        var client = _cluster.Connect(rack);
        _clients.Add(client);
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients) await client.DisposeAsync();
        _cluster.Dispose();
        Assert.Null(_cluster.FatalError);
    }
}
