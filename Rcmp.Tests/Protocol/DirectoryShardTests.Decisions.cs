using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Tests.Protocol;

/// <summary>What a shard says of a page that stays or moves: one test for each of its own checks, with figures on which the policy would move the page.</summary>
public partial class DirectoryShardTests
{
    private string Decision(PageId? page = null)
    {
        Give(new LocateRequest(Shard, Rack(3), default, default, page ?? Page));
        var answer = LastTo<LocateAnswered>(3);
        Assert.Equal(page ?? Page, answer.Page);
        return answer.LastDecision;
    }

    /// <summary>Known to be in rack 1, which does not use it.</summary>
    private void Find()
    {
        Resolve(2);
        Answer(1, OrderKind.Report, Row(RowState.Resident));
        Report(1, 0, 0);
    }

    private static void AssertStays(string decision, string why)
    {
        Assert.StartsWith($"stay: worth a move, but {why} (rack 2 heat ", decision, StringComparison.Ordinal);
        Assert.Contains("a move costs", decision, StringComparison.Ordinal);
    }

    [Fact]
    public void APageThatRestsAfterAFailedMoveIsSaidToStayAndWhatFailed()
    {
        BeginMoveToRack2();
        Answer(1, OrderKind.Leave, Row(RowState.Resident), OrderStatus.NotQuiet);
        Assert.StartsWith("move to rack 2: ", Decision(), StringComparison.Ordinal);
        Assert.EndsWith("; the page stays: ", Decision(), StringComparison.Ordinal);
        Report(2, 60, 1);
        AssertStays(Decision(), "it rests after an attempt that failed");
        Assert.EndsWith("; the page stays: ", Decision(), StringComparison.Ordinal);
        Advance(50_000_000);
        Report(2, 60, 1);
        Assert.StartsWith("move to rack 2: ", Decision(), StringComparison.Ordinal);
        Assert.DoesNotContain(";", Decision(), StringComparison.Ordinal);
    }

    [Fact]
    public void APageWhoseReadersRackHasNotAnsweredTheShardIsSaidToStay()
    {
        Promise(1, 3);
        Find();
        Report(2, 50, 90_000_000);
        AssertStays(Decision(), "one of the two racks has not answered this directory shard yet");
        Promise(2);
        Report(2, 50, 1);
        Assert.StartsWith("move to rack 2: ", Decision(), StringComparison.Ordinal);
    }

    [Fact]
    public void APageOfAShardWithAllItsMovesUnderWayIsSaidToStay()
    {
        Promise(1, 2, 3);
        Find();
        for (var i = 0UL; i < (ulong)new DirectoryOptions { Geometry = Geometry, Shards = 1 }.MovesMax; i++)
        {
            var page = Geometry.MakePage(new RackId(3), 100 + i);
            Give(new BringRequest(Shard, Rack(2), page));
            var asked = _sent.Select(s => s.Message).OfType<PageOrder>().Last(o => o.Page == page);
            Give(new OrderAnswered(Shard, _shard.Term, Rack(3), OrderKind.Report, page, asked.Attempt, OrderStatus.Done, Row(RowState.Resident) with { Page = page }, 0, ""));
        }

        Report(2, 50, 90_000_000);
        AssertStays(Decision(), "the directory shard has as many moves under way as it may have");
    }

    [Fact]
    public void APageThatWaitsForAnotherOnesMoveIsSaidToStay()
    {
        Promise(1, 2, 3);
        Find();
        var other = Page.Plus(1);
        Give(new ResolvePages(Shard, Rack(2), ValueList<PageId>.Of(other)));
        var question = LastOrder(1, OrderKind.Report);
        Give(new OrderAnswered(Shard, _shard.Term, Rack(1), OrderKind.Report, other, question.Attempt, OrderStatus.Done, Row(RowState.Resident) with { Page = other }, 0, ""));
        Give(new HeatReport(Shard, Rack(1), ValueList<PageHeatValue>.Of(new PageHeatValue(other, 0, 0))));
        Give(new HeatReport(Shard, Rack(2), ValueList<PageHeatValue>.Of(new PageHeatValue(other, 50, 9_000_000))));
        Report(2, 50, 90_000_000);
        AssertStays(Decision(), "another page of the directory shard is closed for its own");
        Assert.StartsWith("move to rack 2: ", Decision(other), StringComparison.Ordinal);
    }

    [Fact]
    public void APageThatIsMovingAlreadyIsSaidToBe()
    {
        Promise(1, 2, 3);
        Find();
        Give(new BringRequest(Shard, Rack(3), Page));
        Assert.Equal("on its way to rack 3 (pin)", Decision());
        Report(2, 50, 90_000_000);
        AssertStays(Decision(), "it is being moved or freed already");
        Assert.EndsWith("; on its way to rack 3 (pin)", Decision(), StringComparison.Ordinal);
    }

    [Fact]
    public void WhereNothingWasDecidedYetTheFiguresAreWeighedForWhoeverAsks()
    {
        Promise(1, 2, 3);
        Report(3, 0.6, 100);
        Report(2, 1, 100);
        Give(new LocateRequest(Shard, Rack(3), default, default, Page));
        Answer(1, OrderKind.Report, Row(RowState.Resident));
        Assert.StartsWith("stay: the owner has not reported its heat yet (rack 2 heat 1, rack 1 heat not reported, ", LastTo<LocateAnswered>(3).LastDecision, StringComparison.Ordinal);
    }

    [Fact]
    public void ANewDecisionDoesNotTellHowAnEarlierMoveEnded()
    {
        BeginMoveToRack2();
        Answer(1, OrderKind.Leave, Row(RowState.Resident), OrderStatus.NotQuiet);
        Report(1, 100, 0);
        Report(2, 50, 1);
        Assert.StartsWith("stay: the owner is as hot (", Decision(), StringComparison.Ordinal);
        Assert.DoesNotContain(";", Decision(), StringComparison.Ordinal);
    }

    [Fact]
    public void WhyAPageHasMovedIsToldUntilSomethingElseIsDecided()
    {
        BeginMoveToRack2();
        var attempt = LastOrder(1, OrderKind.Leave).Attempt;
        Answer(1, OrderKind.Leave, Row(RowState.Leaving, peer: 2) with { Attempt = attempt });
        Answer(2, OrderKind.Pull, Row(RowState.Incoming, peer: 1) with { Attempt = attempt });
        Answer(2, OrderKind.Commit, Row(RowState.Resident, 2, unsettled: true) with { Attempt = attempt });
        Answer(1, OrderKind.Release, RowReport.None(Page));
        Answer(2, OrderKind.Settle, Row(RowState.Resident, 2));
        // The rack that had it has cooled down, which decides nothing.
        Report(1, 0, 0);
        Assert.StartsWith("move to rack 2: the time spent on remote access exceeds the cost of a move (rack 2 heat 50, ", Decision(), StringComparison.Ordinal);
        Assert.EndsWith("; moved to rack 2 (heat)", Decision(), StringComparison.Ordinal);
        Report(1, 5, 1000);
        Assert.StartsWith("stay: it moved a short while ago (rcmp.swap.min-residence) (rack 1 heat 5, ", Decision(), StringComparison.Ordinal);
        Assert.DoesNotContain(";", Decision(), StringComparison.Ordinal);
    }

    [Fact]
    public void WhoHasAskedForAPageIsToldWhyItStaysAndNotWhatHappenedEarlier()
    {
        BeginMoveToRack2();
        Answer(1, OrderKind.Leave, Row(RowState.Resident), OrderStatus.NotQuiet);
        Advance(100_000_000);
        Give(new BringRequest(Shard, Rack(3), Page));
        var order = LastOrder(1, OrderKind.Leave);
        Give(new OrderAnswered(Shard, _shard.Term, Rack(1), OrderKind.Leave, Page, order.Attempt, OrderStatus.NotQuiet, Row(RowState.Resident), 0, "client 7 holds it"));
        Assert.Equal("the page stays: client 7 holds it", LastTo<BringAnswered>(3).Why);
    }

    private void BeginMoveToRack2()
    {
        Promise(1, 2, 3);
        Find();
        Report(2, 50, 90_000_000);
    }
}
