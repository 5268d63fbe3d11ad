using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;
using Rcmp.Hosts.Simulation;

namespace Rcmp.Tests.Protocol;

/// <summary>One rack's state machine with nothing around it: what it sends and wants done is recorded, and answered by the test.</summary>
internal sealed class RackRig : IRackEffects
{
    public static readonly RackIncarnation Self = new(new RackId(1), new Generation(1));
    public static readonly RackIncarnation Other = new(new RackId(2), new Generation(1));
    public static readonly ShardId Shard = new(0);
    public static readonly SessionToken Session = new(77);
    public static readonly Term First = new(1UL << 32);
    public static readonly Term Second = new(2UL << 32);

    private ulong _requests;

    private readonly SwapPolicy _policy;

    public RackRig(int frames = 8, SwapPolicy policy = SwapPolicy.Adaptive)
    {
        _policy = policy;
        var roster = new[]
        {
            new RosterEntry(Self.Rack, new Guid(1, 0, 0, new byte[8]), Self.Generation, "1", false),
            new RosterEntry(Other.Rack, new Guid(2, 0, 0, new byte[8]), Other.Generation, "2", false),
        };
        Store = new SimStore(frames, 2 * frames, new SuperblockState(Self.Rack, Self.Generation, 1, roster, new Dictionary<ShardId, Term>()), Fatal);
        Restart();
    }

    public SimStore Store { get; }

    public RackCore Core { get; private set; } = null!;

    public long NowNs { get; set; } = 1_000_000;

    public List<object> Sent { get; } = [];

    public List<(ulong Ticket, PageId Page, bool RemoteOnly)> Quiesces { get; } = [];

    public List<(ulong Ticket, PageId Page, FrameIndex Target)> Pulls { get; } = [];

    public List<(ulong Ticket, RackId Rack)> Fences { get; } = [];

    public List<(ulong Ticket, IReadOnlyList<ulong> Names)> Destroyed { get; } = [];

    public List<ulong> Released { get; } = [];

    public List<(RackLogLevel Level, string Message)> Logged { get; } = [];

    public void Restart(bool registers = true)
    {
        var settings = new PoolSettings(Guid.Empty, 4096, 1, 1);
        Core = new RackCore(Store, new RackCoreOptions { Settings = settings, Policy = _policy, RegionId = new Guid(1, 0, 0, new byte[8]), ReserveFrames = 2 }, () => ++_requests);
        Core.Start(NowNs, this);
        if (!registers) return;
        Core.Handle(new RackRegistered(new Guid(1, 0, 0, new byte[8]), Self.Rack, Self.Generation, new RosterChanged(1, ValueList<RosterEntry>.Of(Store.State.Roster))), NowNs, this);
        Core.Handle(new FabricExposed(new Guid(5, 0, 0, new byte[8]), "local://1"), NowNs, this);
    }

    public T? Last<T>()
        where T : class => Sent.OfType<T>().LastOrDefault();

    public void Give(IPoolProtocol message) => Core.Handle(message, NowNs, this);

    public void Give(IRackEvent e) => Core.Handle(e, NowNs, this);

    public void Advance(long ns)
    {
        NowNs += ns;
        Give(new Tick());
    }

    public RequestId NewRequest() => new(1000 + ++_requests);

    public PageId Allocate(bool sessionScoped = false)
    {
        Give(new AllocatePages(Session, NewRequest(), 1, sessionScoped));
        var page = Last<PagesAllocated>()!.First;
        Give(new AcknowledgeAllocation(Session, NewRequest(), page, 1));
        return page;
    }

    /// <summary>Rack 2 registers here.</summary>
    public LinkId AcceptHolder(ulong registration = 1)
    {
        Give(new RegisterHolder(Self, Other, registration));
        return Last<HolderRegistered>()!.Link;
    }

    /// <summary>This rack registers at rack 2, on account of a miss.</summary>
    public LinkId RegisterAtOther(PageId page)
    {
        Give(new ResolveMiss(Session, NewRequest(), page, 0));
        Give(new PagesUnresolved(Other, Self, ValueList<PageId>.Of(page), ResolveProblem.RegisterFirst, ""));
        var link = new LinkId(Other, Self, Last<RegisterHolder>()!.Registration);
        Give(new HolderRegistered(link, default, "local://2"));
        return link;
    }

    public void Resolve(PageId page) => Give(new ForwardedResolve(Shard, First, Self, Other, ValueList<PageId>.Of(page)));

    public void Order(OrderKind order, PageId page, ulong attempt, Term? term = null, ulong epoch = 1, RackIncarnation? rack = null, RequestId request = default) =>
        Give(new PageOrder(
            Shard, term ?? First, rack ?? Self, order, page, new AttemptId(term ?? First, attempt), new Epoch(epoch), Other, new FrameIndex(3), MoveReason.Heat, request));

    public void Quiet(bool quiet = true, params ulong[] connections)
    {
        var quiesce = Quiesces[^1];
        Quiesces.RemoveAt(Quiesces.Count - 1);
        Give(new QuiesceEnded(quiesce.Ticket, quiet, connections, quiet ? null : "client 9"));
    }

    public RowState StateOf(PageId page)
    {
        Order(OrderKind.Report, page, 0, Core.Self.Rack.IsNone ? First : HighestTerm);
        return Last<OrderAnswered>()!.Row.State;
    }

    private Term HighestTerm => Store.State.Terms.TryGetValue(Shard, out var term) ? term : First;

    void IRackEffects.SendToShard(ShardId shard, IPoolProtocol message) => Sent.Add(message);

    void IRackEffects.SendToRack(RackId rack, IPoolProtocol message) => Sent.Add(message);

    void IRackEffects.SendToMaster(IPoolProtocol message) => Sent.Add(message);

    void IRackEffects.SendToSession(SessionToken session, IPoolProtocol message) => Sent.Add(message);

    void IRackEffects.Quiesce(ulong ticket, PageId page, long budgetNs, bool remoteOnly) => Quiesces.Add((ticket, page, remoteOnly));

    void IRackEffects.QuiesceLink(ulong ticket, LinkRecord link, long budgetNs)
    {
    }

    void IRackEffects.Pull(ulong ticket, PageId page, LinkRecord from, FrameIndex source, FrameIndex target) => Pulls.Add((ticket, page, target));

    void IRackEffects.AcceptRegistration(LinkId link) => Sent.Add(link);

    void IRackEffects.Fence(ulong ticket, RackId rack) => Fences.Add((ticket, rack));

    void IRackEffects.DestroyConnections(ulong ticket, IReadOnlyList<ulong> connections) => Destroyed.Add((ticket, connections));

    void IRackEffects.ReleaseConnections(IReadOnlyList<ulong> connections) => Released.AddRange(connections);

    void IRackEffects.ReleaseConnectionsOf(LinkRecord link) => Sent.Add(link);

    void IRackEffects.Registered(RackId rack)
    {
    }

    void IRackEffects.RosterKnown(RosterChanged roster)
    {
    }

    void IRackEffects.SessionFreed(SessionToken session) => Sent.Add(session);

    void IRackEffects.Log(RackLogLevel level, string message) => Logged.Add((level, message));

    void IRackEffects.Fatal(string message) => Fatal(message);

    private static void Fatal(string message) => Assert.Fail(message);
}
