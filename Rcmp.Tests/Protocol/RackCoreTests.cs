using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Tests.Protocol;

/// <summary>The rules of the directory protocol, one by one, on a single rack.</summary>
public class RackCoreTests
{
    private readonly RackRig _rig = new();

    [Fact]
    public void ThePageLeavesOnlyWhenGuardsAndHoldersAreDone()
    {
        var page = _rig.Allocate();
        var link = _rig.AcceptHolder();
        _rig.Resolve(page);
        Assert.Equal(page, Assert.Single(_rig.Last<GrantPages>()!.Pages).Page);
        _rig.Order(OrderKind.Leave, page, 1);
        Assert.Equal(LocationKind.Moving, _rig.Store.Lookup(page).Kind);
        _rig.Quiet();
        Assert.Equal(RowState.Resident, _rig.StateOf(page));
        var revoke = _rig.Last<RevokePage>()!;
        _rig.Give(new RevokeAcknowledged(link, page, revoke.Number - 1, ValueList<ulong>.Empty));
        Assert.Equal(RowState.Resident, _rig.StateOf(page));
        _rig.Give(new RevokeAcknowledged(link, page, revoke.Number, ValueList<ulong>.Empty));
        Assert.Equal(RowState.Leaving, _rig.StateOf(page));
    }

    [Fact]
    public void ConnectionsThatAnAcknowledgementNamesAreDestroyedFirst()
    {
        var page = _rig.Allocate();
        var link = _rig.AcceptHolder();
        _rig.Resolve(page);
        _rig.Order(OrderKind.Leave, page, 1);
        _rig.Quiet();
        _rig.Give(new RevokeAcknowledged(link, page, _rig.Last<RevokePage>()!.Number, ValueList<ulong>.Of(31, 32)));
        Assert.Equal(RowState.Resident, _rig.StateOf(page));
        _rig.Give(new FenceEnded(_rig.Destroyed[^1].Ticket));
        Assert.Equal([31ul, 32ul], _rig.Last<ConnectionsDestroyed>()!.Connections);
        Assert.Equal(RowState.Leaving, _rig.StateOf(page));
    }

    [Fact]
    public void AHolderThatDoesNotAnswerIsFencedAndMustRegisterAgain()
    {
        var page = _rig.Allocate();
        var link = _rig.AcceptHolder();
        _rig.Resolve(page);
        _rig.Order(OrderKind.Leave, page, 1);
        _rig.Quiet();
        _rig.Advance(2_000_000_000);
        _rig.Give(new FenceEnded(Assert.Single(_rig.Fences).Ticket));
        Assert.Equal(RowState.Leaving, _rig.StateOf(page));
        Assert.Equal(link, _rig.Last<LinkEnded>()!.Link);
        var other = _rig.Allocate();
        _rig.Resolve(other);
        Assert.Equal(ResolveProblem.RegisterFirst, _rig.Last<PagesUnresolved>()!.Problem);
    }

    [Fact]
    public void NothingIsGrantedWhileThePageMoves()
    {
        var page = _rig.Allocate();
        _rig.AcceptHolder();
        _rig.Order(OrderKind.Leave, page, 1);
        _rig.Resolve(page);
        Assert.Null(_rig.Last<GrantPages>());
        Assert.Equal(ResolveProblem.Busy, _rig.Last<PagesUnresolved>()!.Problem);
    }

    [Fact]
    public void ANewRegistrationEndsTheOldOneFirst()
    {
        _rig.AcceptHolder();
        _rig.Give(new RegisterHolder(RackRig.Self, RackRig.Other, 2));
        Assert.Equal(1ul, _rig.Last<HolderRegistered>()!.Link.Registration);
        _rig.Give(new FenceEnded(Assert.Single(_rig.Fences).Ticket));
        Assert.Equal(2ul, _rig.Last<HolderRegistered>()!.Link.Registration);
    }

    [Fact]
    public void ARegistrationThatHasEndedDoesNotBeginAgain()
    {
        _rig.AcceptHolder();
        _rig.Give(new RegisterHolder(RackRig.Self, RackRig.Other, 2));
        _rig.Give(new FenceEnded(_rig.Fences[^1].Ticket));
        _rig.Give(new RegisterHolder(RackRig.Self, RackRig.Other, 3));
        _rig.Give(new FenceEnded(_rig.Fences[^1].Ticket));
        _rig.Sent.Clear();
        _rig.Give(new RegisterHolder(RackRig.Self, RackRig.Other, 2));
        Assert.Null(_rig.Last<HolderRegistered>());
        Assert.DoesNotContain(_rig.Sent, s => s is LinkId);
    }

    [Fact]
    public void ALateRepeatOfAFencedRegistrationIsToldThatItHasEnded()
    {
        var page = _rig.Allocate();
        var link = _rig.AcceptHolder();
        _rig.Resolve(page);
        _rig.Order(OrderKind.Leave, page, 1);
        _rig.Advance(2_000_000_000);
        _rig.Give(new FenceEnded(Assert.Single(_rig.Fences).Ticket));
        _rig.Sent.Clear();
        _rig.Give(new RegisterHolder(RackRig.Self, RackRig.Other, link.Registration));
        Assert.Null(_rig.Last<HolderRegistered>());
        Assert.Equal(link, _rig.Last<LinkEnded>()!.Link);
    }

    [Fact]
    public void APageThatDoesNotGetQuietOpensAgainAndSaysWhoHoldsIt()
    {
        var page = _rig.Allocate();
        _rig.Order(OrderKind.Leave, page, 1);
        _rig.Quiet(false);
        Assert.Equal(OrderStatus.NotQuiet, _rig.Last<OrderAnswered>()!.Status);
        Assert.Equal(LocationKind.Resident, _rig.Store.Lookup(page).Kind);
        Assert.Equal("client 9", Assert.Single(_rig.Core.Status().HeldUp).By);
        // Told once, however often it is tried.
        _rig.Order(OrderKind.Leave, page, 2);
        _rig.Quiet(false);
        Assert.Contains("client 9", Assert.Single(_rig.Logged, line => line.Level == RackLogLevel.Warning).Message);
        _rig.Order(OrderKind.Leave, page, 3);
        _rig.Quiet();
        Assert.Equal(RowState.Leaving, _rig.StateOf(page));
    }

    [Fact]
    public void ATermPromisedDuringTheRevocationOpensThePageAgain()
    {
        var page = _rig.Allocate();
        _rig.Order(OrderKind.Leave, page, 1);
        _rig.Give(new AskRows(RackRig.Shard, RackRig.Second, RackRig.Self.Rack, PageId.None));
        _rig.Quiet();
        Assert.Equal(RackRig.Second, _rig.Last<TermRefused>()!.Promised);
        Assert.Equal(LocationKind.Resident, _rig.Store.Lookup(page).Kind);
        Assert.Equal(RowState.Resident, _rig.StateOf(page));
    }

    [Fact]
    public void ThePromiseOutlivesTheProcess()
    {
        var page = _rig.Allocate();
        _rig.Give(new AskRows(RackRig.Shard, RackRig.Second, RackRig.Self.Rack, PageId.None));
        _rig.Restart();
        _rig.Sent.Clear();
        _rig.Order(OrderKind.Leave, page, 1);
        Assert.Equal(RackRig.Second, _rig.Last<TermRefused>()!.Promised);
        Assert.Empty(_rig.Quiesces);
    }

    [Fact]
    public void ARackThatNoMasterHasAcceptedSinceItCameBackTellsNoShardOfItsRows()
    {
        _rig.Allocate();
        _rig.Restart(registers: false);
        _rig.Sent.Clear();
        _rig.Give(new AskRows(RackRig.Shard, RackRig.Second, RackRig.Self.Rack, PageId.None));
        Assert.Null(_rig.Last<RowsAnswered>());
        _rig.Restart();
        _rig.Give(new AskRows(RackRig.Shard, RackRig.Second, RackRig.Self.Rack, PageId.None));
        Assert.NotNull(_rig.Last<RowsAnswered>());
    }

    [Fact]
    public void AnOrderToAnotherGenerationIsRefused()
    {
        var page = _rig.Allocate();
        _rig.Order(OrderKind.Leave, page, 1, rack: RackRig.Self with { Generation = new Generation(7) });
        Assert.NotNull(_rig.Last<TermRefused>());
        Assert.Empty(_rig.Quiesces);
    }

    [Fact]
    public void ALeaveThatComesAfterItsReopenDoesNothing()
    {
        var page = _rig.Allocate();
        _rig.Order(OrderKind.Reopen, page, 1);
        _rig.Order(OrderKind.Leave, page, 1);
        Assert.Equal(OrderStatus.OtherRow, _rig.Last<OrderAnswered>()!.Status);
        Assert.Equal(LocationKind.Resident, _rig.Store.Lookup(page).Kind);
    }

    [Fact]
    public void ThePullerChecksTheOwnersRowAfterTheCopy()
    {
        var page = new PageId((2UL << 40) + 5);
        StartPull(page);
        var pull = Assert.Single(_rig.Pulls);
        var reopened = new FrameRow(RowState.Resident, new Epoch(3), page, default, default, default, default, false, false);
        _rig.Give(new PullEnded(pull.Ticket, true, reopened, 5, null));
        Assert.Equal(OrderStatus.OtherRow, _rig.Last<OrderAnswered>()!.Status);
        Assert.Equal(RowState.Free, _rig.StateOf(page));
    }

    [Fact]
    public void ACommittedPageIsUnsettledAndNeitherLeavesNorIsFreedUntilItIsSettled()
    {
        var page = new PageId((2UL << 40) + 5);
        CommitPull(page);
        Assert.Equal(LocationKind.Resident, _rig.Store.Lookup(page).Kind);
        _rig.Order(OrderKind.Leave, page, 2, epoch: 2);
        Assert.Equal(OrderStatus.NotYet, _rig.Last<OrderAnswered>()!.Status);
        _rig.Order(OrderKind.Free, page, 3, epoch: 2, request: new RequestId(4));
        Assert.Equal(OrderStatus.NotYet, _rig.Last<OrderAnswered>()!.Status);
        _rig.Order(OrderKind.Settle, page, 1);
        _rig.Order(OrderKind.Leave, page, 4, epoch: 2);
        _rig.Quiet();
        Assert.Equal(RowState.Leaving, _rig.StateOf(page));
    }

    [Fact]
    public void APullAndACommitThatComeAfterTheirMoveDoNothing()
    {
        var page = new PageId((2UL << 40) + 5);
        CommitPull(page);
        _rig.Order(OrderKind.Settle, page, 1);
        _rig.Order(OrderKind.Leave, page, 2, epoch: 2);
        _rig.Quiet();
        _rig.Order(OrderKind.Release, page, 2);
        _rig.Order(OrderKind.Pull, page, 1);
        _rig.Order(OrderKind.Commit, page, 1);
        Assert.Equal(RowState.Free, _rig.StateOf(page));
        Assert.Single(_rig.Pulls);
    }

    [Fact]
    public void NothingIsCommittedBeforeItsCopyIsComplete()
    {
        var page = new PageId((2UL << 40) + 5);
        StartPull(page);
        _rig.Order(OrderKind.Commit, page, 1);
        Assert.Equal(RowState.Incoming, _rig.StateOf(page));
    }

    [Fact]
    public void ADropWaitsForTheCopyToStop()
    {
        var page = new PageId((2UL << 40) + 5);
        StartPull(page);
        _rig.Order(OrderKind.Drop, page, 1);
        Assert.Equal(RowState.Incoming, _rig.StateOf(page));
        _rig.Give(new PullEnded(_rig.Pulls[^1].Ticket, false, default, 5, "lost"));
        Assert.Equal(RowState.Free, _rig.StateOf(page));
        _rig.Order(OrderKind.Pull, page, 1);
        Assert.Equal(OrderStatus.OtherRow, _rig.Last<OrderAnswered>()!.Status);
    }

    [Fact]
    public void AnEntryIsNotLeftMovingWhenItsRevocationEndsDuringAPullThatFails()
    {
        var page = new PageId((2UL << 40) + 5);
        var link = _rig.RegisterAtOther(page);
        _rig.Give(new GrantPages(link, 1, ValueList<PageGrant>.Of(new PageGrant(page, new FrameIndex(1), new Epoch(1)))));
        _rig.Give(new RevokePage(link, page, 2));
        _rig.Order(OrderKind.Pull, page, 1);
        _rig.Quiet();
        _rig.Give(new PullEnded(Assert.Single(_rig.Pulls).Ticket, false, default, 5, "lost"));
        Assert.Equal(LocationKind.Absent, _rig.Store.Lookup(page).Kind);
    }

    [Fact]
    public void ACopyThatARestartCutShortIsMadeAgain()
    {
        var page = new PageId((2UL << 40) + 5);
        StartPull(page);
        _rig.Restart();
        Assert.Equal(RowState.Incoming, _rig.StateOf(page));
        _rig.Order(OrderKind.Pull, page, 1);
        var link = new LinkId(RackRig.Other, RackRig.Self, _rig.Last<RegisterHolder>()!.Registration);
        _rig.Give(new HolderRegistered(link, default, "local://2"));
        Assert.Equal(2, _rig.Pulls.Count);
    }

    private void StartPull(PageId page)
    {
        _rig.Order(OrderKind.Pull, page, 1);
        var link = new LinkId(RackRig.Other, RackRig.Self, _rig.Last<RegisterHolder>()!.Registration);
        _rig.Give(new HolderRegistered(link, default, "local://2"));
    }

    private void CommitPull(PageId page)
    {
        StartPull(page);
        var leaving = new FrameRow(
            RowState.Leaving, new Epoch(1), page, new AttemptId(RackRig.First, 1), RackRig.Self.Rack, default, default, false, false);
        _rig.Give(new PullEnded(_rig.Pulls[^1].Ticket, true, leaving, 5, null));
        Assert.Equal(OrderStatus.Done, _rig.Last<OrderAnswered>()!.Status);
        _rig.Order(OrderKind.Commit, page, 1);
    }
}
