using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.Tests.Regions;

public class ReattachTests
{
    private static readonly LinkRecord Link = new(
        6, new LinkId(new RackIncarnation(new RackId(2), new Generation(1)), new RackIncarnation(RegionFixture.Rack, new Generation(1)), 99), Guid.NewGuid(), "tcp://10.0.0.2:5100");

    [Fact]
    public void ResidentPagesStayWhereTheyAreForClientsThatGoOn()
    {
        using var fixture = new RegionFixture();
        var first = fixture.StartDaemon();
        for (uint i = 1; i <= 50; i++)
        {
            first.MakeResident(new FrameIndex(i), fixture.Page(i), i);
            first.Region.FrameBytes(new FrameIndex(i)).Fill((byte)i);
        }

        var client = fixture.OpenClient();
        var session = fixture.OpenSession(first, client);
        session.TryAcquireSlot(out var slot);
        session.Enter(slot, fixture.Page(7));
        var entries = Enumerable.Range(1, 50).Select(i => client.FindEntry(fixture.Page((ulong)i))).ToArray();
        first.Dispose();

        var second = fixture.StartDaemon();
        Assert.Equal((50, 50, 0, 0), (second.Found.Resident, second.Found.Kept, second.Found.Installed, second.Found.Cleared));
        Assert.Equal(entries, Enumerable.Range(1, 50).Select(i => client.FindEntry(fixture.Page((ulong)i))));
        for (uint i = 1; i <= 50; i++)
        {
            Assert.Equal(Location.Resident(new FrameIndex(i), new Epoch(i)), client.Lookup(fixture.Page(i)));
            Assert.False(client.FrameBytes(new FrameIndex(i)).ContainsAnyExcept((byte)i));
        }
    }

    [Fact]
    public void WhatAKillLeftHalfDoneIsBroughtIntoAgreementWithTheRows()
    {
        using var fixture = new RegionFixture();
        var first = fixture.StartDaemon();
        // 1: closed for a move that never began. 2: allocated, its entry not yet written. 3: freed, its entry still there. 4: at another epoch. 5: leaving.
        first.MakeResident(new FrameIndex(1), fixture.Page(1));
        first.Store.TrySetLocation(fixture.Page(1), Location.Moving);
        first.MakeResident(new FrameIndex(2), fixture.Page(2));
        first.Store.TrySetLocation(fixture.Page(2), Location.Absent);
        first.Store.ReleaseEntry(fixture.Page(2));
        first.MakeResident(new FrameIndex(3), fixture.Page(3));
        Change(first.Store, 3, row => row with { State = RowState.Free });
        first.MakeResident(new FrameIndex(4), fixture.Page(4));
        Change(first.Store, 4, row => row with { Epoch = new Epoch(9) });
        first.MakeResident(new FrameIndex(5), fixture.Page(5));
        Change(first.Store, 5, row => row with { State = RowState.Leaving, Attempt = new AttemptId(new Term(4), 2), Peer = new RackId(3) });
        first.Dispose();

        var second = fixture.StartDaemon();
        Assert.Equal((3, 1), (second.Found.Resident, second.Found.Leaving));
        Assert.Equal(Location.Resident(new FrameIndex(1), new Epoch(1)), second.Store.Lookup(fixture.Page(1)));
        Assert.Equal(Location.Resident(new FrameIndex(2), new Epoch(1)), second.Store.Lookup(fixture.Page(2)));
        Assert.Equal(Location.Absent, second.Store.Lookup(fixture.Page(3)));
        Assert.Equal(Location.Resident(new FrameIndex(4), new Epoch(9)), second.Store.Lookup(fixture.Page(4)));
        Assert.Equal(Location.Absent, second.Store.Lookup(fixture.Page(5)));
        second.Store.SaveState(second.Store.State with { Rack = RegionFixture.Rack, SequenceReserved = 100 });
        second.Dispose();
        var check = RegionInspector.Check(fixture.Path);
        Assert.Empty(check.Findings);
        Assert.Empty(check.Notes);
    }

    [Fact]
    public void RemoteEntriesOfTheOldStartAreGoneAndConnectionsInUseAreNamed()
    {
        using var fixture = new RegionFixture();
        var first = fixture.StartDaemon();
        var link = first.Store.TryPublishLink(Link);
        for (ulong i = 1; i <= 20; i++)
            first.Store.TrySetLocation(fixture.Page(1000 + i), Location.Remote(link, new FrameIndex((uint)i), new Epoch(1)));
        var session = fixture.OpenSession(first, fixture.OpenClient());
        session.TryAcquireSlot(out var slot);
        var connection = ConnectionName.Make(Link.Number);
        session.Enter(slot, fixture.Page(1003), connection);
        first.Dispose();

        var second = fixture.StartDaemon();
        Assert.Equal(20, second.Found.Cleared);
        var (reported, connections) = Assert.Single(second.Found.Connections);
        Assert.Equal(Link, reported);
        Assert.Equal([connection], connections);
        Assert.Empty(second.Store.RemoteEntries());
        Assert.Null(second.Store.ReadLink(link));
        // The page under the guard keeps its key, the others gave theirs up.
        Assert.True(second.Region.FindEntry(fixture.Page(1003)) >= 0);
        Assert.True(second.Region.FindEntry(fixture.Page(1004)) < 0);
    }

    [Fact]
    public void APageThatIsResidentTwiceStopsTheStart()
    {
        using var fixture = new RegionFixture();
        var first = fixture.StartDaemon();
        first.MakeResident(new FrameIndex(1), fixture.Page(1));
        first.MakeResident(new FrameIndex(2), fixture.Page(1));
        first.Dispose();
        Assert.Throws<RegionDamagedException>(() => fixture.StartDaemon());
        Assert.Contains(RegionInspector.Check(fixture.Path).Findings, finding => finding.Contains("resident twice", StringComparison.Ordinal));
    }

    private static void Change(RegionStore store, uint frame, Func<FrameRow, FrameRow> change)
    {
        var row = store.ReadRow(new FrameIndex(frame));
        Assert.True(store.TryChangeRow(new FrameIndex(frame), row, change(row)));
    }
}
