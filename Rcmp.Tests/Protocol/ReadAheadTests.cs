using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Protocol;

/// <summary>What is asked for on account of a miss, by the misses before it.</summary>
public class ReadAheadTests
{
    private const int Max = 256;
    private const int Neighbours = 15;
    private const long Patience = 1000;
    private static readonly PageId Base = new((2UL << 40) + 4096);
    private readonly ReadAhead _readAhead = new();
    private readonly HashSet<PageId> _reachable = [];
    private long _now;

    private MissPlan Miss(long page, long room = 1 << 20, int following = 0, int max = Max) => _readAhead.Plan(
        new ResolveMiss(default, default, Base.Plus(page), Neighbours, following, max), room, _reachable.Contains, _now, Patience);

    private static PageSpan Span(long first, int count) => new(Base.Plus(first), count);

    [Fact]
    public void AMissAsksForTheBlockAroundIt()
    {
        Assert.Equal(new MissPlan(Span(32, 16), default, false), Miss(37));
        Assert.Equal(new MissPlan(Span(80, 37), default, false), Miss(90, following: 26));
    }

    [Fact]
    public void ARunOfMissesIsReadAheadMoreEachTimeUpToTheMaximum()
    {
        Miss(0);
        Assert.Equal(new MissPlan(Span(16, 64), Span(80, 64), false), Miss(16));
        Assert.Equal(new MissPlan(Span(144, 64), Span(208, 128), false), Miss(144));
        Assert.Equal(new MissPlan(Span(336, 64), Span(400, 256), false), Miss(336));
        Assert.Equal(new MissPlan(Span(656, 64), Span(720, 256), false), Miss(656));
    }

    [Fact]
    public void ADescendingRunIsReadAheadToo()
    {
        Miss(1000);
        Assert.Equal(new MissPlan(Span(928, 64), Span(864, 64), false), Miss(991));
        Assert.Equal(new MissPlan(Span(800, 64), Span(672, 128), false), Miss(863));
    }

    [Fact]
    public void ARandomMissBeginsAnewAndLeavesTheRunsAlone()
    {
        Miss(0);
        Miss(16);
        Assert.Equal(new MissPlan(Span(4000, 16), default, false), Miss(4000));
        Assert.Equal(Span(208, 128), Miss(144).Ahead);
        // The edge of what was asked for at 4000, not of the run.
        Assert.Equal(Span(4080, 64), Miss(4016).Ahead);
    }

    [Fact]
    public void AMissOfWhatIsOnItsWayIsNotAskedForAgainUntilItTakesTooLong()
    {
        Miss(0);
        var ahead = Miss(16).Ahead;
        Assert.True(Miss(90).IsUnderWay);
        Assert.False(Miss(40).IsUnderWay);
        _now += Patience;
        Assert.False(Miss(91).IsUnderWay);
        _now -= Patience;
        Assert.False(_readAhead.Arrived(Span(80, 16)));
        Assert.True(_readAhead.Arrived(ahead));
        Assert.False(_readAhead.Arrived(ahead));
        Assert.False(Miss(92).IsUnderWay);
    }

    [Fact]
    public void PagesThatAreReachableAlreadyDoNotEndARun()
    {
        Miss(0);
        for (var i = 16; i < 20; i++) _reachable.Add(Base.Plus(i));
        Assert.Equal(new MissPlan(Span(20, 64), Span(84, 64), false), Miss(20));
        Assert.Equal(0, Miss(150).Ahead.Count);
    }

    [Fact]
    public void WithoutRoomOnlyThePageItselfIsAskedFor()
    {
        Assert.Equal(new MissPlan(Span(5, 1), default, false), Miss(5, room: -7));
        Assert.Equal(new MissPlan(Span(25, 7), default, false), Miss(25, room: 12));
        Miss(1600);
        Assert.Equal(new MissPlan(Span(1616, 64), Span(1680, 6), false), Miss(1616, room: 70));
    }

    [Fact]
    public void WhoDoesNotWantReadAheadGetsBlocksAlone()
    {
        for (var page = 0; page < 64; page += 16) Assert.Equal(new MissPlan(Span(page, 16), default, false), Miss(page, max: 0));
    }

    [Fact]
    public void MoreRunsThanAreRememberedCostTheirReadAheadAndNothingElse()
    {
        for (var run = 0; run < 40; run++) Miss(run * 1000);
        Assert.Equal(0, Miss(16).Ahead.Count);
        Assert.NotEqual(0, Miss(39_008).Ahead.Count);
    }
}
