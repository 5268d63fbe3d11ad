using System.Runtime.InteropServices;
using Rcmp.Regions;

namespace Rcmp.Tests.Regions;

public class SessionTableTests
{
    [Fact]
    public async Task AClientKilledInAnotherProcessIsFoundDeadAndItsLocalGuardsAreClear()
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon();
        var record = daemon.Sessions.TryAllocate(4711)!;
        var client = await fixture.LockInAnotherProcessAsync(record.LockPath);
        Assert.Empty(daemon.Sessions.FindDead());
        Assert.Equal(SessionSlotState.Active, daemon.Sessions.Find(record.Token)!.State);
        WriteGuard(fixture, record.Index, 0, fixture.Page(1).Value, 0);
        var connection = ConnectionName.Make(3);
        WriteGuard(fixture, record.Index, 1, fixture.Page(2).Value, connection);
        // Below the count that the client has claimed, or not: a dead one's slots are all looked at.
        client.Kill();
        await client.WaitForExitAsync();
        var dead = Assert.Single(daemon.Sessions.FindDead());
        Assert.Equal(record.Token, dead.Token);
        Assert.Empty(daemon.Sessions.FindDead());
        Assert.True(daemon.Guards.WaitQuiet(fixture.Page(1), 0, false).Quiet);
        Assert.Equal([connection], daemon.Guards.WaitQuiet(fixture.Page(2), 1_000_000_000, false).Connections);
        Assert.Equal(0, daemon.Sessions.ReclaimDead());
        Assert.Equal(1, daemon.Guards.ClearConnectionsOf(3));
        Assert.Equal(1, daemon.Sessions.ReclaimDead());
        Assert.Empty(daemon.Sessions.Sessions);
        Assert.False(File.Exists(record.LockPath));
    }

    [Fact]
    public void ASessionThatHasNotBeenLockedYetIsNotDead()
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon();
        var record = daemon.Sessions.TryAllocate(1)!;
        Assert.Empty(daemon.Sessions.FindDead());
        using var region = fixture.OpenClient();
        using (ClientSession.Open(region, record.Index, record.Token, record.LockPath))
            Assert.Empty(daemon.Sessions.FindDead());
        Assert.Single(daemon.Sessions.FindDead());
    }

    /// <summary>One that is stopped, or whose machine is slow, may come later than one that is gone.</summary>
    [Theory]
    [InlineData(int.MaxValue, 29, 31)]
    [InlineData(1, 299, 301)]
    public void ASessionThatIsNeverLockedIsGivenUpAfterATime(uint processId, int notYet, int over)
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon();
        var clock = new Clock();
        var sessions = new SessionTable(daemon.Region, daemon.Guards, fixture.RuntimeDirectory, clock);
        var record = sessions.TryAllocate(processId)!;
        clock.Seconds = notYet;
        Assert.Empty(sessions.FindDead());
        clock.Seconds = over;
        Assert.Single(sessions.FindDead());
        using var region = fixture.OpenClient();
        var late = Assert.Throws<PoolNotConnectedException>(() => ClientSession.Open(region, record.Index, record.Token, record.LockPath));
        Assert.Contains("came too late: connect again", late.Message);
    }

    private sealed class Clock : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }

    [Fact]
    public void AClientThatComesTooLateIsToldSo()
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon();
        using var region = fixture.OpenClient();
        var record = daemon.Sessions.TryAllocate(1)!;
        Assert.Throws<PoolNotConnectedException>(() => ClientSession.Open(region, record.Index, new SessionToken(3), record.LockPath));
        Assert.Throws<PoolNotConnectedException>(() => ClientSession.Open(region, record.Index, record.Token, record.LockPath + "x"));
        Assert.Throws<PoolMismatchException>(() => ClientSession.Open(region, 0, record.Token, record.LockPath));
        Assert.Throws<PoolMismatchException>(() => ClientSession.Open(region, 9999, record.Token, record.LockPath));
    }

    [Fact]
    public void AClosedSessionIsReclaimedWithoutBeingReported()
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon();
        var session = fixture.OpenSession(daemon, fixture.OpenClient());
        daemon.Sessions.Close(session.Token);
        Assert.Empty(daemon.Sessions.FindDead());
        Assert.Equal(0, daemon.Sessions.ReclaimDead());
        session.Dispose();
        Assert.Empty(daemon.Sessions.FindDead());
        Assert.Equal(1, daemon.Sessions.ReclaimDead());
    }

    [Fact]
    public void AllRecordsAreGivenOutOnceAndAgainAfterTheirEnd()
    {
        using var fixture = new RegionFixture(sessions: 4);
        var daemon = fixture.StartDaemon();
        var region = fixture.OpenClient();
        var sessions = Enumerable.Range(0, 3).Select(_ => fixture.OpenSession(daemon, region)).ToList();
        Assert.Equal([1, 2, 3], sessions.Select(s => s.Index).Order());
        Assert.Null(daemon.Sessions.TryAllocate(1));
        sessions[1].Dispose();
        Assert.Single(daemon.Sessions.FindDead());
        Assert.Equal(1, daemon.Sessions.ReclaimDead());
        Assert.Equal(sessions[1].Index, fixture.OpenSession(daemon, region).Index);
    }

    [Fact]
    public async Task AStartedDaemonKeepsLiveSessionsAndReportsThoseThatDiedMeanwhile()
    {
        using var fixture = new RegionFixture();
        var first = fixture.StartDaemon();
        var alive = fixture.OpenSession(first, fixture.OpenClient());
        var killed = first.Sessions.TryAllocate(4711)!;
        var client = await fixture.LockInAnotherProcessAsync(killed.LockPath);
        Assert.Empty(first.Sessions.FindDead());
        alive.TryAcquireSlot(out var slot);
        alive.Enter(slot, fixture.Page(6));
        WriteGuard(fixture, killed.Index, 0, fixture.Page(5).Value, 0);
        first.Dispose();
        client.Kill();
        await client.WaitForExitAsync();

        var second = fixture.StartDaemon();
        Assert.Equal(killed.Token, Assert.Single(second.Sessions.FindDead()).Token);
        Assert.Equal(SessionSlotState.Active, second.Sessions.Find(alive.Token)!.State);
        Assert.Equal(alive.Index, second.Sessions.Find(alive.Token)!.Index);
        Assert.True(second.Guards.WaitQuiet(fixture.Page(5), 0, false).Quiet);
        Assert.False(second.Guards.WaitQuiet(fixture.Page(6), 0, false).Quiet);
        alive.Leave(slot);
        Assert.True(second.Guards.WaitQuiet(fixture.Page(6), 0, false).Quiet);
        Assert.Equal(1, second.Sessions.ReclaimDead());
    }

    /// <summary>What a client of another process would store.</summary>
    private static void WriteGuard(RegionFixture fixture, int session, int slot, ulong page, ulong connection)
    {
        var layout = fixture.Layout;
        var offset = layout.SessionsOffset + session * layout.SessionBytes + RegionLayout.SessionHeaderBytes + slot * RegionLayout.SlotBytes;
        fixture.Write(offset + (int)Marshal.OffsetOf<GuardSlot>(nameof(GuardSlot.Connection)), BitConverter.GetBytes(connection));
        fixture.Write(offset + (int)Marshal.OffsetOf<GuardSlot>(nameof(GuardSlot.Page)), BitConverter.GetBytes(page));
    }
}
