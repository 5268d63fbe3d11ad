using Rcmp.Protocol;
using Rcmp.Regions;
using Rcmp.Runtime;

namespace Rcmp.DataPath;

/// <summary>The view of a granted session: the region mapped as a client, the session file locked.</summary>
internal sealed unsafe class RegionClientView : ClientView
{
    private readonly Region _region;
    private readonly ClientSession _session;
    private readonly int _sessionIndex;

    private RegionClientView(Region region, ClientSession session, int sessionIndex)
    {
        _region = region;
        _session = session;
        _sessionIndex = sessionIndex;
        Table = region.PageTable;
        HitTable = region.HitTable;
        TableMask = region.PageTableMask;
        Counters = region.Counters;
        References = region.References;
        Frames = region.Frames;
        FrameCount = region.Layout.FrameCount;
        PageShift = region.Layout.PageShift;
        Session = region.SessionAt(sessionIndex);
        Slots = region.SlotsAt(sessionIndex);
        SlotCount = region.Layout.SlotsPerSession;
        LinkSlots = region.Layout.LinkSlots;
        UsesFence = session.UsesFence;
    }

    public static RegionClientView Open(SessionGrant grant, bool forceFence = false)
    {
        var region = Region.OpenClient(grant.RegionPath, new RegionExpectations(grant.PoolId, grant.PageSize, grant.RegionId));
        try
        {
            return new RegionClientView(region, ClientSession.Open(region, grant.Index, grant.Token, grant.LockPath, forceFence), grant.Index);
        }
        catch
        {
            region.Dispose();
            throw;
        }
    }

    public override ulong ReadLinkNumber(int linkSlot) => Volatile.Read(ref _region.LinkAt(linkSlot)->Number);

    public override LinkRecord? ReadLink(int linkSlot) => _region.ReadLink(linkSlot);

    public override void Release()
    {
        // Before the lock is given up: another client may get the record then, and no store of this process may reach its slots any more.
        _region.RetireSlots(_sessionIndex);
        _region.Dispose();
        _session.Dispose();
    }
}
