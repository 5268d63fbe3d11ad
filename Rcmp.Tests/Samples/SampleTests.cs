using Rcmp.Tests.Cluster;

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
    }
}
