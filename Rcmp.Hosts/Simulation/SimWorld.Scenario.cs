using Rcmp.Hosts.Linearizability;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation;

/// <summary>For tests that tell a story: a calm world in which one thing happens after the other.</summary>
internal sealed partial class SimWorld
{
    private const long StoryPatienceNs = 40_000_000;

    public SimRack Rack(int number) => Racks[new RackId((ushort)number)];

    public void Settle(int microseconds = 800) => RunFor(microseconds * 1000L);

    public ISessionReply AskAndWait(int rack, Func<SessionToken, RequestId, ISessionRequest> request)
    {
        ISessionReply? reply = null;
        Ask(Rack(rack), request(Rack(rack).Clients[0].Session, NewRequest(ref _random)), r => reply = r);
        RunUntil(() => reply is not null, StoryPatienceNs);
        return reply ?? throw new SimViolation("no answer");
    }

    public PageId AllocateAt(int rack, long count = 1)
    {
        var session = Rack(rack).Clients[0].Session;
        var reply = (PagesAllocated)AskAndWait(rack, (s, r) => new AllocatePages(s, r, count, false));
        AskAndWait(rack, (s, r) => new AcknowledgeAllocation(s, r, reply.First, count));
        Settle();
        for (var i = 0; i < count; i++) OnAllocated(new SimPage(reply.First.Plus(i), session, false) { Acknowledged = true });
        return reply.First;
    }

    public RequestStatus BringTo(int rack, PageId page) => ((RequestDone)AskAndWait(rack, (s, r) => new BringPage(s, r, page))).Status;

    public RequestDone FreeFrom(int rack, PageId first, long count = 1)
    {
        for (var i = 0; i < count; i++) _byId[first.Plus(i)].FreeAsked = true;
        return (RequestDone)AskAndWait(rack, (s, r) => new FreePages(s, r, first, count));
    }

    /// <summary>Increments the page's word from that rack, by the rack's data path; the word is checked.</summary>
    public bool IncrementFrom(int rack, PageId page)
    {
        var client = AddClient(Rack(rack), led: true);
        for (var tries = 0; tries < 20 && client.Completed != page && !client.NotFound; tries++)
        {
            client.Begin(MakeAccess(_byId[page], 0, WordOperation.FetchAdd, 1, 0));
            RunUntil(() => client.IsIdle, StoryPatienceNs);
        }

        Rack(rack).Clients.Remove(client);
        return client.Completed == page;
    }

    /// <summary>A client that holds a guard on the page and does nothing, until it is let go.</summary>
    public SimClient HoldGuard(int rack, PageId page)
    {
        var client = AddClient(Rack(rack), led: true);
        client.StoppedUntilNs = long.MaxValue;
        client.Begin(MakeAccess(_byId[page], 0, WordOperation.FetchAdd, 1, 0));
        return client;
    }

    /// <summary>The directory shard ends; one that knows nothing takes its place.</summary>
    public void RestartDirectory()
    {
        _shards.Clear();
        StartShard(DirectoryNode);
    }

    public int? OwnerOf(PageId page)
    {
        var owners = Rows().Where(r => r.Row.State == RowState.Resident && r.Row.Page == page).Select(r => r.Rack.Id.Value).ToList();
        return owners.Count == 1 ? owners[0] : null;
    }

    /// <summary>Whether a rack would look for the page in another one's memory.</summary>
    public bool RefersTo(int rack, PageId page, int owner) =>
        Rack(rack).Store.Lookup(page) is { Kind: LocationKind.Remote } location && Rack(rack).Store.ReadLink(location.LinkSlot)?.Id.Owner.Rack == Rack(owner).Id;

    /// <summary>The page's first word as it is in its owner's memory.</summary>
    public ulong FirstWordOf(int owner, PageId page)
    {
        var store = Rack(owner).Store;
        var frame = Enumerable.Range(0, store.FrameCount).First(f => store.ReadRow(new FrameIndex((uint)f)) is { State: RowState.Resident } row && row.Page == page);
        return store.Memory[frame * SimStore.FrameWords];
    }

    public long FreeFrames(int rack) =>
        Enumerable.Range(0, Rack(rack).Store.FrameCount).Count(f => Rack(rack).Store.ReadRow(new FrameIndex((uint)f)).State == RowState.Free);
}
