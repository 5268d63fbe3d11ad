using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation;

/// <summary>A connection of a client process, as both ends know it.</summary>
internal sealed class SimConnection(ulong name, ulong linkNumber, LinkId link)
{
    public ulong Name { get; } = name;

    public ulong LinkNumber { get; } = linkNumber;

    public LinkId Link { get; } = link;

    public bool Broken { get; set; }
}

/// <summary>A rack: the region and its clients, which outlive daemons, and the daemon's process, which may be dead.</summary>
internal sealed class SimRack : IRackEffects
{
    private readonly SimWorld _world;
    private readonly List<Work> _works = [];
    private RackCoreOptions _options;
    private Guid _key;

    public SimRack(SimWorld world, RackId id, SimStore store, RackCoreOptions options)
    {
        _world = world;
        Id = id;
        Store = store;
        _options = options;
    }

    /// <summary>Something that ends later, unless the process dies first. True when it is done.</summary>
    private sealed record Work(Func<bool> Step);

    public RackId Id { get; }

    public SimStore Store { get; }

    public RackCore? Core { get; private set; }

    public List<SimClient> Clients { get; } = [];

    public HashSet<SessionToken> Orphans { get; } = [];

    /// <summary>Slots with connections that no thread waits for any more.</summary>
    public List<SimSlot> Abandoned { get; } = [];

    public Dictionary<ulong, SimConnection> Accepted { get; } = [];

    public Dictionary<RackId, LinkId> Registrations { get; } = [];

    public bool IsUp => Core is not null;

    public void StartDaemon()
    {
        Store.Reattach();
        _key = new Guid((int)_world.Random(), 0, 0, new byte[8]);
        _works.Clear();
        Core = new RackCore(Store, _options, _world.Random);
        Core.Start(_world.NowNs, this);
        Core.Handle(new FabricExposed(_key, $"local://{Id}"), _world.NowNs, this);
        Core.Handle(new NodeJoined(Id.ToString()), _world.NowNs, this);
        foreach (var session in Orphans) Core.Handle(new SessionDied(session), _world.NowNs, this);
        ReportOrphanedConnections();
    }

    public void KillDaemon()
    {
        Core = null;
        _works.Clear();
        foreach (var connection in Accepted.Values) connection.Broken = true;
        Accepted.Clear();
        Registrations.Clear();
    }

    public void KillClient(SimClient client)
    {
        client.Dead = true;
        Clients.Remove(client);
        if (client.Slot.Connection != 0) Abandoned.Add(client.Slot);
        Orphans.Add(client.Session);
        Core?.Handle(new SessionDied(client.Session), _world.NowNs, this);
        ReportOrphanedConnections();
    }

    private void ReportOrphanedConnections()
    {
        foreach (var group in Abandoned.Where(s => s.Connection != 0).GroupBy(s => s.LinkNumber))
            Core?.Handle(new ConnectionsOrphaned(group.Key, group.Select(s => s.Connection).ToArray()), _world.NowNs, this);
    }

    public void Deliver(IPoolProtocol message) => Core?.Handle(message, _world.NowNs, this);

    public void Tell(ISessionRequest request) => _world.Later(() => Core?.Handle(request, _world.NowNs, this));

    public void Tick()
    {
        if (Core is { } core && core.NextDeadlineNs <= _world.NowNs) core.Handle(new Tick(), _world.NowNs, this);
    }

    public void Happen(IRackEvent e) => Core?.Handle(e, _world.NowNs, this);

    public bool RunWork()
    {
        if (_works.Count == 0) return false;
        var work = _works[_world.Pick(_works.Count)];
        if (work.Step()) _works.Remove(work);
        return true;
    }

    public LinkRecord? LinkTo(RackId owner)
    {
        for (var i = 0; i < Store.LinkSlots; i++)
        {
            if (Store.ReadLink(i) is { } link && link.Id.Owner.Rack == owner) return link;
        }

        return null;
    }

    public bool Accepts(LinkRecord link) =>
        IsUp && link.Key == _key && Registrations.TryGetValue(link.Id.Holder.Rack, out var current) && current == link.Id;

    private IEnumerable<SimSlot> Slots => Clients.Select(c => c.Slot).Concat(Abandoned);

    void IRackEffects.SendToShard(ShardId shard, IPoolProtocol message) => _world.SendToShard(Id, shard, message);

    void IRackEffects.SendToRack(RackId rack, IPoolProtocol message) => _world.SendToRack(Id, rack, message);

    void IRackEffects.SendToMaster(IPoolProtocol message) => _world.SendToMaster(Id, message);

    void IRackEffects.SendToSession(SessionToken session, IPoolProtocol message) => _world.Later(() => _world.ToSession(session, (ISessionReply)message));

    void IRackEffects.Quiesce(ulong ticket, PageId page, long budgetNs, bool remoteOnly)
    {
        var ends = _world.NowNs + budgetNs;
        _works.Add(new Work(() =>
        {
            var plain = Slots.Any(s => s.Page == page && s.Connection == 0);
            var connections = Slots.Where(s => s.Page == page && s.Connection != 0).Select(s => s.Connection).ToArray();
            var busy = remoteOnly ? connections.Length > 0 : plain;
            if (busy && _world.NowNs < ends) return false;
            Happen(new QuiesceEnded(ticket, !plain, connections, plain ? "a client" : null));
            return true;
        }));
    }

    void IRackEffects.QuiesceLink(ulong ticket, LinkRecord link, long budgetNs)
    {
        var ends = _world.NowNs + budgetNs;
        _works.Add(new Work(() =>
        {
            var connections = Slots.Where(s => s.Connection != 0 && s.LinkNumber == link.Number).Select(s => s.Connection).ToArray();
            if (connections.Length > 0 && _world.NowNs < ends) return false;
            Happen(new QuiesceEnded(ticket, connections.Length == 0, connections, null));
            return true;
        }));
    }

    void IRackEffects.Pull(ulong ticket, PageId page, LinkRecord from, FrameIndex source, FrameIndex target)
    {
        var owner = _world.Racks[from.Id.Owner.Rack];
        var step = 0;
        var word = 0ul;
        _works.Add(new Work(() =>
        {
            if (!owner.Accepts(from))
            {
                Happen(new PullEnded(ticket, false, default, 0, "the connection was refused"));
                return true;
            }

            switch (step++)
            {
                case 0:
                    word = owner.Store.Memory[source.Value];
                    return false;
                case 1:
                    if (Store.ReadRow(target) is not { State: RowState.Incoming } row || row.Page != page)
                        _world.Violated($"the copy of {page} was written to frame {target} of rack {Id}, which is {Store.ReadRow(target)}");
                    Store.Memory[target.Value] = word;
                    return false;
                default:
                    Happen(new PullEnded(ticket, true, owner.Store.ReadRow(source), 1000, null));
                    return true;
            }
        }));
    }

    void IRackEffects.AcceptRegistration(LinkId link) => Registrations[link.Holder.Rack] = link;

    void IRackEffects.Fence(ulong ticket, RackId rack)
    {
        _works.Add(new Work(() =>
        {
            Registrations.Remove(rack);
            foreach (var connection in Accepted.Values.Where(c => c.Link.Holder.Rack == rack).ToArray()) Break(connection);
            Happen(new FenceEnded(ticket));
            return true;
        }));
    }

    void IRackEffects.DestroyConnections(ulong ticket, IReadOnlyList<ulong> connections)
    {
        _works.Add(new Work(() =>
        {
            foreach (var name in connections)
            {
                if (Accepted.TryGetValue(name, out var connection)) Break(connection);
            }

            Happen(new FenceEnded(ticket));
            return true;
        }));
    }

    private void Break(SimConnection connection)
    {
        connection.Broken = true;
        Accepted.Remove(connection.Name);
    }

    void IRackEffects.ReleaseConnections(IReadOnlyList<ulong> connections) => Release(connections.Contains);

    void IRackEffects.ReleaseConnectionsOf(LinkRecord link) => Release(
        name => Slots.Any(s => s.Connection == name && s.LinkNumber == link.Number));

    private void Release(Func<ulong, bool> isReleased)
    {
        foreach (var name in Slots.Where(s => s.Connection != 0).Select(s => s.Connection).Where(isReleased).ToArray())
        {
            if (_world.IsAlive(name)) _world.Violated($"connection {name} of rack {Id} was released while its owner serves it");
            foreach (var client in Clients) client.Release(n => n == name);
            Abandoned.RemoveAll(s => s.Connection == name);
        }
    }

    void IRackEffects.Registered(RackId rack)
    {
    }

    void IRackEffects.RosterKnown(RosterChanged roster)
    {
    }

    void IRackEffects.SessionFreed(SessionToken session) => Orphans.Remove(session);

    void IRackEffects.Log(RackLogLevel level, string message) => _world.Trace($"rack {Id}: {message}");

    void IRackEffects.Fatal(string message) => _world.Violated($"rack {Id} stopped: {message}");
}
