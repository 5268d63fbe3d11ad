using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Tests.Protocol;

/// <summary>References that come along with others, on a single rack: as its owner, and as their holder.</summary>
public class RackReadAheadTests
{
    private const int Neighbours = 3;
    private static readonly PageId Base = new((2UL << 40) + 4096);
    private readonly RackRig _rig = new(frames: 64);
    private readonly List<PageId> _own = [];

    [Fact]
    public void ASpanIsGrantedAsRunsOfWhatThereIs()
    {
        AllocateThenLink(12);
        Ask(_own[3], new PageSpan(_own[0], 100));
        var grant = _rig.Last<GrantPages>()!;
        Assert.Equal(_own[3], Assert.Single(grant.Pages).Page);
        var run = Assert.Single(grant.Runs);
        Assert.Equal((_own[0], 12, new PageSpan(_own[0], 100)), (run.First, run.Count, grant.Span));
        for (var i = 0; i < 12; i++) Assert.Equal(new FrameIndex(run.Frame.Value + (uint)i), _rig.Store.Lookup(_own[i]).Frame);
    }

    [Fact]
    public void WhatLeavesIsNotGrantedAndWhatWasGrantedIsRevoked()
    {
        AllocateThenLink(6);
        _rig.Order(OrderKind.Leave, _own[2], 1);
        Ask(PageId.None, new PageSpan(_own[0], 6));
        Assert.Equal([(_own[0], 2), (_own[3], 3)], _rig.Last<GrantPages>()!.Runs.Select(run => (run.First, run.Count)));
        _rig.Sent.Clear();
        _rig.Order(OrderKind.Leave, _own[4], 2);
        var revoked = _rig.Last<RevokePage>()!;
        Assert.Equal(_own[4], revoked.Page);
        // One count for all of them: whatever was granted before is void for this page.
        Assert.Equal(2ul, revoked.Number);
    }

    [Fact]
    public void WhatIsReadAheadAndNotThereIsAnsweredAndNotPassedOn()
    {
        AllocateThenLink(1);
        Ask(PageId.None, new PageSpan(_own[0].Plus(1), 8));
        Assert.Empty(_rig.Last<GrantPages>()!.Runs);
        Assert.Null(_rig.Last<ResolvePages>());
        Assert.Null(_rig.Last<PagesUnresolved>());
    }

    [Fact]
    public void OneQuestionIsBounded()
    {
        AllocateThenLink(4);
        var before = new RackCoreOptions { Settings = new PoolSettings(default, 4096, 1, 1), RegionId = default }.NeighboursMax;
        Ask(PageId.None, new PageSpan(_own[0].Plus(-before - 1), int.MaxValue));
        Assert.Empty(_rig.Last<GrantPages>()!.Runs);
        Ask(PageId.None, new PageSpan(_own[0], -5));
        Ask(PageId.None, default);
        Assert.Single(_rig.Sent.OfType<GrantPages>());
    }

    [Fact]
    public void ARunOfMissesIsReadAheadWithOneMessageMore()
    {
        var link = BeginRun();
        _rig.Sent.Clear();
        Miss(Base.Plus(4), max: 16);
        var asked = _rig.Sent.OfType<ForwardedResolve>().ToList();
        Assert.Equal(2, asked.Count);
        Assert.Equal((Base.Plus(4), new PageSpan(Base.Plus(4), 8)), (Assert.Single(asked[0].Pages), asked[0].Span));
        Assert.Empty(asked[1].Pages);
        Assert.Equal(new PageSpan(Base.Plus(12), 8), asked[1].Span);
        Grant(link, 2, Base.Plus(4), 8);
        Grant(link, 3, Base.Plus(12), 8, asked[1].Span);
        for (var i = 0; i < 20; i++) Assert.Equal(LocationKind.Remote, _rig.Store.Lookup(Base.Plus(i)).Kind);
        Assert.Equal(RequestStatus.Ok, _rig.Last<RequestDone>()!.Status);
    }

    [Fact]
    public void WhoMissesWhatIsOnItsWayWaitsForIt()
    {
        var link = BeginRun();
        Miss(Base.Plus(4), max: 16);
        var ahead = _rig.Last<ForwardedResolve>()!.Span;
        _rig.Sent.Clear();
        Miss(Base.Plus(13), max: 16);
        Miss(Base.Plus(19), max: 16);
        Assert.Empty(_rig.Sent.OfType<ForwardedResolve>());
        // The owner had no more than this of it: the other one is asked for at once.
        Grant(link, 2, Base.Plus(12), 3, ahead);
        Assert.Equal(RequestStatus.Ok, Assert.Single(_rig.Sent.OfType<RequestDone>()).Status);
        Assert.Equal(Base.Plus(19), Assert.Single(_rig.Last<ForwardedResolve>()!.Pages));
    }

    [Fact]
    public void AnAnswerThatDoesNotComeIsNotWaitedForForLong()
    {
        var link = BeginRun();
        Miss(Base.Plus(4), max: 16);
        Miss(Base.Plus(13), max: 16);
        _rig.Sent.Clear();
        _rig.Advance(30_000_000);
        Assert.Equal(Base.Plus(13), Assert.Single(_rig.Last<ForwardedResolve>()!.Pages));
    }

    [Fact]
    public void ARunThatArrivesAfterARevocationIsNotInstalled()
    {
        var link = _rig.RegisterAtOther(Base);
        _rig.Give(new RevokePage(link, Base.Plus(2), 5));
        _rig.Quiet();
        Grant(link, 4, Base, 4);
        Assert.Equal(LocationKind.Absent, _rig.Store.Lookup(Base.Plus(2)).Kind);
        Grant(link, 6, Base, 4);
        Assert.Equal(LocationKind.Remote, _rig.Store.Lookup(Base.Plus(2)).Kind);
    }

    [Fact]
    public void NoRunIsInstalledOverARow()
    {
        var link = _rig.RegisterAtOther(Base);
        var page = _rig.Allocate();
        _rig.Order(OrderKind.Leave, page, 1);
        _rig.Quiet();
        Grant(link, 1, page, 2);
        Assert.NotEqual(LocationKind.Remote, _rig.Store.Lookup(page).Kind);
        Assert.Equal(LocationKind.Remote, _rig.Store.Lookup(page.Plus(1)).Kind);
    }

    [Fact]
    public void NeighboursLeaveRoomInTheTableAndPushNobodyOut()
    {
        var link = _rig.RegisterAtOther(Base);
        Grant(link, 1, Base, 500);
        var room = 128 / 8 * 7;
        Assert.Equal(room, _rig.Store.RemoteEntries().Count());
        Assert.Empty(_rig.Quiesces);
        // What is waited for goes in, and what has not been used makes room for more.
        for (var i = 0; i < room; i++)
        {
            if (i is >= 10 and < 20) _rig.Store.Touch(Base.Plus(i), 1);
        }

        Miss(Base.Plus(300), max: 16);
        Assert.InRange(_rig.Store.RemoteEntries().Count(), 10, room - Neighbours);
        for (var i = 10; i < 20; i++) Assert.Equal(LocationKind.Remote, _rig.Store.Lookup(Base.Plus(i)).Kind);
        Assert.Equal(new PageSpan(Base.Plus(300), 4), _rig.Last<ForwardedResolve>()!.Span);
    }

    /// <summary>The first four pages were asked for, and are here.</summary>
    private LinkId BeginRun()
    {
        var link = _rig.RegisterAtOther(Base.Plus(1000));
        Miss(Base, max: 16);
        Grant(link, 1, Base, 4);
        return link;
    }

    private void AllocateThenLink(int pages)
    {
        for (var i = 0; i < pages; i++) _own.Add(_rig.Allocate());
        _rig.AcceptHolder();
        _rig.Sent.Clear();
    }

    private void Ask(PageId page, PageSpan span) => _rig.Give(new ForwardedResolve(
        RackRig.Shard, default, RackRig.Self, RackRig.Other, page.IsNone ? ValueList<PageId>.Empty : ValueList<PageId>.Of(page), span));

    private void Miss(PageId page, int max) => _rig.Give(new ResolveMiss(RackRig.Session, _rig.NewRequest(), page, Neighbours, 0, max));

    private void Grant(LinkId link, ulong number, PageId first, int count, PageSpan span = default) => _rig.Give(new GrantPages(
        link, number, ValueList<PageGrant>.Empty, ValueList<GrantRun>.Of(new GrantRun(first, new FrameIndex(1), new Epoch(1), count)), span));
}
