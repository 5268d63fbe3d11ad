using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Protocol;

/// <summary>Frames and ids of a single rack: who gets them, who gives them back, and what the master hears of it.</summary>
public class RackAllocationTests
{
    private readonly RackRig _rig = new();

    [Fact]
    public void ARepeatedFreeIsDoneAndASecondOneFindsNoPage()
    {
        var page = _rig.Allocate();
        var request = new RequestId(42);
        _rig.Order(OrderKind.Free, page, 1, request: request);
        _rig.Quiet();
        Assert.Equal(OrderStatus.Done, _rig.Last<OrderAnswered>()!.Status);
        _rig.Restart();
        _rig.Order(OrderKind.Free, page, 2, request: request);
        Assert.Equal(OrderStatus.Done, _rig.Last<OrderAnswered>()!.Status);
        _rig.Order(OrderKind.Free, page, 3, request: new RequestId(43));
        Assert.Equal(OrderStatus.OtherRow, _rig.Last<OrderAnswered>()!.Status);
    }

    [Fact]
    public void AnAllocationIsRepeatedByItsRequestEvenAfterARestart()
    {
        var order = new AllocatePages(RackRig.Session, new RequestId(5), 2, false);
        _rig.Give(order);
        var first = _rig.Last<PagesAllocated>()!.First;
        _rig.Give(order);
        _rig.Restart();
        _rig.Give(order);
        Assert.Equal(3, _rig.Sent.OfType<PagesAllocated>().Count(p => p.First == first));
        Assert.Equal(2, _rig.Core.Status().Resident);
    }

    [Fact]
    public void AnUnacknowledgedPageDoesNotLeave()
    {
        _rig.Give(new AllocatePages(RackRig.Session, new RequestId(5), 1, false));
        _rig.Order(OrderKind.Leave, _rig.Last<PagesAllocated>()!.First, 1);
        Assert.Equal(OrderStatus.NotYet, _rig.Last<OrderAnswered>()!.Status);
    }

    [Fact]
    public void AFrameIsZeroedBeforeItIsAllocated()
    {
        Array.Fill(_rig.Store.Memory, 7ul);
        var page = _rig.Allocate();
        Assert.Equal(0ul, _rig.Store.Memory[_rig.Store.Lookup(page).Frame.Value]);
    }

    [Fact]
    public void AfterAWrapOnlyIdsThatTheDirectoryConfirmsFreeAreUsedAgain()
    {
        var max = _rig.Store.Geometry.SequenceMax;
        _rig.Store.SaveState(_rig.Store.State with { SequenceReserved = max + 2 });
        _rig.Restart();
        _rig.Give(new AllocatePages(RackRig.Session, new RequestId(5), 1, false));
        var asked = _rig.Last<ConfirmFree>()!.Page;
        Assert.Equal(1ul, _rig.Store.Geometry.SequenceOf(asked));
        Assert.Null(_rig.Last<PagesAllocated>());
        _rig.Give(new FreeConfirmed(RackRig.Self, asked, false));
        var next = _rig.Last<ConfirmFree>()!.Page;
        Assert.NotEqual(asked, next);
        _rig.Give(new FreeConfirmed(RackRig.Self, next, true));
        Assert.Equal(next, _rig.Last<PagesAllocated>()!.First);
    }

    [Fact]
    public void AnAllocationThatFailsAfterAWrapFreesNoPageThatHadTheIdBefore()
    {
        var old = _rig.Allocate();
        var max = _rig.Store.Geometry.SequenceMax;
        _rig.Store.SaveState(_rig.Store.State with { SequenceReserved = max + 2 });
        _rig.Restart();
        var request = _rig.NewRequest();
        _rig.Give(new AllocatePages(RackRig.Session, request, 1, false));
        Assert.Equal(old, _rig.Last<ConfirmFree>()!.Page);
        _rig.Advance(10_000_000_000);
        Assert.Equal(RequestStatus.Unavailable, Assert.Single(_rig.Sent.OfType<RequestDone>(), done => done.Request == request).Status);
        Assert.DoesNotContain(_rig.Sent.OfType<FreeRequest>(), free => free.Page == old);
    }

    [Fact]
    public void SequenceNumbersAreNeverGivenOutTwice()
    {
        var before = _rig.Allocate();
        _rig.Restart();
        Assert.True(_rig.Allocate().CompareTo(before) > 0);
    }

    [Fact]
    public void ADrainedRackLeavesByItselfOnceItIsEmptyAndTakesNothingAfterARestartEither()
    {
        var page = _rig.Allocate();
        _rig.Give(new EmptyRack(RackRig.Self));
        Assert.False(_rig.Store.State.Roster[0].Forgotten);
        _rig.Order(OrderKind.Free, page, 1, request: _rig.NewRequest());
        _rig.Quiet();
        Assert.True(_rig.Store.State.Roster[0].Forgotten);
        _rig.Restart();
        _rig.Give(new AllocatePages(RackRig.Session, _rig.NewRequest(), 1, false));
        Assert.Equal(RequestStatus.Exhausted, _rig.Last<RequestDone>()!.Status);
    }

    [Fact]
    public void TheMasterHearsOfASmallChangeOfRoomBeforeTheNextRegistrationAndOfALargeOneAtOnce()
    {
        // At its start the master knows nothing of the rack.
        _rig.Allocate();
        _rig.Sent.Clear();
        _rig.Allocate();
        Assert.Null(_rig.Last<RackLoad>());
        _rig.Advance(new RackCoreOptions { Settings = new PoolSettings(Guid.Empty, 4096, 1, 1), RegionId = Guid.Empty }.ResendMinNs);
        Assert.Equal(4, _rig.Last<RackLoad>()!.FramesFree);
        _rig.Give(new AllocatePages(RackRig.Session, _rig.NewRequest(), 4, false));
        Assert.Equal(4, _rig.Last<RackLoad>()!.FramesFree);
        _rig.Restart();
        _rig.Give(new AllocatePages(RackRig.Session, _rig.NewRequest(), 1, false));
    }

    [Fact]
    public void ALargeAllocationIsMadeInStepsAndNobodyWaitsForAllOfThem()
    {
        var rig = new RackRig(frames: 5000);
        var large = rig.NewRequest();
        rig.Give(new AllocatePages(RackRig.Session, large, 4000, false));
        var small = rig.NewRequest();
        rig.Give(new AllocatePages(RackRig.Session, small, 1, false));
        Assert.Equal(small, Assert.Single(rig.Sent.OfType<PagesAllocated>()).Request);
        for (var step = 1; rig.Sent.OfType<PagesAllocated>().All(reply => reply.Request != large); step++)
        {
            Assert.True(step < 4, $"{step} steps");
            rig.Advance(1);
        }

        Assert.Equal(4001, rig.Core.Status().Resident);
    }
}
