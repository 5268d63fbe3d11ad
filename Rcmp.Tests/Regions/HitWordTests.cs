using Rcmp.Regions;

namespace Rcmp.Tests.Regions;

public sealed class HitWordTests : IDisposable
{
    private static readonly FrameIndex Frame = new(5);
    private readonly RegionFixture _fixture = new();

    private ulong Mask => (ulong)_fixture.Layout.PageTableMask;

    private long FrameEnd => HitWord.FrameEnd(_fixture.Layout.FrameCount);

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void AWordStandsWhileItsPageIsResidentAndNoLonger()
    {
        var daemon = _fixture.StartDaemon();
        var page = _fixture.Page(9);
        daemon.Store.TrySetLocation(page, Location.Resident(Frame, new Epoch(3)));
        var entry = daemon.Region.FindEntry(page);
        Assert.Equal(long.MinValue + Frame.Value, HitWord.Match(daemon.Region.ReadHitWord(entry), page.Value, Mask));
        foreach (var other in new[] { Location.Moving, Location.Remote(1, Frame, new Epoch(4)), Location.Absent })
        {
            daemon.Store.TrySetLocation(page, Location.Resident(Frame, new Epoch(3)));
            daemon.Store.TrySetLocation(page, other);
            Assert.Equal(0UL, daemon.Region.ReadHitWord(entry));
        }

        daemon.Store.TrySetLocation(page, Location.Resident(Frame, new Epoch(5)));
        daemon.Store.ReleaseEntry(page);
        Assert.Equal(0UL, daemon.Region.ReadHitWord(entry));
    }

    [Fact]
    public void APageOffItsNaturalEntryHasNone()
    {
        var daemon = _fixture.StartDaemon();
        var (first, second) = (_fixture.Page(5), _fixture.Page(5 + (ulong)_fixture.Layout.PageTableEntries));
        daemon.Store.TrySetLocation(first, Location.Resident(Frame, new Epoch(1)));
        daemon.Store.TrySetLocation(second, Location.Resident(new FrameIndex(6), new Epoch(1)));
        var natural = daemon.Region.FindEntry(first);
        Assert.NotEqual(natural, daemon.Region.FindEntry(second));
        Assert.Equal(0UL, daemon.Region.ReadHitWord(daemon.Region.FindEntry(second)));
        // The second page looks at the first one's word, and is told nothing.
        Assert.True(HitWord.Match(daemon.Region.ReadHitWord(natural), first.Value, Mask) < FrameEnd);
        Assert.False(HitWord.Match(daemon.Region.ReadHitWord(natural), second.Value, Mask) < FrameEnd);
    }

    /// <summary>Every word that can stand at an entry, against every address that looks there, any number a caller may take for an address among them.</summary>
    [Fact]
    public void AWordTellsItsOwnPageAndNoOther()
    {
        var random = new Random(2026);
        for (var i = 0; i < 1_000_000; i++)
        {
            var mask = (1UL << random.Next(3, 32)) - 1;
            var layout = _fixture.Layout with { PageTableEntries = (long)mask + 1, FrameCount = Math.Max(1, (long)mask / 2) };
            ulong Any() => (ulong)random.NextInt64() >> 11 >> random.Next(52);
            var (stored, asked) = (Any(), Any());
            if (stored == 0) continue;
            var entry = RegionLayout.NaturalEntry(stored, layout.PageTableMask);
            // Half of the time a page that shares the entry.
            if (random.Next(2) == 0) asked = stored ^ (Any() & ~mask);
            if (RegionLayout.NaturalEntry(asked, layout.PageTableMask) != entry) continue;
            var frame = new FrameIndex((uint)random.NextInt64(layout.FrameCount));
            var match = HitWord.Match(HitWord.Of(entry, stored, Location.Resident(frame, new Epoch(1)), layout), asked, mask);
            Assert.Equal(stored == asked, match < HitWord.FrameEnd(layout.FrameCount));
            if (stored == asked) Assert.Equal(frame.Value, (ulong)(match - long.MinValue));
            Assert.False(HitWord.Match(0, asked, mask) < HitWord.FrameEnd(layout.FrameCount));
        }
    }

    [Fact]
    public void AStartMakesTheWordsAnewAndACheckNamesThoseThatLie()
    {
        long good, bad;
        using (var daemon = _fixture.StartDaemon())
        {
            daemon.Store.SaveState(daemon.Store.State with { Rack = RegionFixture.Rack, SequenceReserved = 100 });
            for (uint i = 1; i <= 3; i++) daemon.MakeResident(new FrameIndex(i), _fixture.Page(i));
            good = daemon.Region.FindEntry(_fixture.Page(1));
            bad = daemon.Region.FindEntry(_fixture.Page(2));
        }

        // As a kill between the two stores leaves it; and as no kill does.
        _fixture.Write(_fixture.Layout.HitTableOffset + good * RegionLayout.HitWordBytes, new byte[8]);
        _fixture.Flip(_fixture.Layout.HitTableOffset + bad * RegionLayout.HitWordBytes, 1);
        var check = RegionInspector.Check(_fixture.Path);
        Assert.Contains("no hit word", Assert.Single(check.Notes), StringComparison.Ordinal);
        Assert.Contains($"Hit word {bad} ", Assert.Single(check.Findings), StringComparison.Ordinal);
        using (var daemon = _fixture.StartDaemon())
        {
            daemon.Store.Reattach(daemon.Guards, 0);
            Assert.Equal(long.MinValue + 1, HitWord.Match(daemon.Region.ReadHitWord(good), _fixture.Page(1).Value, Mask));
            Assert.Equal(long.MinValue + 2, HitWord.Match(daemon.Region.ReadHitWord(bad), _fixture.Page(2).Value, Mask));
        }

        Assert.Empty(RegionInspector.Check(_fixture.Path).Notes);
    }
}
