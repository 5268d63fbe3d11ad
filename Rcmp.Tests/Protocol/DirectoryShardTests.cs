using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Tests.Protocol;

/// <summary>A directory shard alone, with three racks that the test plays.</summary>
public partial class DirectoryShardTests : IShardEffects
{
    private static readonly PageGeometry Geometry = new(4096);
    private static readonly ShardId Shard = new(0);
    private static readonly PageId Page = Geometry.MakePage(new RackId(1), 5);

    private readonly List<(RackId Rack, IPoolProtocol Message)> _sent = [];
    private readonly DirectoryShard _shard;
    private string? _fatal;
    private long _now = 1_000_000;

    public DirectoryShardTests()
    {
        _shard = new DirectoryShard(Shard, 7, new DirectoryOptions { Geometry = Geometry, Shards = 1 }, () => 5);
        var racks = Enumerable.Range(1, 3).Select(i => new RosterEntry(new RackId((ushort)i), Guid.NewGuid(), new Generation(1), $"n{i}", false));
        Give(new RosterChanged(1, ValueList<RosterEntry>.Of(racks)));
    }

    private static RackIncarnation Rack(int n) => new(new RackId((ushort)n), new Generation(1));

    private void Give(IPoolProtocol message) => _shard.Handle(message, _now, this);

    private void Advance(long ns)
    {
        _now += ns;
        _shard.Tick(_now, this);
    }

    private void Promise(params int[] racks)
    {
        foreach (var rack in racks) Give(new RowsAnswered(Shard, _shard.Term, Rack(rack), PageId.None, true, ValueList<RowReport>.Empty, ValueList<RackId>.Empty));
    }

    private PageOrder LastOrder(int rack, OrderKind kind) => _sent.Where(s => s.Rack.Value == rack).Select(s => s.Message).OfType<PageOrder>().Last(o => o.Order == kind);

    private bool HasOrder(OrderKind kind) => _sent.Exists(s => s.Message is PageOrder o && o.Order == kind);

    private void Answer(int rack, OrderKind kind, RowReport row, OrderStatus status = OrderStatus.Done)
    {
        var order = LastOrder(rack, kind);
        Give(new OrderAnswered(Shard, _shard.Term, Rack(rack), kind, Page, order.Attempt, status, row, 0, ""));
    }

    private static RowReport Row(RowState state, ulong epoch = 1, int peer = 0, ulong attempt = 0, bool unsettled = false) => new(
        Page, state, new FrameIndex(0), new Epoch(epoch), new AttemptId(new Term(9), attempt), new RackId((ushort)peer), unsettled, default);

    private void Resolve(int asker) => Give(new ResolvePages(Shard, Rack(asker), ValueList<PageId>.Of(Page)));

    private T LastTo<T>(int rack) => Assert.IsType<T>(_sent.Last(s => s.Rack.Value == rack && s.Message is T).Message);

    [Fact]
    public void APageIsAskedOfItsRegionOfBirthAndForwardedToItsOwner()
    {
        Promise(1, 2, 3);
        Resolve(2);
        Assert.DoesNotContain(_sent, s => s.Rack.Value == 3 && s.Message is PageOrder);
        Answer(1, OrderKind.Report, Row(RowState.Resident));
        Assert.Equal(Rack(2), LastTo<ForwardedResolve>(1).Asker);
    }

    /// <summary>It may be down for long, and the page has moved away from it: a resident row proves by itself where it is.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ASilentRegionOfBirthDoesNotHideAPageThatAnotherRackHas(bool wasThere)
    {
        Promise(2, 3);
        if (wasThere) Promise(1);
        Resolve(3);
        Assert.False(_sent.Exists(s => s.Rack.Value == 2 && s.Message is PageOrder));
        Advance(249_000_000);
        Assert.False(_sent.Exists(s => s.Rack.Value == 2 && s.Message is PageOrder));
        Advance(1_000_000);
        Assert.True(_sent.Exists(s => s.Rack.Value == 2 && s.Message is PageOrder));
        Answer(2, OrderKind.Report, Row(RowState.Resident, 2));
        Assert.Equal(Rack(3), LastTo<ForwardedResolve>(2).Asker);
    }

    [Fact]
    public void ARegionOfBirthThatHasNeverAnsweredIsNotWaitedForAnew()
    {
        Promise(2, 3);
        Advance(1_000_000_000);
        Resolve(3);
        Answer(2, OrderKind.Report, Row(RowState.Resident, 2));
        Assert.Equal(Rack(3), LastTo<ForwardedResolve>(2).Asker);
    }

    /// <summary>The first one asked before the page was made, the second has its address from whoever made it.</summary>
    [Fact]
    public void WhatRacksSaidBeforeAQuestionIsNoAnswerToIt()
    {
        Promise(1, 2, 3);
        Resolve(2);
        Answer(1, OrderKind.Report, Row(RowState.Free));
        Answer(2, OrderKind.Report, Row(RowState.Free));
        Resolve(3);
        Answer(3, OrderKind.Report, Row(RowState.Free));
        Assert.DoesNotContain(_sent, s => s.Message is PagesUnresolved);
        Answer(1, OrderKind.Report, Row(RowState.Resident));
        Assert.Equal([Rack(2), Rack(3)], _sent.Select(s => s.Message).OfType<ForwardedResolve>().Select(f => f.Asker));
    }

    [Fact]
    public void NoSuchPageNeedsTheAnswerOfEveryRack()
    {
        Promise(1, 2);
        Resolve(2);
        Answer(1, OrderKind.Report, RowReport.None(Page));
        Answer(2, OrderKind.Report, RowReport.None(Page));
        Assert.DoesNotContain(_sent, s => s.Message is PagesUnresolved);
        for (var i = 0; i < 30; i++) Advance(100_000_000);
        Assert.Equal(ResolveProblem.Unavailable, LastTo<PagesUnresolved>(2).Problem);
        Promise(3);
        Resolve(2);
        Answer(1, OrderKind.Report, RowReport.None(Page));
        Answer(2, OrderKind.Report, RowReport.None(Page));
        Answer(3, OrderKind.Report, RowReport.None(Page));
        Assert.Equal(ResolveProblem.NoSuchPage, LastTo<PagesUnresolved>(2).Problem);
    }

    [Fact]
    public void ALeavingRowIsOpenedAgainOnlyWithTheOtherRacksAnswer()
    {
        Promise(1, 3);
        Resolve(3);
        Answer(1, OrderKind.Report, Row(RowState.Leaving, peer: 2, attempt: 4));
        Answer(3, OrderKind.Report, RowReport.None(Page));
        Assert.False(HasOrder(OrderKind.Reopen));
        Promise(2);
        Advance(1_000_000_000);
        Answer(2, OrderKind.Report, RowReport.None(Page));
        Assert.Equal(4ul, LastOrder(1, OrderKind.Reopen).Attempt.Number);
        Answer(1, OrderKind.Reopen, Row(RowState.Resident, 3));
        Assert.Equal(Rack(3), LastTo<ForwardedResolve>(1).Asker);
    }

    [Fact]
    public void AnUnsettledPageIsUsedAtOnceAndSettledBeforeItMoves()
    {
        Promise(1, 2, 3);
        Resolve(3);
        Answer(1, OrderKind.Report, Row(RowState.Leaving, peer: 2, attempt: 4));
        Answer(2, OrderKind.Report, Row(RowState.Resident, 2, peer: 1, attempt: 4, unsettled: true));
        Assert.Equal(Rack(3), LastTo<ForwardedResolve>(2).Asker);
        Give(new BringRequest(Shard, Rack(3), Page));
        Assert.False(HasOrder(OrderKind.Leave));
        Assert.False(HasOrder(OrderKind.Settle));
        Answer(1, OrderKind.Release, RowReport.None(Page));
        Answer(2, OrderKind.Settle, Row(RowState.Resident, 2));
        Assert.Equal(new Epoch(2), LastOrder(2, OrderKind.Leave).Epoch);
    }

    [Fact]
    public void TwoOwnersStopTheNode()
    {
        Promise(1, 2, 3);
        Give(new ConfirmFree(Shard, Rack(1), Page));
        Answer(1, OrderKind.Report, Row(RowState.Resident));
        Assert.Null(_fatal);
        Answer(2, OrderKind.Report, Row(RowState.Resident));
        Assert.Contains("two owners, racks 1 and 2", _fatal, StringComparison.Ordinal);
    }

    [Fact]
    public void AnAnswerToAnEarlierQuestionIsIgnored()
    {
        Promise(1, 2, 3);
        Resolve(2);
        var late = new OrderAnswered(
            Shard, _shard.Term, Rack(1), OrderKind.Report, Page, LastOrder(1, OrderKind.Report).Attempt, OrderStatus.Done, Row(RowState.Resident), 0, "");
        for (var rack = 1; rack <= 3; rack++) Answer(rack, OrderKind.Report, RowReport.None(Page));
        Resolve(3);
        Give(late);
        Assert.DoesNotContain(_sent, s => s.Message is ForwardedResolve);
    }

    [Fact]
    public void AnOwnerThatHasNoRowMakesTheShardLookAgain()
    {
        Promise(1, 2, 3);
        Resolve(2);
        Answer(1, OrderKind.Report, Row(RowState.Resident));
        var before = LastOrder(1, OrderKind.Report).Attempt;
        Give(new RowsPending(Shard, Rack(1), ValueList<RowReport>.Of(RowReport.None(Page))));
        Assert.NotEqual(before, LastOrder(1, OrderKind.Report).Attempt);
        Answer(3, OrderKind.Report, Row(RowState.Resident));
        Resolve(2);
        Assert.Equal(Rack(2), LastTo<ForwardedResolve>(3).Asker);
    }

    [Fact]
    public void ARefusedTermIsPassed()
    {
        var before = _shard.Term;
        var promised = Term.Above(before, 3);
        Give(new TermRefused(Shard, before, Rack(1), promised));
        Advance(0);
        Assert.True(_shard.Term > promised);
        Assert.Equal(_shard.Term, LastTo<AskRows>(1).Term);
    }

    [Fact]
    public void TheOwnersHeatIsAskedForBeforeAPageMovesOnHeat()
    {
        Promise(1, 2, 3);
        Resolve(2);
        Answer(1, OrderKind.Report, Row(RowState.Resident));
        Report(2, 50, 90_000_000);
        Assert.False(HasOrder(OrderKind.Leave));
        Assert.Equal(Page, LastTo<AskHeat>(1).Page);
        Report(1, 60, 0);
        Report(2, 55, 1);
        Assert.False(HasOrder(OrderKind.Leave));
        Report(1, 2, 0);
        Report(2, 55, 1);
        Assert.Equal(new RackId(2), LastOrder(1, OrderKind.Leave).Peer.Rack);
    }

    [Fact]
    public void APageIsLookedForOnAccountOfHeatOnlyWhenAMoveMayBeNearAndThenWithoutDelay()
    {
        Promise(1, 2, 3);
        Report(2, 1, 100_000);
        Report(2, 2, 100_000);
        Advance(1_000_000_000);
        Assert.False(HasOrder(OrderKind.Report));
        Report(2, 40, 900_000);
        Answer(1, OrderKind.Report, Row(RowState.Resident));
        // Together more than the million that a move costs, though no report alone was.
        Assert.Equal(Page, LastTo<AskHeat>(1).Page);
        Report(1, 2, 0);
        Assert.Equal(new RackId(2), LastOrder(1, OrderKind.Leave).Peer.Rack);
    }

    [Fact]
    public void AMoveThatTheReceiverRefusesIsGivenUpAndThePageServesOn()
    {
        Promise(1, 2, 3);
        Give(new BringRequest(Shard, Rack(2), Page));
        Answer(1, OrderKind.Report, Row(RowState.Resident));
        var attempt = LastOrder(1, OrderKind.Leave).Attempt;
        Answer(1, OrderKind.Leave, Row(RowState.Leaving, peer: 2) with { Attempt = attempt });
        Answer(2, OrderKind.Pull, RowReport.None(Page), OrderStatus.NoRoom);
        Assert.False(HasOrder(OrderKind.Commit));
        Assert.True(HasOrder(OrderKind.Drop));
        Answer(1, OrderKind.Reopen, Row(RowState.Resident, 3));
        Assert.Equal(RequestStatus.Unavailable, LastTo<BringAnswered>(2).Status);
        Resolve(3);
        Assert.Equal(Rack(3), LastTo<ForwardedResolve>(1).Asker);
    }

    [Fact]
    public void ARemovalThatOnlyARackKnowsIsBelieved()
    {
        Promise(3);
        Give(new RowsAnswered(Shard, _shard.Term, Rack(2), PageId.None, true, ValueList<RowReport>.Empty, ValueList<RackId>.Of(new RackId(3))));
        Promise(1, 3);
        Resolve(1);
        Answer(1, OrderKind.Report, Row(RowState.Free));
        Assert.DoesNotContain(_sent, s => s.Rack.Value == 3 && s.Message is PageOrder);
        Answer(2, OrderKind.Report, Row(RowState.Resident));
        Assert.Equal(2, LastTo<ForwardedResolve>(2).Owner.Rack.Value);
    }

    [Fact]
    public void MovesThatWaitForADeadRackDoNotKeepThoseOfOthersFromBeginning()
    {
        Promise(1, 2, 3);
        for (var i = 0UL; i < (ulong)new DirectoryOptions { Geometry = Geometry, Shards = 1 }.MovesMax; i++)
        {
            var page = Geometry.MakePage(new RackId(3), 100 + i);
            Give(new BringRequest(Shard, Rack(2), page));
            var asked = _sent.Select(s => s.Message).OfType<PageOrder>().Last(o => o.Page == page);
            Give(new OrderAnswered(Shard, _shard.Term, Rack(3), OrderKind.Report, page, asked.Attempt, OrderStatus.Done, Row(RowState.Resident) with { Page = page }, 0, ""));
        }

        Give(new BringRequest(Shard, Rack(2), Page));
        Answer(1, OrderKind.Report, Row(RowState.Resident));
        Assert.DoesNotContain(_sent, s => s.Message is PageOrder { Order: OrderKind.Leave } leave && leave.Page == Page);
        for (var i = 0; i < 40; i++) Advance(100_000_000);
        Give(new BringRequest(Shard, Rack(2), Page));
        Assert.Contains(_sent, s => s.Message is PageOrder { Order: OrderKind.Leave } leave && leave.Page == Page);
    }

    [Fact]
    public void WhileAPageIsClosedForAMoveNoOtherOneIsClosedOnAccountOfHeat()
    {
        Promise(1, 2, 3);
        PageId[] pages = [Page, Page.Plus(1)];
        foreach (var page in pages)
        {
            Give(new ResolvePages(Shard, Rack(2), ValueList<PageId>.Of(page)));
            var question = LastOrder(1, OrderKind.Report);
            Give(new OrderAnswered(Shard, _shard.Term, Rack(1), OrderKind.Report, page, question.Attempt, OrderStatus.Done, Row(RowState.Resident) with { Page = page }, 0, ""));
            Give(new HeatReport(Shard, Rack(1), ValueList<PageHeatValue>.Of(new PageHeatValue(page, 0, 0))));
        }

        foreach (var page in pages) Give(new HeatReport(Shard, Rack(2), ValueList<PageHeatValue>.Of(new PageHeatValue(page, 50, 9_000_000))));
        Assert.Equal(Page, Assert.Single(_sent.Select(s => s.Message).OfType<PageOrder>(), o => o.Order == OrderKind.Leave).Page);
        // The first one is stuck: the others do not wait for ever.
        Advance(50_000_000);
        Give(new HeatReport(Shard, Rack(2), ValueList<PageHeatValue>.Of(new PageHeatValue(pages[1], 50, 9_000_000))));
        Assert.Equal(pages[1], LastOrder(1, OrderKind.Leave).Page);
    }

    private void Report(int rack, double heat, long remoteNs) =>
        Give(new HeatReport(Shard, Rack(rack), ValueList<PageHeatValue>.Of(new PageHeatValue(Page, heat, remoteNs))));

    void IShardEffects.SendToRack(RackId rack, IPoolProtocol message) => _sent.Add((rack, message));

    void IShardEffects.Log(RackLogLevel level, string message)
    {
    }

    void IShardEffects.Fatal(string message) => _fatal = message;
}
