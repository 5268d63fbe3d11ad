using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Protocol;

/// <summary>What a rack does, and waits for, when pages of a session are in several racks.</summary>
public class RackSessionTests
{
    /// <summary>The default of <see cref="RackCoreOptions"/>.</summary>
    private const long RequestTimeoutNs = 5_000_000_000;

    private readonly RackRig _rig = new();

    [Fact]
    public void AnAcknowledgementIsAnsweredWhenEveryRackThatHasAPartKnowsOfIt()
    {
        _rig.Give(new NodeJoined("1"));
        var (first, part, _) = AllocateInOtherRack();
        Assert.Equal(1, _rig.Last<AskRoom>()!.Count);

        var acknowledgement = _rig.NewRequest();
        _rig.Give(new AcknowledgeAllocation(RackRig.Session, acknowledgement, first, 7));
        Assert.DoesNotContain(_rig.Sent.OfType<RequestDone>(), done => done.Request == acknowledgement);
        _rig.Give(new HostedSettled(RackRig.Other, RackRig.Self, _rig.Last<SettleHosted>()!.Request, part));
        Assert.Equal(RequestStatus.Ok, Assert.Single(_rig.Sent.OfType<RequestDone>(), done => done.Request == acknowledgement).Status);
    }

    [Fact]
    public void WhatAFailedAllocationHadInASilentRackIsGivenBackAlthoughItsRepeatSucceeds()
    {
        _rig.Give(new NodeJoined("1"));
        var order = new AllocatePages(RackRig.Session, _rig.NewRequest(), 7, false);
        _rig.Give(order);
        _rig.Give(new RoomOffered(RackRig.Self, order.Request, ValueList<RackRoom>.Of(new RackRoom(RackRig.Other.Rack, 1))));
        var lost = _rig.Last<HostPages>()!.First;
        _rig.Advance(RequestTimeoutNs);
        Assert.Equal(RequestStatus.Unavailable, _rig.Last<RequestDone>()!.Status);

        // The rows here are not free yet: all seven go to the other rack this time.
        _rig.Give(order);
        _rig.Give(new RoomOffered(RackRig.Self, order.Request, ValueList<RackRoom>.Of(new RackRoom(RackRig.Other.Rack, 7))));
        var kept = _rig.Last<HostPages>()!.First;
        Assert.NotEqual(lost, kept);
        _rig.Give(new PagesHosted(RackRig.Other, RackRig.Self, order.Request, kept, 7, true));
        var acknowledgement = new AcknowledgeAllocation(RackRig.Session, _rig.NewRequest(), kept, 7);
        _rig.Give(acknowledgement);
        _rig.Give(new HostedSettled(RackRig.Other, RackRig.Self, order.Request, kept));
        Assert.Equal(RequestStatus.Ok, Assert.Single(_rig.Sent.OfType<RequestDone>(), done => done.Request == acknowledgement.Request).Status);
        _rig.Sent.Clear();
        _rig.Advance(RequestTimeoutNs);
        Assert.Equal((lost, false), (_rig.Last<SettleHosted>()!.First, _rig.Last<SettleHosted>()!.Keep));
        _rig.Give(new HostedSettled(RackRig.Other, RackRig.Self, order.Request, lost));
        _rig.Sent.Clear();
        _rig.Advance(RequestTimeoutNs);
        Assert.Empty(_rig.Sent.OfType<SettleHosted>());
    }

    [Fact]
    public void AFreeThatGotNoAnswerGoesOnWhereItWasWhenItIsRepeated()
    {
        var (free, pages) = AllocateThree();
        _rig.Give(free);
        _rig.Give(new FreeAnswered(RackRig.Self, pages[1], free.Request, RequestStatus.Ok, ""));
        _rig.Advance(RequestTimeoutNs * 2);
        Assert.Equal((RequestStatus.OutcomeUnknown, 1L), (_rig.Last<RequestDone>()!.Status, _rig.Last<RequestDone>()!.Completed));

        _rig.Sent.Clear();
        _rig.Give(free);
        Assert.Equal([pages[0], pages[2]], _rig.Sent.OfType<FreeRequest>().Select(sent => sent.Page));
        foreach (var page in new[] { pages[0], pages[2] }) _rig.Give(new FreeAnswered(RackRig.Self, page, free.Request, RequestStatus.Ok, ""));
        Assert.Equal((RequestStatus.Ok, 3L), (_rig.Last<RequestDone>()!.Status, _rig.Last<RequestDone>()!.Completed));

        // Now it is over: its repeat is answered from memory.
        _rig.Sent.Clear();
        _rig.Give(free);
        Assert.Equal(RequestStatus.Ok, Assert.IsType<RequestDone>(Assert.Single(_rig.Sent)).Status);
    }

    [Fact]
    public void APageThatIsGoneWhenAnUnansweredFreeIsRepeatedToAnotherIncarnationOfItsShardMayHaveBeenFreedByIt()
    {
        var (free, pages) = AllocateThree();
        _rig.Order(OrderKind.Report, pages[0], 0);
        _rig.Give(free);
        foreach (var page in pages.Skip(1)) _rig.Give(new FreeAnswered(RackRig.Self, page, free.Request, RequestStatus.Ok, ""));
        _rig.Advance(RequestTimeoutNs * 2);
        _rig.Order(OrderKind.Report, pages[1], 0, RackRig.Second);
        _rig.Give(free);
        _rig.Give(new FreeAnswered(RackRig.Self, pages[0], free.Request, RequestStatus.PageNotFound, ""));
        Assert.Equal((RequestStatus.OutcomeUnknown, 2L), (_rig.Last<RequestDone>()!.Status, _rig.Last<RequestDone>()!.Completed));
    }

    private (FreePages Free, PageId[] Pages) AllocateThree()
    {
        _rig.Give(new AllocatePages(RackRig.Session, _rig.NewRequest(), 3, false));
        var first = _rig.Last<PagesAllocated>()!.First;
        _rig.Give(new AcknowledgeAllocation(RackRig.Session, _rig.NewRequest(), first, 3));
        return (new FreePages(RackRig.Session, _rig.NewRequest(), first, 3), [first, first.Plus(1), first.Plus(2)]);
    }

    [Fact]
    public void PagesThatSessionsOfAForgottenRackHaveHereAreFreed()
    {
        var page = new PageId((2UL << 40) + 5);
        _rig.Give(new HostPages(RackRig.Other, RackRig.Self, _rig.NewRequest(), new SessionToken(5), true, page, 1));
        Assert.True(_rig.Last<PagesHosted>()!.Ok);
        _rig.Sent.Clear();
        var forgotten = _rig.Store.State.Roster.Select(entry => entry with { Forgotten = entry.Rack == RackRig.Other.Rack });
        _rig.Give(new RosterChanged(2, ValueList<RosterEntry>.Of(forgotten)));
        Assert.Equal(page, _rig.Last<FreeRequest>()!.Page);
    }

    [Fact]
    public void ASessionsEndIsAskedOfEveryRackTwice()
    {
        var request = _rig.NewRequest();
        _rig.Give(new CloseSession(RackRig.Session, request));
        for (var round = 1; round <= 2; round++)
        {
            Assert.Empty(_rig.Sent.OfType<RequestDone>());
            var asked = Assert.Single(_rig.Sent.OfType<SessionEnded>());
            _rig.Sent.RemoveAll(message => message is SessionEnded);
            _rig.Give(new SessionForgotten(RackRig.Other, RackRig.Self, RackRig.Session, asked.Number));
            // A late repeat says nothing of what has come to the rack since.
            _rig.Give(new SessionForgotten(RackRig.Other, RackRig.Self, RackRig.Session, asked.Number));
        }

        Assert.Equal(request, _rig.Last<RequestDone>()!.Request);
        Assert.Empty(_rig.Sent.OfType<SessionEnded>());
    }

    [Fact]
    public void ARackThatHasForgottenASessionIsAskedAgainWhenAPageOfItHasGoneThere()
    {
        var page = _rig.Allocate(sessionScoped: true);
        _rig.Order(OrderKind.Leave, page, 1);
        _rig.Quiet();
        var request = _rig.NewRequest();
        _rig.Give(new CloseSession(RackRig.Session, request));
        var before = _rig.Last<SessionEnded>()!;
        _rig.Give(new SessionForgotten(RackRig.Other, RackRig.Self, RackRig.Session, before.Number));
        _rig.Order(OrderKind.Release, page, 1);
        // The rack's answer was under way while the page was, and was repeated: it counts neither for this question nor for the second round.
        for (var i = 0; i < 2; i++) _rig.Give(new SessionForgotten(RackRig.Other, RackRig.Self, RackRig.Session, before.Number));
        Assert.DoesNotContain(_rig.Sent.OfType<RequestDone>(), done => done.Request == request);
        for (var i = 0; i < 2; i++) _rig.Give(new SessionForgotten(RackRig.Other, RackRig.Self, RackRig.Session, _rig.Last<SessionEnded>()!.Number));
        Assert.Equal(RequestStatus.Ok, Assert.Single(_rig.Sent.OfType<RequestDone>(), done => done.Request == request).Status);
    }

    [Fact]
    public void AnAllocationUnderWayEndsWithItsSession()
    {
        _rig.Give(new NodeJoined("1"));
        var request = _rig.NewRequest();
        _rig.Give(new AllocatePages(RackRig.Session, request, 7, false));
        var asked = _rig.Last<AskRoom>()!;
        _rig.Give(new CloseSession(RackRig.Session, _rig.NewRequest()));
        Assert.Equal(RequestStatus.SessionUnknown, Assert.Single(_rig.Sent.OfType<RequestDone>(), done => done.Request == request).Status);
        // Its rows are freed, and no other rack is asked any more: it might answer after this daemon is gone.
        Assert.Equal(6, _rig.Sent.OfType<FreeRequest>().Select(free => free.Page).Distinct().Count());
        _rig.Give(new RoomOffered(RackRig.Self, asked.Request, ValueList<RackRoom>.Of(new RackRoom(RackRig.Other.Rack, 1))));
        Assert.Empty(_rig.Sent.OfType<HostPages>());
    }

    [Fact]
    public void ARepeatedOrderToHostPagesBringsNoneBackThatWasFreed()
    {
        var page = new PageId((2UL << 40) + 5);
        var order = new HostPages(RackRig.Other, RackRig.Self, _rig.NewRequest(), new SessionToken(5), false, page, 1);
        _rig.Give(order);
        _rig.Give(order);
        Assert.All(_rig.Sent.OfType<PagesHosted>(), hosted => Assert.True(hosted.Ok));
        _rig.Order(OrderKind.Free, page, 1, request: _rig.NewRequest());
        _rig.Quiet();
        Assert.Equal(0, _rig.Core.Status().Resident);
        _rig.Give(order);
        Assert.False(_rig.Last<PagesHosted>()!.Ok);
        Assert.Equal(0, _rig.Core.Status().Resident);
    }

    [Fact]
    public void ADrainedRackLeavesWhenItsAcknowledgementsAreKnownAndPromisesNothingAfterwards()
    {
        _rig.Give(new NodeJoined("1"));
        var (first, part, request) = AllocateInOtherRack();
        _rig.Give(new AcknowledgeAllocation(RackRig.Session, _rig.NewRequest(), first, 7));
        for (var i = 0; i < 6; i++)
        {
            _rig.Order(OrderKind.Free, first.Plus(i), (ulong)i + 1, request: _rig.NewRequest());
            _rig.Quiet();
        }

        _rig.Give(new EmptyRack(RackRig.Self));
        Assert.Equal(0, _rig.Core.Status().Resident);
        Assert.False(_rig.Store.State.Roster[0].Forgotten);
        _rig.Give(new HostedSettled(RackRig.Other, RackRig.Self, request, part));
        Assert.True(_rig.Store.State.Roster[0].Forgotten);

        // After a restart nobody knows what was settled: the others may have freed it.
        _rig.Restart();
        var late = _rig.NewRequest();
        _rig.Give(new AcknowledgeAllocation(RackRig.Session, late, first, 7));
        Assert.Equal(RequestStatus.Unavailable, Assert.Single(_rig.Sent.OfType<RequestDone>(), done => done.Request == late).Status);
    }

    /// <summary>Six pages here, the seventh in rack 2; the client has the address and has not acknowledged it.</summary>
    private (PageId First, PageId Part, RequestId Request) AllocateInOtherRack()
    {
        var request = _rig.NewRequest();
        _rig.Give(new AllocatePages(RackRig.Session, request, 7, false));
        _rig.Give(new RoomOffered(RackRig.Self, _rig.Last<AskRoom>()!.Request, ValueList<RackRoom>.Of(new RackRoom(RackRig.Other.Rack, 1))));
        var part = _rig.Last<HostPages>()!.First;
        _rig.Give(new PagesHosted(RackRig.Other, RackRig.Self, request, part, 1, true));
        return (_rig.Last<PagesAllocated>()!.First, part, request);
    }
}
