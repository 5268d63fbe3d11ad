using Rcmp.Regions;

namespace Rcmp.Tests.Regions;

public class RegionCheckTests
{
    [Fact]
    public void AnInspectionShowsFramesByStateAndTheDaemon()
    {
        using var fixture = new RegionFixture();
        var daemon = Fill(fixture);
        var report = RegionInspector.Inspect(fixture.Path);
        Assert.Equal((uint)Environment.ProcessId, report.DaemonProcess);
        Assert.Equal(40, report.Frames[RowState.Resident]);
        Assert.Equal(fixture.Layout.FrameCount - 40, report.Frames[RowState.Free]);
        Assert.Equal(40, report.Entries[LocationKind.Resident]);
        Assert.Equal(new Generation(1), report.State!.Generation);
        daemon.Dispose();
        Assert.Equal(0u, RegionInspector.Inspect(fixture.Path).DaemonProcess);
        Assert.Empty(RegionInspector.Check(fixture.Path).Findings);
    }

    [Fact]
    public void EveryBitOfTheSuperblockCounts()
    {
        using var fixture = new RegionFixture();
        Fill(fixture).Dispose();
        var random = new Random(20_26);
        for (var offset = 0; offset < RegionLayout.SuperblockBytes; offset += offset < 256 ? 1 : 61)
        {
            var mask = (byte)(1 << random.Next(8));
            fixture.Flip(offset, mask);
            Assert.ThrowsAny<PoolException>(() => Region.OpenClient(fixture.Path, RegionExpectations.Any));
            Assert.NotEmpty(RegionInspector.Check(fixture.Path).Findings);
            fixture.Flip(offset, mask);
        }

        fixture.OpenDaemon();
    }

    [Fact]
    public void ADamagedTableIsReportedOrRepairedAndNeverACrash()
    {
        using var fixture = new RegionFixture();
        Fill(fixture).Dispose();
        var layout = fixture.Layout;
        var random = new Random(7_19);
        (string Name, long Offset, long Bytes)[] tables =
        [
            ("states", layout.StateOffset, 2L * RegionLayout.StateBytes), ("links", layout.LinkTableOffset, layout.LinkSlots * RegionLayout.LinkBytes),
            ("page table", layout.PageTableOffset, 200 * 16), ("frame table", layout.FrameTableOffset, 45 * 64),
            ("sessions", layout.SessionsOffset, layout.SessionCount * layout.SessionBytes),
        ];
        var silent = new List<string>();
        foreach (var (name, offset, bytes) in tables)
        {
            for (var sample = 0; sample < 60; sample++)
            {
                var at = offset + random.NextInt64(bytes);
                var mask = (byte)(1 << random.Next(8));
                var before = fixture.Read(0, (int)layout.FramesOffset);
                fixture.Flip(at, mask);
                var check = RegionInspector.Check(fixture.Path);
                if (check.Findings.Count + check.Notes.Count == 0)
                    silent.Add($"{name}+{at - offset}^{mask:x2}");
                try
                {
                    fixture.StartDaemon().Dispose();
                }
                catch (RegionDamagedException e)
                {
                    Assert.Contains(fixture.Path, e.Message, StringComparison.Ordinal);
                }

                fixture.Write(0, before);
            }
        }

        // Bits in unused room mean nothing; what has a meaning and can be told is told.
        Assert.DoesNotContain(silent, where => where.StartsWith("page table", StringComparison.Ordinal) && int.Parse(where[11..where.IndexOf('^', StringComparison.Ordinal)], System.Globalization.CultureInfo.InvariantCulture) / 16 is >= 1 and <= 40);
    }

    [Fact]
    public void EachBrokenInvariantHasItsOwnLine()
    {
        using var fixture = new RegionFixture();
        var daemon = Fill(fixture);
        daemon.Store.TrySetLocation(fixture.Page(1), Location.Resident(new FrameIndex(100), new Epoch(1)));
        daemon.Store.TrySetLocation(fixture.Page(2), Location.Resident(new FrameIndex(2), new Epoch(5)));
        daemon.Store.TrySetLocation(fixture.Page(3), Location.Remote(4, new FrameIndex(2), new Epoch(5)));
        daemon.Store.TrySetLocation(fixture.Page(4), Location.Resident(new FrameIndex(4_000_000), new Epoch(5)));
        daemon.Store.SaveState(daemon.Store.State with { SequenceReserved = 40 });
        daemon.Dispose();
        var findings = RegionInspector.Check(fixture.Path).Findings;
        Assert.Contains(findings, f => f.Contains("points to frame 100, whose row is free", StringComparison.Ordinal));
        Assert.Contains(findings, f => f.Contains("has epoch 5", StringComparison.Ordinal));
        Assert.Contains(findings, f => f.Contains("names link slot 4", StringComparison.Ordinal));
        Assert.Contains(findings, f => f.Contains("points to frame 4000000", StringComparison.Ordinal));
        Assert.Contains(findings, f => f.Contains("sequences are given out below 40", StringComparison.Ordinal));
    }

    private static RegionFixture.Daemon Fill(RegionFixture fixture)
    {
        var daemon = fixture.StartDaemon();
        daemon.Store.SaveState(daemon.Store.State with { Rack = RegionFixture.Rack, SequenceReserved = 100 });
        for (uint i = 1; i <= 40; i++)
            daemon.MakeResident(new FrameIndex(i), fixture.Page(i));
        return daemon;
    }
}
