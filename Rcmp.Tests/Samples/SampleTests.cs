using Rcmp.Tests.Cluster;
using Rcmp.Tests.Hosts;

namespace Rcmp.Tests.Samples;

public sealed class SampleTests
{
    [Fact]
    public async Task TheSamplesOfTheEmbeddingGuideRun()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        var rack = cluster.ClientOptions(0).Rack;
        Assert.Equal(3ul, await HostedSample.RunAsync(rack));
        Assert.Equal("pooled", await AkkaSample.RunAsync(rack));
        using var configuration = new TemporaryFile($"rcmp.pool.id = \"{cluster.PoolId}\"\nrcmp.client.rack = \"{rack}\"\n");
        Assert.Equal(42ul, await ConnectSample.RunAsync(rack, configuration.Path));
    }
}
