using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;
using Rcmp.Hosts.Simulation;

namespace Rcmp.Tests.Protocol;

/// <summary>One thing after the other in a calm pool of three racks of six frames, two of them reserved. Most of these went wrong in the C++ original.</summary>
public class MoveStoryTests
{
    private static SimWorld Calm(SwapPolicy policy = SwapPolicy.DirectIo) => new(new SimOptions(7, Calm: true, Policy: policy));

    [Fact]
    public void APageThatMovesIntoARackWithFreeSpaceIsThereWithItsBytes()
    {
        var world = Calm();
        var page = world.AllocateAt(1);
        Assert.True(world.IncrementFrom(1, page));
        Assert.Equal(RequestStatus.Ok, world.BringTo(2, page));
        Assert.Equal(2, world.OwnerOf(page));
        Assert.True(world.IncrementFrom(2, page));
        Assert.True(world.IncrementFrom(1, page));
        Assert.Equal(RequestStatus.Ok, world.BringTo(3, page));
        Assert.True(world.IncrementFrom(3, page));
    }

    [Fact]
    public void EveryRackThatHoldsAReferenceGivesItBackBeforeThePageMoves()
    {
        var world = Calm();
        var page = world.AllocateAt(1);
        Assert.True(world.IncrementFrom(2, page));
        Assert.True(world.IncrementFrom(3, page));
        Assert.Equal(LocationKind.Remote, world.Rack(3).Store.Lookup(page).Kind);
        Assert.Equal(RequestStatus.Ok, world.BringTo(2, page));
        Assert.NotEqual(LocationKind.Remote, world.Rack(3).Store.Lookup(page).Kind);
        Assert.True(world.IncrementFrom(3, page));
        Assert.True(world.IncrementFrom(1, page));
    }

    [Fact]
    public void APageMovesAgainAfterAMoveThatFailed()
    {
        var world = Calm();
        var page = world.AllocateAt(1);
        var guard = world.HoldGuard(1, page);
        Assert.Equal(RequestStatus.Unavailable, world.BringTo(2, page));
        Assert.Equal(1, world.OwnerOf(page));
        Assert.True(world.IncrementFrom(1, page));
        Assert.Contains(world.Rack(1).Core!.Status().HeldUp, h => h.Page == page);
        guard.StoppedUntilNs = 0;
        world.Settle();
        Assert.Equal(RequestStatus.Ok, world.BringTo(2, page));
        Assert.Equal(2, world.OwnerOf(page));
    }

    [Fact]
    public void FreeingNPagesFreesEachOfThemOnce()
    {
        var world = Calm();
        var first = world.AllocateAt(1, 3);
        var done = world.FreeFrom(2, first, 3);
        Assert.Equal((RequestStatus.Ok, 3L), (done.Status, done.Completed));
        Assert.Equal(6, world.FreeFrames(1));
        Assert.Equal(RequestStatus.PageNotFound, world.FreeFrom(2, first).Status);
        Assert.False(world.IncrementFrom(1, first));
    }

    [Fact]
    public void FreeingARangeWithAHoleReportsHowManyWereFreed()
    {
        var world = Calm();
        var first = world.AllocateAt(1, 3);
        Assert.Equal(RequestStatus.Ok, world.FreeFrom(1, first.Plus(1)).Status);
        var done = world.FreeFrom(1, first, 3);
        Assert.Equal((RequestStatus.PageNotFound, 2L), (done.Status, done.Completed));
    }

    [Fact]
    public void AllocationOverflowsIntoOtherRacksWithConsecutiveIds()
    {
        var world = Calm();
        var first = world.AllocateAt(1, 7);
        Assert.Equal(1, world.OwnerOf(first));
        Assert.NotEqual(1, world.OwnerOf(first.Plus(6)));
        for (var i = 0; i < 7; i++) Assert.True(world.IncrementFrom(3, first.Plus(i)));
    }

    [Fact]
    public void AnAllocationThatDoesNotFitFailsWholeAndLeavesNothing()
    {
        var world = Calm();
        world.Settle();
        var done = Assert.IsType<RequestDone>(world.AskAndWait(1, (s, r) => new AllocatePages(s, r, 13, false)));
        Assert.Equal(RequestStatus.Exhausted, done.Status);
        Assert.Contains("13 pages", done.Message, StringComparison.Ordinal);
        world.Settle(2000);
        for (var rack = 1; rack <= 3; rack++) Assert.Equal(6, world.FreeFrames(rack));
    }

    [Fact]
    public void TheEndOfASessionFreesItsPagesInAllRacks()
    {
        var world = Calm();
        var reply = (PagesAllocated)world.AskAndWait(1, (s, r) => new AllocatePages(s, r, 7, true));
        world.AskAndWait(1, (s, r) => new AcknowledgeAllocation(s, r, reply.First, 7));
        world.Settle();
        Assert.Equal(RequestStatus.Ok, world.BringTo(3, reply.First));
        Assert.Equal(RequestStatus.Ok, ((RequestDone)world.AskAndWait(1, (s, r) => new CloseSession(s, r))).Status);
        for (var rack = 1; rack <= 3; rack++) Assert.Equal(6, world.FreeFrames(rack));
    }

    [Fact]
    public void PagesWhoseAddressTheClientNeverAcknowledgedEndWithIt()
    {
        var world = Calm();
        Assert.IsType<PagesAllocated>(world.AskAndWait(1, (s, r) => new AllocatePages(s, r, 2, false)));
        Assert.Equal(4, world.FreeFrames(1));
        world.Rack(1).KillClient(world.Rack(1).Clients[0]);
        world.Settle(2000);
        Assert.Equal(6, world.FreeFrames(1));
    }

    [Fact]
    public void ARestartedDaemonHasEveryPage()
    {
        var world = Calm();
        var page = world.AllocateAt(1);
        Assert.True(world.IncrementFrom(1, page));
        Assert.True(world.IncrementFrom(2, page));
        world.Rack(1).KillDaemon();
        world.Settle();
        Assert.True(world.IncrementFrom(1, page));
        world.Rack(1).StartDaemon();
        Assert.True(world.IncrementFrom(2, page));
        Assert.True(world.IncrementFrom(3, page));
    }

    [Fact]
    public void APageIsFoundByANewShardWhileTheRackWhereItWasBornIsDown()
    {
        var world = Calm();
        var page = world.AllocateAt(1);
        Assert.Equal(RequestStatus.Ok, world.BringTo(2, page));
        world.Settle();
        world.Rack(1).KillDaemon();
        world.RestartDirectory();
        Assert.True(world.IncrementFrom(3, page));
        Assert.Equal(RequestStatus.Ok, world.BringTo(3, page));
    }

    [Fact]
    public void AFullRackMakesRoomForAPageThatItWants()
    {
        var world = Calm();
        var own = world.AllocateAt(1, 4);
        var wanted = world.AllocateAt(2, 4);
        for (var i = 0; i < 4; i++) Assert.Equal(RequestStatus.Ok, world.BringTo(1, wanted.Plus(i)));
        world.Settle(2000);
        Assert.Equal(2, world.FreeFrames(1));
        for (var i = 0; i < 4; i++)
        {
            Assert.True(world.IncrementFrom(1, own.Plus(i)));
            Assert.True(world.IncrementFrom(2, wanted.Plus(i)));
        }
    }

    [Fact]
    public void RacksThatKnewAnEvictedPageDoNotGoOnUsingItsOldFrame() => EvictPagesThatTwoRacksKnow(ProtocolMutation.None);

    /// <summary>The original's defect: of two racks that knew the page, one was told.</summary>
    [Fact]
    public void AnEvictionThatForgetsAHolderIsNoticed()
    {
        var violation = Assert.Throws<SimViolation>(() => EvictPagesThatTwoRacksKnow(ProtocolMutation.ForgetHolder));
        Assert.Contains("has a valid reference to it", violation.Message, StringComparison.Ordinal);
    }

    private static void EvictPagesThatTwoRacksKnow(ProtocolMutation mutation)
    {
        var world = new SimWorld(new SimOptions(7, Calm: true, Policy: SwapPolicy.DirectIo, Mutation: mutation));
        var own = world.AllocateAt(1, 4);
        var wanted = world.AllocateAt(2, 4);
        // Rack 3 has no room to give, or it would get the victims itself.
        world.AllocateAt(3, 4);
        for (var i = 0; i < 4; i++)
        {
            Assert.True(world.IncrementFrom(2, own.Plus(i)));
            Assert.True(world.IncrementFrom(3, own.Plus(i)));
            Assert.Equal(LocationKind.Remote, world.Rack(3).Store.Lookup(own.Plus(i)).Kind);
        }

        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(RequestStatus.Ok, world.BringTo(1, wanted.Plus(i)));
            world.Settle(2000);
        }

        var evicted = Enumerable.Range(0, 4).Select(i => own.Plus(i)).Where(page => world.OwnerOf(page) != 1).ToList();
        Assert.NotEmpty(evicted);
        foreach (var page in evicted)
        {
            var owner = world.OwnerOf(page) ?? 0;
            Assert.InRange(owner, 2, 3);
            for (var rack = 1; rack <= 3; rack++) Assert.False(world.RefersTo(rack, page, 1), $"rack {rack} still refers to {page} in rack 1");
            // The world checks at each of them that the word is what the last one left: none is lost.
            for (var rack = 3; rack >= 1; rack--) Assert.True(world.IncrementFrom(rack, page));
            Assert.Equal(5UL, world.FirstWordOf(owner, page));
        }
    }

    [Fact]
    public void AHotPageComesToItsReaderAndTheDecisionCanBeRead()
    {
        var world = Calm(SwapPolicy.Adaptive);
        var page = world.AllocateAt(1);
        for (var i = 0; i < 200 && world.OwnerOf(page) != 2; i++) world.IncrementFrom(2, page);
        Assert.Equal(2, world.OwnerOf(page));
        var located = Assert.IsType<PageLocated>(world.AskAndWait(3, (s, r) => new LocatePage(s, r, page)));
        Assert.Contains("moved to rack 2", located.LastDecision, StringComparison.Ordinal);
        Assert.Contains("a move costs", located.LastDecision, StringComparison.Ordinal);
    }
}
