using System.Runtime.CompilerServices;
using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.Tests.Regions;

public class RegionStoreTests
{
    private static readonly FrameIndex Frame = new(3);

    [Fact]
    public void ARowIsReadAsItWasWritten()
    {
        using var fixture = new RegionFixture();
        var store = fixture.StartDaemon().Store;
        FrameRow[] rows =
        [
            new(RowState.Incoming, new Epoch(4), fixture.Page(9), new AttemptId(new Term(5), 6), new RackId(2), default, default, false, false),
            new(RowState.Resident, new Epoch(5), fixture.Page(9), new AttemptId(new Term(5), 6), new RackId(2), new SessionToken(8), new RequestId(9), true, true),
            new(RowState.Resident, new Epoch(5), fixture.Page(9), default, default, new SessionToken(8), new RequestId(9), false, true),
            new(RowState.Leaving, new Epoch(5), fixture.Page(9), new AttemptId(new Term(6), 1), new RackId(4), new SessionToken(8), new RequestId(9), false, true),
            new(RowState.Free, new Epoch(5), fixture.Page(9), default, default, default, new RequestId(77), false, false),
            new(RowState.Resident, new Epoch(1), fixture.Page(10), default, default, default, default, false, false),
        ];
        foreach (var row in rows)
        {
            Assert.True(store.TryChangeRow(Frame, store.ReadRow(Frame), row));
            Assert.Equal(row, store.ReadRow(Frame));
        }
    }

    [Fact]
    public void ALateOrderFindsAnotherRowAndChangesNothing()
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon();
        var free = daemon.Store.ReadRow(Frame);
        daemon.MakeResident(Frame, fixture.Page(1));
        var row = daemon.Store.ReadRow(Frame);
        Assert.False(daemon.Store.TryChangeRow(Frame, free, row with { Page = fixture.Page(2), Epoch = new Epoch(3) }));
        Assert.Equal(row, daemon.Store.ReadRow(Frame));
    }

    [Fact]
    public void NeighboursAreAdjacentAndEveryPageIsFound()
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon();
        for (ulong i = 1; i <= 100; i++)
            Assert.True(daemon.Store.TrySetLocation(fixture.Page(i), Location.Resident(new FrameIndex((uint)i), new Epoch(1))));
        for (ulong i = 2; i <= 100; i++)
            Assert.Equal(1, (daemon.Region.FindEntry(fixture.Page(i)) - daemon.Region.FindEntry(fixture.Page(i - 1))) & daemon.Region.PageTableMask);
        using var client = fixture.OpenClient();
        for (ulong i = 1; i <= 100; i++)
            Assert.Equal(Location.Resident(new FrameIndex((uint)i), new Epoch(1)), client.Lookup(fixture.Page(i)));
        Assert.Equal(Location.Absent, client.Lookup(fixture.Page(101)));
    }

    [Fact]
    public void LongRunsOfNeighboursOfSeveralRacksFindRoom()
    {
        using var fixture = new RegionFixture();
        var store = fixture.StartDaemon().Store;
        var geometry = store.Geometry;
        // Three quarters full, in runs that all want the same stretch of the table.
        var perRack = (ulong)(fixture.Layout.PageTableEntries * 3 / 4 / 6);
        for (ushort rack = 1; rack <= 6; rack++)
        {
            var shift = (ulong)((rack << (geometry.SequenceBits - 31)) * (long)RegionLayout.NaturalSpread);
            for (ulong i = 0; i < perRack; i++)
            {
                var sequence = 1 + ((i - shift) & ((1UL << 30) - 1));
                Assert.True(store.TrySetLocation(geometry.MakePage(new RackId(rack), sequence), Location.Remote(1, new FrameIndex(1), new Epoch(1))), $"rack {rack}, page {i}");
            }
        }
    }

    [Fact]
    public void ALookupGoesPastAnEntryThatWasGivenUp()
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon();
        var size = (ulong)fixture.Layout.PageTableEntries;
        PageId[] colliding = [fixture.Page(5), fixture.Page(5 + size), fixture.Page(5 + 2 * size), fixture.Page(5 + 3 * size)];
        foreach (var page in colliding)
            Assert.True(daemon.Store.TrySetLocation(page, Location.Moving));
        daemon.Store.ReleaseEntry(colliding[0]);
        daemon.Store.ReleaseEntry(colliding[1]);
        Assert.Equal(Location.Absent, daemon.Region.Lookup(colliding[0]));
        Assert.Equal(Location.Moving, daemon.Region.Lookup(colliding[2]));
        Assert.Equal(Location.Moving, daemon.Region.Lookup(colliding[3]));
        // What was given up is taken again, and no page gets a second entry.
        Assert.True(daemon.Store.TrySetLocation(colliding[3], Location.Resident(Frame, new Epoch(1))));
        Assert.Equal(Location.Resident(Frame, new Epoch(1)), daemon.Region.Lookup(colliding[3]));
        Assert.True(daemon.Store.TrySetLocation(fixture.Page(5 + 4 * size), Location.Moving));
        Assert.Equal(RegionLayout.NaturalEntry(colliding[0].Value, daemon.Region.PageTableMask), daemon.Region.FindEntry(fixture.Page(5 + 4 * size)));
    }

    [Fact]
    public void AFullProbeRangeIsSaidAndItsRemoteEntriesAreNamed()
    {
        using var fixture = new RegionFixture();
        var store = fixture.StartDaemon().Store;
        ulong sequence = 0;
        while (store.TrySetLocation(fixture.Page(++sequence), Location.Remote(2, new FrameIndex(9), new Epoch(1))))
            Assert.True(sequence <= (ulong)fixture.Layout.PageTableEntries);
        Assert.Equal((ulong)fixture.Layout.PageTableEntries + 1, sequence);
        var near = store.YieldingEntriesNear(fixture.Page(sequence)).ToList();
        Assert.InRange(near.Count, RegionLayout.ProbeLines * RegionLayout.LineEntries / 2, (RegionLayout.ProbeLines + 1) * RegionLayout.LineEntries);
        Assert.Equal(near.Count, near.Distinct().Count());
        store.TrySetLocation(near[50].Page, Location.Absent);
        store.ReleaseEntry(near[50].Page);
        Assert.True(store.TrySetLocation(fixture.Page(sequence), Location.Moving));
    }

    [Fact]
    public void RemoteEntriesGoOnWhereTheyWereLeft()
    {
        using var fixture = new RegionFixture();
        var store = fixture.StartDaemon().Store;
        for (ulong i = 1; i <= 10; i++)
            store.TrySetLocation(fixture.Page(i), i % 2 == 0 ? Location.Remote(1, new FrameIndex(1), new Epoch(i)) : Location.Moving);
        Assert.Equal(5, store.RemoteEntries().Distinct().Count());
        var first = store.RemoteEntries().Take(2).ToList();
        var rest = store.RemoteEntries().Take(3).ToList();
        Assert.Equal(5, first.Concat(rest).Distinct().Count());
    }

    [Fact]
    public void LinksArePublishedReadAndReleased()
    {
        using var fixture = new RegionFixture();
        var store = fixture.StartDaemon().Store;
        using var client = fixture.OpenClient();
        var id = new LinkId(new RackIncarnation(new RackId(2), new Generation(3)), new RackIncarnation(new RackId(7), new Generation(1)), 0xABCDEF);
        var link = new LinkRecord(41, id, Guid.NewGuid(), "tcp://10.0.0.7:5100");
        var slot = store.TryPublishLink(link);
        Assert.Equal(link, client.ReadLink(slot));
        Assert.Equal(slot + 1, store.TryPublishLink(link with { Number = 42 }));
        store.ReleaseLink(slot);
        Assert.Null(client.ReadLink(slot));
        Assert.Equal(slot, store.TryPublishLink(link with { Number = 43 }));
        while (store.TryPublishLink(link) >= 0)
        {
        }

        Assert.Null(client.ReadLink(-1));
        Assert.Null(client.ReadLink(100_000));
        Assert.Throws<ArgumentException>(() => LinkOfLength(store, link));
    }

    [Fact]
    public void ClearingAFrameTouchesNoOther()
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon();
        for (uint i = 2; i <= 4; i++)
            daemon.Region.FrameBytes(new FrameIndex(i)).Fill(0xEE);
        daemon.Store.ClearFrame(Frame);
        Assert.False(daemon.Region.FrameBytes(Frame).ContainsAnyExcept((byte)0));
        Assert.False(daemon.Region.FrameBytes(new FrameIndex(2)).ContainsAnyExcept((byte)0xEE));
        Assert.False(daemon.Region.FrameBytes(new FrameIndex(4)).ContainsAnyExcept((byte)0xEE));
        Assert.Throws<ArgumentOutOfRangeException>(() => daemon.Store.ClearFrame(new FrameIndex((uint)fixture.Layout.FrameCount)));
    }

    [Fact]
    public void SharedStructuresHaveTheSizesOfTheLayout()
    {
        Assert.Equal(RegionLayout.SlotBytes, Unsafe.SizeOf<GuardSlot>());
        Assert.Equal(RegionLayout.SessionHeaderBytes, Unsafe.SizeOf<SessionHeader>());
        Assert.Equal(RegionLayout.LinkBytes, Unsafe.SizeOf<LinkEntry>());
        Assert.Equal(RegionLayout.PageTableEntryBytes, Unsafe.SizeOf<PageTableEntry>());
    }

    private static int LinkOfLength(RegionStore store, LinkRecord link)
    {
        store.ReleaseLink(0);
        return store.TryPublishLink(link with { Address = new string('a', 500) });
    }
}
