using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.Tests.Regions;

public class GuardTableTests
{
    private const long BudgetNs = 20_000_000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void APageIsQuietWhenNoSlotNamesIt(bool fencesOnly)
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon(fencesOnly);
        var session = fixture.OpenSession(daemon, fixture.OpenClient());
        Assert.Equal(fencesOnly, session.UsesFence);
        Assert.True(session.TryAcquireSlot(out var slot));
        daemon.Guards.Barrier();
        Assert.True(daemon.Guards.WaitQuiet(fixture.Page(1), 0, false).Quiet);
        session.Enter(slot, fixture.Page(1));
        var held = daemon.Guards.WaitQuiet(fixture.Page(1), BudgetNs, false);
        Assert.False(held.Quiet);
        Assert.Equal($"session {session.Index} (process {Environment.ProcessId})", held.HeldUpBy);
        Assert.True(daemon.Guards.WaitQuiet(fixture.Page(2), 0, false).Quiet);
        Assert.True(daemon.Guards.WaitQuiet(fixture.Page(1), BudgetNs, true).Quiet);
        session.Leave(slot);
        Assert.True(daemon.Guards.WaitQuiet(fixture.Page(1), 0, false).Quiet);
    }

    [Fact]
    public async Task TheWaitEndsWhenTheGuardIsCleared()
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon();
        var session = fixture.OpenSession(daemon, fixture.OpenClient());
        session.TryAcquireSlot(out var slot);
        session.Enter(slot, fixture.Page(1));
        var wait = Task.Factory.StartNew(() => daemon.Guards.WaitQuiet(fixture.Page(1), 20_000_000_000, false), TaskCreationOptions.LongRunning);
        await Task.Delay(20);
        Assert.False(wait.IsCompleted);
        session.Leave(slot);
        Assert.True((await wait.WaitAsync(TimeSpan.FromSeconds(10))).Quiet);
    }

    [Fact]
    public void ConnectionsThatStillNameAPageAreReported()
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon();
        var session = fixture.OpenSession(daemon, fixture.OpenClient());
        var connection = ConnectionName.Make(5);
        session.TryAcquireSlot(out var slot);
        session.Enter(slot, fixture.Page(1), connection);
        foreach (var remoteOnly in new[] { true, false })
        {
            var result = daemon.Guards.WaitQuiet(fixture.Page(1), 1_000_000, remoteOnly);
            Assert.True(result.Quiet);
            Assert.Equal([connection], result.Connections);
        }

        var link = new LinkRecord(5, default, default, "");
        Assert.Equal([connection], daemon.Guards.WaitLinkQuiet(link, 0).Connections);
        Assert.Empty(daemon.Guards.WaitLinkQuiet(link with { Number = 6 }, 0).Connections);
    }

    [Fact]
    public void ASlotOfALiveClientIsClearedOnlyAfterItWasRetired()
    {
        using var fixture = new RegionFixture(slots: 2);
        var daemon = fixture.StartDaemon();
        var session = fixture.OpenSession(daemon, fixture.OpenClient());
        var connection = ConnectionName.Make(5);
        session.TryAcquireSlot(out var slot);
        Assert.True(session.TryAcquireSlot(out _));
        Assert.False(session.TryAcquireSlot(out _));
        session.Enter(slot, fixture.Page(1), connection);
        Assert.Equal(0, daemon.Guards.ClearConnections([connection]));
        Assert.Equal(fixture.Page(1).Value, daemon.Region.ReadSlot(session.Index, slot).Page);
        session.RetireSlot(slot);
        Assert.False(session.TryAcquireSlot(out _));
        Assert.Equal(1, session.RetiredSlots);
        Assert.Equal(0, daemon.Guards.ClearConnections([connection + 2]));
        Assert.Equal(1, daemon.Guards.ClearConnections([connection]));
        Assert.True(session.TryAcquireSlot(out var again));
        Assert.Equal(slot, again);
        Assert.Equal(0UL, daemon.Region.ReadSlot(session.Index, slot).Page);
    }

    [Fact]
    public void AClientThatScribblesOverItsCountHidesNothing()
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon();
        var session = fixture.OpenSession(daemon, fixture.OpenClient());
        session.TryAcquireSlot(out var slot);
        session.Enter(slot, fixture.Page(1));
        Assert.False(daemon.Guards.WaitQuiet(fixture.Page(1), 0, false).Quiet);
        var countOffset = fixture.Layout.SessionsOffset + session.Index * fixture.Layout.SessionBytes + 20;
        fixture.Flip(countOffset, 1);
        Assert.Equal(0u, daemon.Region.ReadSession(session.Index).SlotsUsed);
        Assert.False(daemon.Guards.WaitQuiet(fixture.Page(1), 0, false).Quiet);
        fixture.Flip(countOffset + 3, 0xFF);
        Assert.False(daemon.Guards.WaitQuiet(fixture.Page(1), 0, false).Quiet);
    }
}
