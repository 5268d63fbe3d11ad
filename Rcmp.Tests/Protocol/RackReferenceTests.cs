using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Tests.Protocol;

/// <summary>References to pages of another rack, on a single rack: asked for, installed, given back.</summary>
public class RackReferenceTests
{
    private readonly RackRig _rig = new();

    [Fact]
    public void AReferenceThatArrivesAfterItsRevocationIsNotInstalled()
    {
        var page = new PageId((2UL << 40) + 5);
        var link = _rig.RegisterAtOther(page);
        _rig.Give(new RevokePage(link, page, 9));
        _rig.Quiet();
        Assert.Equal(9ul, _rig.Last<RevokeAcknowledged>()!.Number);
        _rig.Give(new GrantPages(link, 8, ValueList<PageGrant>.Of(new PageGrant(page, new FrameIndex(1), new Epoch(1)))));
        Assert.Equal(LocationKind.Absent, _rig.Store.Lookup(page).Kind);
        _rig.Give(new GrantPages(link, 10, ValueList<PageGrant>.Of(new PageGrant(page, new FrameIndex(1), new Epoch(1)))));
        Assert.Equal(LocationKind.Remote, _rig.Store.Lookup(page).Kind);
    }

    [Fact]
    public void ReferencesAndRevocationsOfAnotherLinkAreIgnored()
    {
        var page = new PageId((2UL << 40) + 5);
        var link = _rig.RegisterAtOther(page);
        var old = link with { Registration = link.Registration + 7 };
        _rig.Give(new GrantPages(old, 1, ValueList<PageGrant>.Of(new PageGrant(page, new FrameIndex(1), new Epoch(1)))));
        Assert.Equal(LocationKind.Absent, _rig.Store.Lookup(page).Kind);
        _rig.Give(new RevokePage(old, page, 2));
        Assert.Empty(_rig.Quiesces);
    }

    [Fact]
    public void ARepeatedRevocationNamesTheConnectionsAgain()
    {
        var page = new PageId((2UL << 40) + 5);
        var link = _rig.RegisterAtOther(page);
        _rig.Give(new GrantPages(link, 1, ValueList<PageGrant>.Of(new PageGrant(page, new FrameIndex(1), new Epoch(1)))));
        for (var i = 0; i < 2; i++)
        {
            _rig.Quiesces.Clear();
            _rig.Give(new RevokePage(link, page, 2));
            Assert.True(_rig.Quiesces[^1].RemoteOnly);
            _rig.Quiet(false, 55);
            Assert.Equal([55ul], _rig.Last<RevokeAcknowledged>()!.Connections);
        }
    }

    [Fact]
    public void NoReferenceIsInstalledOverARow()
    {
        var page = _rig.Allocate();
        var link = _rig.RegisterAtOther(new PageId((2UL << 40) + 5));
        _rig.Order(OrderKind.Leave, page, 1);
        _rig.Quiet();
        _rig.Give(new GrantPages(link, 1, ValueList<PageGrant>.Of(new PageGrant(page, new FrameIndex(1), new Epoch(2)))));
        Assert.NotEqual(LocationKind.Remote, _rig.Store.Lookup(page).Kind);
    }

    [Fact]
    public void AMissAsksTheRackOfBirthFirstIfThereIsALinkAndThenTheDirectory()
    {
        var first = _rig.Store.Geometry.MakePage(RackRig.Other.Rack, 7);
        _rig.RegisterAtOther(first);
        Assert.Equal(RackRig.Other, _rig.Last<ForwardedResolve>()!.Owner);
        var second = first.Plus(1000);
        _rig.Sent.Clear();
        _rig.Give(new ResolveMiss(RackRig.Session, _rig.NewRequest(), second, 0));
        Assert.Equal(second, Assert.Single(_rig.Last<ForwardedResolve>()!.Pages));
        Assert.Null(_rig.Last<ResolvePages>());
        _rig.Advance(1_000_000_000);
        Assert.Contains(_rig.Sent.OfType<ResolvePages>(), asked => asked.Pages.Contains(second));
    }

    [Fact]
    public void ARackThatIsAskedForAPageThatItDoesNotHavePassesTheQuestionOn()
    {
        var page = _rig.Allocate();
        _rig.AcceptHolder();
        _rig.Sent.Clear();
        _rig.Give(new ForwardedResolve(RackRig.Shard, default, RackRig.Self, RackRig.Other, ValueList<PageId>.Of(page.Plus(1), page)));
        Assert.Equal(RackRig.Other, _rig.Last<ResolvePages>()!.Asker);
        Assert.Null(_rig.Last<GrantPages>());
        _rig.Give(new ForwardedResolve(RackRig.Shard, default, RackRig.Self, RackRig.Other, ValueList<PageId>.Of(page)));
        Assert.Equal(page, Assert.Single(_rig.Last<GrantPages>()!.Pages).Page);
    }

    [Fact]
    public void AConnectionIsAskedForOnceHoweverOftenItIsFoundWhileItsOwnerIsSilent()
    {
        var rig = new RackRig();
        rig.RegisterAtOther(new PageGeometry(4096).MakePage(RackRig.Other.Rack, 5));
        var link = Assert.Single(Enumerable.Range(0, rig.Store.LinkSlots).Select(rig.Store.ReadLink).OfType<LinkRecord>()).Number;
        for (var i = 0; i < 100; i++)
        {
            rig.Give(new ConnectionsOrphaned(link, [7]));
            rig.Give(new ReportConnection(RackRig.Session, rig.NewRequest(), link, 7));
        }

        Assert.Single(rig.Sent.OfType<DestroyConnectionsOrder>());
        rig.Give(new ConnectionsOrphaned(link, [7, 8]));
        Assert.Equal([8UL], rig.Last<DestroyConnectionsOrder>()!.Connections);
        rig.Advance(60_000_000_000);
        Assert.Equal(4, rig.Sent.OfType<DestroyConnectionsOrder>().Count());

        // Once it is answered it may be asked for again.
        var id = rig.Last<DestroyConnectionsOrder>()!.Link;
        rig.Give(new ConnectionsDestroyed(id, ValueList<ulong>.Of([7UL, 8UL])));
        Assert.Equal([7UL, 8UL], rig.Released.Distinct().Order());
        rig.Give(new ConnectionsOrphaned(link, [7]));
        Assert.Equal(5, rig.Sent.OfType<DestroyConnectionsOrder>().Count());
    }
}
