using Akka.Hosting;
using Akka.Remote.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Rcmp.Tests.Cluster;

[Collection(ClusterCollection.Name)]
public sealed class HostingTests
{
    [Fact]
    public async Task AHostConnectsItsPoolAtStart()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        var rack = cluster.ClientOptions(0).Rack;
        var values = new Dictionary<string, string?> { ["Pool:Rack"] = rack, ["Pool:TimingProfile"] = "fast", ["Pool:Neighbours"] = "3" };
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(values);
        builder.Services.AddRcmpClient(builder.Configuration.GetSection("Pool"));
        using var host = builder.Build();
        Assert.Throws<PoolNotConnectedException>(host.Services.GetRequiredService<IMemoryPool>);
        await host.StartAsync();
        await UseAsync(host.Services.GetRequiredService<IMemoryPool>());
        await host.StopAsync();
    }

    [Fact]
    public async Task AnUnknownKeyInTheSectionEndsTheStart()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Pool:Rakc"] = "127.0.0.1:1" });
        builder.Services.AddRcmpClient(builder.Configuration.GetSection("Pool"));
        using var host = builder.Build();
        Assert.Contains("Rakc", (await Assert.ThrowsAsync<PoolConfigurationException>(() => host.StartAsync())).Message);
    }

    [Fact]
    public async Task AnApplicationsOwnActorSystemCarriesAClient()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        var rack = cluster.ClientOptions(0).Rack;
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddAkka("app", akka => akka.WithRemoting("127.0.0.1", 0).WithRcmpClient(options =>
        {
            options.Rack = rack;
            options.TimingProfile = "fast";
        }));
        builder.Services.AddRcmpClientOfAkka();
        using var host = builder.Build();
        await host.StartAsync();
        await UseAsync(host.Services.GetRequiredService<IMemoryPool>());
        await UseAsync(host.Services.GetRequiredService<Akka.Actor.ActorSystem>().GetRcmpPool());
        await host.StopAsync();
    }

    [Fact]
    public async Task AHostWhoseActorSystemConnectsNoPoolSaysSoAtItsStart()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddAkka("app", akka => akka.WithRemoting("127.0.0.1", 0));
        builder.Services.AddRcmpClientOfAkka();
        Assert.Contains("WithRcmpClient", await FailureOfStartAsync(builder));
    }

    [Fact]
    public async Task AHostWithoutAnActorSystemSaysThatItConnectsNoPool()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddRcmpClientOfAkka();
        Assert.Contains("AddAkka", await FailureOfStartAsync(builder));
    }

    [Fact]
    public async Task AnActorSystemThatIsAddedAfterThePoolsRegistrationHoldsUpNothing()
    {
        await using var cluster = await TestCluster.StartAsync(racks: 1);
        var rack = cluster.ClientOptions(0).Rack;
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddRcmpClientOfAkka();
        builder.Services.AddAkka("app", akka => akka.WithRemoting("127.0.0.1", 0).WithRcmpClient(options => options.Rack = rack));
        using var host = builder.Build();
        await host.StartAsync().WaitAsync(TimeSpan.FromSeconds(60));
        await UseAsync(host.Services.GetRequiredService<IMemoryPool>());
        await host.StopAsync();
    }

    private static async Task<string> FailureOfStartAsync(HostApplicationBuilder builder)
    {
        using var host = builder.Build();
        var failure = await Assert.ThrowsAsync<PoolConfigurationException>(() => host.StartAsync().WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.DoesNotContain('\n', failure.Message);
        return failure.Message;
    }

    [Fact]
    public async Task APoolInsideTheProcessNeedsNoCluster()
    {
        await using var pool = await RcmpPool.StartEmbeddedAsync(new EmbeddedPoolOptions { Racks = 2, RegionSize = 16 << 20 });
        await UseAsync(pool);
    }

    private static async Task UseAsync(IMemoryPool pool)
    {
        var address = await pool.AllocatePagesAsync(1);
        pool.Write(address, 42UL);
        Assert.Equal(42UL, pool.Read<ulong>(address));
        await pool.FreePagesAsync(address, 1);
    }
}
