using Microsoft.Extensions.Logging.Abstractions;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;
using Rcmp.Runtime;

namespace Rcmp.Tests.Regions;

/// <summary>The folder of session files beside a region.</summary>
public sealed class SessionFolderTests
{
    [Fact]
    public void ADaemonThatEndsProperlyTakesItsFolderAlong()
    {
        using var fixture = new RegionFixture();
        using (Start(fixture)) Assert.True(Directory.Exists(fixture.RuntimeDirectory));
        Assert.False(Directory.Exists(fixture.RuntimeDirectory));
    }

    [Fact]
    public void AFolderWithALiveClientStaysAndItsSessionIsFoundAgain()
    {
        using var fixture = new RegionFixture();
        using var client = fixture.OpenClient();
        ClientSession session;
        using (var daemon = fixture.StartDaemon())
        {
            session = fixture.OpenSession(daemon, client);
            daemon.Sessions.RemoveDirectoryIfUnused();
        }

        Assert.True(Directory.Exists(fixture.RuntimeDirectory));
        using (var next = fixture.StartDaemon())
        {
            Assert.Equal(session.Token, Assert.Single(next.Sessions.Sessions).Token);
            session.Dispose();
            next.Sessions.RemoveDirectoryIfUnused();
        }

        Assert.False(Directory.Exists(fixture.RuntimeDirectory));
    }

    [Fact]
    public void AFileOfSomebodyElseKeepsTheFolder()
    {
        using var fixture = new RegionFixture();
        using (Start(fixture)) File.WriteAllText(Path.Combine(fixture.RuntimeDirectory, "mine"), "x");
        Assert.True(File.Exists(Path.Combine(fixture.RuntimeDirectory, "mine")));
    }

    private static RackHost Start(RegionFixture fixture) => RackHost.Start(
        new RackHostOptions
        {
            RegionPath = fixture.Path,
            RuntimeDirectory = fixture.RuntimeDirectory,
            FabricAddress = $"local://folder-{Guid.NewGuid():n}",
            Core = new RackCoreOptions { Settings = new PoolSettings(fixture.PoolId, 4096, 4, RegionLayout.FormatVersion), RegionId = fixture.Layout.RegionId },
        },
        new NativeFabric(), NullLogger.Instance);
}
