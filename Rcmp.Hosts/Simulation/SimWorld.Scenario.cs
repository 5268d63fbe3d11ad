using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation;

/// <summary>For tests that tell a story: a calm world in which one thing happens after the other.</summary>
internal sealed partial class SimWorld
{
    private const int PatienceSteps = 20_000;

    public SimRack Rack(int number) => Racks[new RackId((ushort)number)];

    public void Settle(int steps = 400)
    {
        for (var i = 0; i < steps; i++) Step();
    }

    public ISessionReply AskAndWait(int rack, Func<SessionToken, RequestId, ISessionRequest> request)
    {
        ISessionReply? reply = null;
        Ask(Rack(rack), request(Rack(rack).Clients[0].Session, NewRequest()), r => reply = r);
        for (var i = 0; i < PatienceSteps && reply is null; i++) Step();
        return reply ?? throw new SimViolation("no answer");
    }

    public PageId AllocateAt(int rack, long count = 1)
    {
        var reply = (PagesAllocated)AskAndWait(rack, (s, r) => new AllocatePages(s, r, count, false));
        AskAndWait(rack, (s, r) => new AcknowledgeAllocation(s, r, reply.First, count));
        Settle();
        for (var i = 0; i < count; i++) _truth[reply.First.Plus(i)] = 0;
        return reply.First;
    }

    public RequestStatus BringTo(int rack, PageId page) => ((RequestDone)AskAndWait(rack, (s, r) => new BringPage(s, r, page))).Status;

    public RequestDone FreeFrom(int rack, PageId first, long count = 1) => (RequestDone)AskAndWait(rack, (s, r) => new FreePages(s, r, first, count));

    /// <summary>Increments the page's word from that rack, by the rack's data path; the word is checked.</summary>
    public bool IncrementFrom(int rack, PageId page)
    {
        var client = AddClient(Rack(rack));
        client.Begin(page);
        for (var i = 0; i < PatienceSteps && !client.IsIdle; i++) Step();
        Rack(rack).Clients.Remove(client);
        return client.Completed == page;
    }

    /// <summary>A client that holds a guard on the page and does nothing, until it is let go.</summary>
    public SimClient HoldGuard(int rack, PageId page)
    {
        var client = AddClient(Rack(rack));
        client.Begin(page);
        client.StoppedUntilNs = long.MaxValue;
        return client;
    }

    public int? OwnerOf(PageId page)
    {
        var owners = Racks.Values.Where(r => Enumerable.Range(0, r.Store.FrameCount)
            .Any(f => r.Store.ReadRow(new FrameIndex((uint)f)) is { State: RowState.Resident } row && row.Page == page)).ToList();
        return owners.Count == 1 ? owners[0].Id.Value : null;
    }

    public long FreeFrames(int rack) =>
        Enumerable.Range(0, Rack(rack).Store.FrameCount).Count(f => Rack(rack).Store.ReadRow(new FrameIndex((uint)f)).State == RowState.Free);
}
