using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.Tests.Regions;

public class StateTests
{
    [Fact]
    public void EveryStartRaisesTheGeneration()
    {
        using var fixture = new RegionFixture();
        for (ulong start = 1; start <= 3; start++)
        {
            using var region = fixture.OpenDaemon();
            Assert.Equal(new Generation(start), new RegionStore(region).State.Generation);
        }
    }

    [Fact]
    public void AFullRosterAndAllTermsFit()
    {
        using var fixture = new RegionFixture();
        var roster = Enumerable.Range(1, RackId.Max)
            .Select(i => new RosterEntry(new RackId((ushort)i), Guid.NewGuid(), new Generation((ulong)i), $"akka.tcp://rcmp@rack-{i}.cluster.example.org:4053", i % 7 == 0))
            .ToArray();
        var terms = Enumerable.Range(0, 1024).ToDictionary(i => new ShardId(i), i => new Term((ulong)i * 77));
        var state = new SuperblockState(new RackId(9), new Generation(4), 1234, roster, terms);
        using (var region = fixture.OpenDaemon())
            new RegionStore(region).SaveState(state);
        using var again = fixture.OpenDaemon();
        var read = new RegionStore(again).State;
        Assert.Equal(state.Rack, read.Rack);
        Assert.Equal(new Generation(5), read.Generation);
        Assert.Equal(state.SequenceReserved, read.SequenceReserved);
        Assert.Equal(roster, read.Roster);
        Assert.Equal(terms.OrderBy(t => t.Key.Value), read.Terms.OrderBy(t => t.Key.Value));
    }

    [Fact]
    public void AStateThatDoesNotFitIsRefusedAndTheOldOneStands()
    {
        using var fixture = new RegionFixture();
        using var region = fixture.OpenDaemon();
        var store = new RegionStore(region);
        var before = store.State;
        var address = new string('x', 300);
        var roster = Enumerable.Range(1, RackId.Max).Select(i => new RosterEntry(new RackId((ushort)i), Guid.NewGuid(), default, address, false)).ToArray();
        Assert.Throws<PoolExhaustedException>(() => store.SaveState(before with { Roster = roster }));
        Assert.Throws<PoolExhaustedException>(() => store.SaveState(before with { Roster = [.. roster, roster[0]] }));
        Assert.Throws<PoolExhaustedException>(() => store.SaveState(before with { Terms = Enumerable.Range(0, 1025).ToDictionary(i => new ShardId(i), i => new Term(1)) }));
        Assert.Same(before, store.State);
    }

    [Fact]
    public void AKillAnywhereInASaveLeavesTheStateBeforeOrAfter()
    {
        using var fixture = new RegionFixture();
        SuperblockState before;
        using (var region = fixture.OpenDaemon())
            before = new RegionStore(region).State;
        var offset = fixture.Layout.StateOffset;
        const int length = 2 * RegionLayout.StateBytes;
        var bytes = fixture.Read(offset, length);
        byte[] after;
        using (var region = fixture.OpenDaemon())
        {
            new RegionStore(region).SaveState(before with { Generation = new Generation(90), Rack = new RackId(3) });
            after = fixture.Read(offset, length);
        }

        // Two saves, one on each copy, and a cut anywhere in what they store.
        var changed = Enumerable.Range(0, bytes.Length).Where(i => bytes[i] != after[i]).ToArray();
        Assert.NotEmpty(changed);
        for (var cut = 0; cut <= changed.Length; cut++)
        {
            var mixture = (byte[])bytes.Clone();
            foreach (var i in changed.Take(cut))
                mixture[i] = after[i];
            fixture.Write(offset, mixture);
            using var region = fixture.OpenDaemon();
            var state = new RegionStore(region).State;
            Assert.Contains(state.Generation.Value, new ulong[] { before.Generation.Value + 1, before.Generation.Value + 2, 91 });
        }
    }

    [Fact]
    public void WithBothCopiesDamagedTheRegionIsRefused()
    {
        using var fixture = new RegionFixture();
        fixture.Flip(fixture.Layout.StateOffset + 30, 4);
        using (var region = fixture.OpenDaemon())
            Assert.Equal(new Generation(1), new RegionStore(region).State.Generation);
        fixture.Flip(fixture.Layout.StateOffset + 30, 4);
        fixture.Flip(fixture.Layout.StateOffset + 1, 1);
        fixture.Flip(fixture.Layout.StateOffset + RegionLayout.StateBytes + 25, 128);
        using var damaged = fixture.OpenDaemon();
        Assert.Throws<RegionDamagedException>(() => new RegionStore(damaged));
    }
}
