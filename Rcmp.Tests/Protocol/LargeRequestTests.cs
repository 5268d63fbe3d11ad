using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Protocol;

/// <summary>Requests for more pages than a rack deals with at once.</summary>
public sealed class LargeRequestTests
{
    [Fact]
    public void AFreeOfAMillionPagesThatNobodyAnswersEndsOnceInOneAnswer()
    {
        var rig = new RackRig();
        var request = rig.NewRequest();
        rig.Give(new FreePages(RackRig.Session, request, new PageId((1UL << 40) + 1), 1_000_000));
        rig.Advance(6_000_000_000);
        rig.Advance(60_000_000_000);
        var done = Assert.Single(rig.Sent.OfType<RequestDone>(), reply => reply.Request == request);
        Assert.Equal(RequestStatus.OutcomeUnknown, done.Status);
        Assert.Equal(0, done.Completed);
    }

    [Fact]
    public void ACountThatNoRequestMayHaveIsRefusedAtOnce()
    {
        var rig = new RackRig();
        foreach (var count in (long[])[0, -1, long.MinValue, long.MaxValue, (16 << 20) + 1])
        {
            foreach (var request in (ISessionRequest[])
            [
                new AllocatePages(RackRig.Session, rig.NewRequest(), count, false), new FreePages(RackRig.Session, rig.NewRequest(), new PageId(5), count),
                new AcknowledgeAllocation(RackRig.Session, rig.NewRequest(), new PageId(5), count),
            ])
            {
                rig.Give(request);
                var done = rig.Last<RequestDone>()!;
                Assert.Equal(request.Request, done.Request);
                Assert.Equal(RequestStatus.Invalid, done.Status);
                Assert.Contains("rcmp.limits.request-pages", done.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void HostingSettledForACountThatNobodyHasEndsSoon()
    {
        var rig = new RackRig();
        Bounded.Run("settling", () =>
        {
            rig.Give(new SettleHosted(RackRig.Other, RackRig.Self.Rack, rig.NewRequest(), RackRig.Session, new PageId(5), long.MaxValue, true));
            rig.Give(new SettleHosted(RackRig.Other, RackRig.Self.Rack, rig.NewRequest(), RackRig.Session, new PageId(5), long.MaxValue, false));
            rig.Give(new HostPages(RackRig.Other, RackRig.Self, rig.NewRequest(), RackRig.Session, false, new PageId(5), long.MinValue));
        });
        Assert.Equal(2, rig.Sent.OfType<HostedSettled>().Count());
    }
}
