using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>Every message of the pool's protocol: binds the serializer.</summary>
internal interface IPoolProtocol;

/// <summary>A message to the directory shard of a page.</summary>
internal interface IWithPageId : IPoolProtocol
{
    PageId Page { get; }
}

/// <summary>A message to a named directory shard.</summary>
internal interface IWithShardId : IPoolProtocol
{
    ShardId Shard { get; }
}

/// <summary>Something that happened inside the rack's process: never leaves it.</summary>
internal interface IRackEvent;

/// <summary>What a registered region is, and where its daemon is.</summary>
/// <param name="Rack">The region's number.</param>
/// <param name="RegionId">Names the region for ever.</param>
/// <param name="Generation">Of the latest registration.</param>
/// <param name="NodeAddress">The daemon's cluster address; empty while it has not registered since the roster's keeper knows.</param>
/// <param name="Forgotten">Removed by an operator: this generation is refused for ever.</param>
internal sealed record RosterEntry(RackId Rack, Guid RegionId, Generation Generation, string NodeAddress, bool Forgotten);

/// <summary>The part of a superblock that changes.</summary>
/// <param name="Rack">This region's number, or none before the first registration.</param>
/// <param name="Generation">How often the region was attached.</param>
/// <param name="SequenceReserved">Sequences below have been given out or skipped.</param>
/// <param name="Roster">All regions of the pool, as last heard.</param>
/// <param name="Terms">The highest term promised, per directory shard.</param>
internal sealed record SuperblockState(
    RackId Rack, Generation Generation, ulong SequenceReserved, IReadOnlyList<RosterEntry> Roster, IReadOnlyDictionary<ShardId, Term> Terms);

/// <summary>A link as clients find it in the region: enough to open a connection to the owner.</summary>
/// <param name="Number">Counts links in this region; never reused.</param>
/// <param name="Id">Owner, holder and registration.</param>
/// <param name="Key">The owner's fabric key, drawn at its start.</param>
/// <param name="Address">The owner's fabric address, such as <c>tcp://127.0.0.1:5100</c>.</param>
internal sealed record LinkRecord(ulong Number, LinkId Id, Guid Key, string Address);

/// <summary>The tables of a rack's region as its daemon writes them. One writer: the rack's state machine. Implemented over the mapped
/// region and, in the simulator, over memory that survives a simulated crash.</summary>
internal interface IRackStore
{
    PageGeometry Geometry { get; }

    int FrameCount { get; }

    /// <summary>How many entries the page table has.</summary>
    long EntryCount { get; }

    FrameRow ReadRow(FrameIndex frame);

    /// <summary>Stores the fields and then, by compare-and-set, the row's word. False if the row's word is not that of <paramref name="expected"/>.</summary>
    bool TryChangeRow(FrameIndex frame, in FrameRow expected, in FrameRow next);

    /// <summary>The page's location word, absent if it has no entry.</summary>
    Location Lookup(PageId page);

    /// <summary>Stores the location of a page that has an entry, or gives it one. False if there is no room in its probe range.</summary>
    bool TrySetLocation(PageId page, Location location);

    /// <summary>Gives up the entry's key, so that it can be used for another page. Only after absent, the barrier and clear guards.</summary>
    void ReleaseEntry(PageId page);

    /// <summary>All pages with an entry that is remote, in table order from a cursor; for eviction and for dead links.</summary>
    IEnumerable<(PageId Page, Location Location)> RemoteEntries();

    /// <summary>The remote and the absent entries in the page's probe range: giving one of them up makes room for it.</summary>
    IEnumerable<(PageId Page, Location Location)> YieldingEntriesNear(PageId page);

    SuperblockState State { get; }

    /// <summary>Writes the state durably (the other copy, then its checksum).</summary>
    void SaveState(SuperblockState state);

    /// <summary>How many links can be published at once.</summary>
    int LinkSlots { get; }

    /// <summary>Publishes a link for clients in a free slot; −1 if there is none.</summary>
    int TryPublishLink(LinkRecord link);

    /// <summary>Clears a slot. Only after its entries are gone, the barrier and clear guards.</summary>
    void ReleaseLink(int slot);

    LinkRecord? ReadLink(int slot);

    /// <summary>Zeroes a frame.</summary>
    void ClearFrame(FrameIndex frame);

    /// <summary>Reads and clears the page's reference byte.</summary>
    bool TestAndClearReference(PageId page);

    /// <summary>The page's counters as they stand (they only grow, modulo 2^32).</summary>
    AccessCounter ReadCounter(PageId page);
}

/// <summary>Where an effect's message goes.</summary>
internal interface IRackEffects
{
    void SendToShard(ShardId shard, IPoolProtocol message);

    void SendToRack(RackId rack, IPoolProtocol message);

    void SendToMaster(IPoolProtocol message);

    /// <summary>To the session's client, if it is connected; else dropped.</summary>
    void SendToSession(SessionToken session, IPoolProtocol message);

    /// <summary>Barrier, then wait until no guard names the page, at most the budget; then <see cref="QuiesceEnded"/>. With
    /// <paramref name="remoteOnly"/> only slots with a connection are waited for.</summary>
    void Quiesce(ulong ticket, PageId page, long budgetNs, bool remoteOnly);

    /// <summary>Barrier, then wait until no guard names a connection of the link; then <see cref="QuiesceEnded"/>.</summary>
    void QuiesceLink(ulong ticket, LinkRecord link, long budgetNs);

    /// <summary>Copies the page from its frame in the owner's region into a frame here, one-sided, then reads the owner's row, one-sided; then <see cref="PullEnded"/>.</summary>
    void Pull(ulong ticket, PageId page, LinkRecord from, FrameIndex source, FrameIndex target);

    /// <summary>Accept fabric connections of this registration of a rack, and of no other of that rack.</summary>
    void AcceptRegistration(LinkId link);

    /// <summary>Ends the rack's registration, then destroys its connections; then <see cref="FenceEnded"/>.</summary>
    void Fence(ulong ticket, RackId rack);

    /// <summary>Destroys single connections, by name; then <see cref="FenceEnded"/>. Unknown names are already destroyed.</summary>
    void DestroyConnections(ulong ticket, IReadOnlyList<ulong> connections);

    /// <summary>The owner has confirmed that these connections of ours are gone: their guard slots may be used again.</summary>
    void ReleaseConnections(IReadOnlyList<ulong> connections);

    /// <summary>All connections of a link are gone at the owner (fenced, or its process is a new one).</summary>
    void ReleaseConnectionsOf(LinkRecord link);

    /// <summary>The region has its number, for the first time or as known; from now on <c>RackCore.Self</c> is valid.</summary>
    void Registered(RackId rack);

    /// <summary>The roster changed: where racks are. (Also in <c>RackCore.Roster</c>.)</summary>
    void RosterKnown(RosterChanged roster);

    /// <summary>Nothing of this session is left in any rack but its guard slots: its record may be given to another.</summary>
    void SessionFreed(SessionToken session);

    void Log(RackLogLevel level, string message);

    /// <summary>A broken invariant: the node stops.</summary>
    void Fatal(string message);
}

/// <summary>Where a shard's effects go.</summary>
internal interface IShardEffects
{
    void SendToRack(RackId rack, IPoolProtocol message);

    void Log(RackLogLevel level, string message);

    /// <summary>A broken invariant: the node stops.</summary>
    void Fatal(string message);
}

/// <summary>Where the master's effects go.</summary>
internal interface IMasterEffects
{
    /// <summary>To the rack daemon (or operator's command) of that node.</summary>
    void SendToNode(string nodeAddress, IPoolProtocol message);

    /// <summary>To every node of the cluster.</summary>
    void Broadcast(RosterChanged roster);

    void Log(RackLogLevel level, string message);
}

/// <summary>How loud a log line of the pure core is.</summary>
internal enum RackLogLevel
{
    Debug,
    Information,
    Warning,
    Error,
}

/// <summary>Answer to <see cref="IRackEffects.Quiesce"/> and <see cref="IRackEffects.QuiesceLink"/>.</summary>
/// <param name="Ticket">Of the request.</param>
/// <param name="Quiet">No guard without a connection names the page any more.</param>
/// <param name="Connections">Connections in guard slots that still name the page: an operation on it has not completed, or has not been posted yet. Those of dead clients too.</param>
/// <param name="HeldUpBy">If not quiet: which session and process.</param>
internal sealed record QuiesceEnded(ulong Ticket, bool Quiet, IReadOnlyList<ulong> Connections, string? HeldUpBy) : IRackEvent;

/// <summary>Answer to <see cref="IRackEffects.Pull"/>.</summary>
/// <param name="Ticket">Of the request.</param>
/// <param name="Ok">The bytes are here and the row could be read.</param>
/// <param name="SourceRow">The owner's row after the copy.</param>
/// <param name="DurationNs">How long it took.</param>
/// <param name="Error">What went wrong, if not <paramref name="Ok"/>.</param>
internal sealed record PullEnded(ulong Ticket, bool Ok, FrameRow SourceRow, long DurationNs, string? Error) : IRackEvent;

/// <summary>Answer to <see cref="IRackEffects.Fence"/> and <see cref="IRackEffects.DestroyConnections"/>.</summary>
internal sealed record FenceEnded(ulong Ticket) : IRackEvent;

/// <summary>A client's process is gone: the daemon got its session file's lock. Its guard slots without connections are already clear.</summary>
internal sealed record SessionDied(SessionToken Session) : IRackEvent;

/// <summary>Heat samples are due.</summary>
internal sealed record SampleHeat : IRackEvent;

/// <summary>Time has passed; deadlines are checked.</summary>
internal sealed record Tick : IRackEvent;

/// <summary>The fabric serves the region under this key: registrations can be accepted.</summary>
internal sealed record FabricExposed(Guid Key, string Address) : IRackEvent;

/// <summary>An actor system of this process has joined: register at the master under this address.</summary>
internal sealed record NodeJoined(string NodeAddress) : IRackEvent;

/// <summary>Guard slots of dead clients name these connections: have the owner of the link destroy them. A link that is not known any
/// more has no connections: they are released at once.</summary>
internal sealed record ConnectionsOrphaned(ulong LinkNumber, IReadOnlyList<ulong> Connections) : IRackEvent;
