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

/// <summary>A rack: the region and its clients, which outlive daemons, and the daemon's process, which may be dead, paused, or without its actors.</summary>
internal sealed partial class SimRack
{
    private const long OrphanPollNs = 300_000;

    private readonly SimWorld _world;
    private readonly RackCoreOptions _options;
    private readonly List<SessionToken> _orphans = [];
    private SimRandom _random;
    private Guid _key;
    private long _life;
    private long _tickNs = long.MaxValue;
    private long _tickStamp;

    public SimRack(SimWorld world, RackId id, SimStore store, RackCoreOptions options)
    {
        _world = world;
        _options = options;
        _random = new SimRandom(SimRandom.Mix(world.Seed, 0x4AC4, id.Value));
        Id = id;
        Store = store;
        store.RowChanging = CheckRow;
        store.EntryChanging = CheckEntry;
    }

    public RackId Id { get; }

    public SimStore Store { get; }

    public RackCore? Core { get; private set; }

    public List<SimClient> Clients { get; } = [];

    /// <summary>Slots with connections that no thread waits for any more.</summary>
    public List<SimSlot> Abandoned { get; } = [];

    public Dictionary<ulong, SimConnection> Accepted { get; } = [];

    public Dictionary<RackId, LinkId> Registrations { get; } = [];

    public bool IsUp => Core is not null;

    /// <summary>An operator has removed it: what it still has does not count.</summary>
    public bool IsForgotten { get; private set; }

    public bool IsDraining { get; set; }

    /// <summary>It was empty, and has stored that it is no longer of the pool.</summary>
    public bool HasRemovedItself => Store.State.Roster.Any(entry => entry.Rack == Id && entry.Forgotten);

    public long PausedUntilNs { get; set; }

    /// <summary>Its actor system is gone, and a new one not there yet.</summary>
    public bool IsDetached { get; private set; }

    /// <summary>Messages to an earlier actor system never arrive.</summary>
    public long ActorsStamp { get; private set; }

    public void StartDaemon()
    {
        if (IsUp) return;
        Core = null;
        _key = new Guid((int)_random.Next(), 0, 0, new byte[8]);
        _life++;
        IsDetached = false;
        Guarded(() =>
        {
            var links = Store.Reattach(page => Clients.Exists(c => c.Slot.Page == page) || Abandoned.Exists(s => s.Page == page));
            Core = new RackCore(Store, _options, _random.Next);
            Core.Start(_world.NowNs, this);
            Core.Handle(new FabricExposed(_key, $"local://{Id}"), _world.NowNs, this);
            foreach (var link in links)
            {
                var names = Slots.Where(s => s.Connection != 0 && s.LinkNumber == link.Number).Select(s => s.Connection).ToArray();
                if (names.Length > 0) Core.Handle(new ConnectionsOrphaned(link.Number, names), _world.NowNs, this);
            }

            Core.Handle(new NodeJoined(Id.ToString()), _world.NowNs, this);
            foreach (var session in _orphans.ToArray()) Core.Handle(new SessionDied(session), _world.NowNs, this);
        });
        ReportOrphans();
        _world.Queue.Add(_world.NowNs + _random.Between(1_000, 30_000), SimEventKind.RackSample, this, null, _life);
    }

    public void KillDaemon()
    {
        Core = null;
        Store.CrashAtWrite = 0;
        _life++;
        _tickNs = long.MaxValue;
        PausedUntilNs = 0;
        foreach (var connection in Accepted.Values.ToArray()) Break(connection);
        Registrations.Clear();
    }

    /// <summary>The cluster took the rack for dead: its actor system has ended inside the process, which lives on.</summary>
    public void Detach(long forNs)
    {
        if (!IsUp || IsDetached) return;
        IsDetached = true;
        ActorsStamp++;
        _world.Queue.Add(_world.NowNs + forNs, SimEventKind.RackAttach, this, null, _life);
    }

    public bool Attach(long life)
    {
        if (life != _life || !IsDetached) return false;
        IsDetached = false;
        if (_world.Leaves(ProtocolMutation.HoldersDieWithActors))
        {
            Core = new RackCore(Store, _options, _random.Next);
            Guarded(() =>
            {
                Core.Start(_world.NowNs, this);
                Core.Handle(new FabricExposed(_key, $"local://{Id}"), _world.NowNs, this);
            });
        }

        Happen(new NodeJoined(Id.ToString()));
        return true;
    }

    /// <summary>By an operator. Its clients are gone with it; a daemon that lives on, or comes back, is not listened to.</summary>
    public void BecomeForgotten(bool daemonLives = false)
    {
        if (IsUp && !daemonLives) KillDaemon();
        foreach (var client in Clients.ToArray()) KillClient(client);
        IsForgotten = true;
    }

    public void KillClient(SimClient client)
    {
        client.Dead = true;
        Clients.Remove(client);
        if (client.Slot.Connection != 0) Abandon(client.Slot);
        _orphans.Add(client.Session);
        _world.OnSessionEnds(client.Session);
        Happen(new SessionDied(client.Session));
        ReportOrphans();
    }

    /// <summary>Nobody waits for it any more; what was stored is seen, since its processor has long gone on.</summary>
    public void Abandon(SimSlot slot)
    {
        slot.Buffered = false;
        Abandoned.Add(slot);
    }

    /// <summary>The host refuses requests of sessions of which nothing is left.</summary>
    public bool Knows(SessionToken session) => _orphans.Contains(session) || Clients.Exists(c => c.Session == session);

    private void ReportOrphans()
    {
        if (!IsUp || Abandoned.Count == 0) return;
        foreach (var group in Abandoned.Where(s => s.Connection != 0).GroupBy(s => s.LinkNumber).ToArray())
            Happen(new ConnectionsOrphaned(group.Key, group.Select(s => s.Connection).ToArray()));
    }

    public void Deliver(IPoolProtocol message)
    {
        if (Core is not { } core) return;
        try
        {
            core.Handle(message, _world.NowNs, this);
        }
        catch (SimCrash)
        {
            Crash();
        }

        ScheduleTick();
    }

    public void Happen(IRackEvent e)
    {
        if (Core is not { } core) return;
        try
        {
            core.Handle(e, _world.NowNs, this);
        }
        catch (SimCrash)
        {
            Crash();
        }

        ScheduleTick();
    }

    public void Tell(ISessionRequest request) => _world.ToRackSession(this, request, ref _random);

    public bool Tick(long stamp)
    {
        if (stamp != _tickStamp || !IsUp) return false;
        _tickNs = long.MaxValue;
        Happen(new Tick());
        return true;
    }

    public bool Sample(long life)
    {
        if (life != _life || !IsUp) return false;
        if (IsFull) _world.Faults.Add("racksFull");
        Happen(new SampleHeat());
        if (_random.OneIn(10)) ReportOrphans();
        _world.Queue.Add(_world.NowNs + _random.Between(20_000, 120_000), SimEventKind.RackSample, this, null, _life);
        return true;
    }

    public bool RunWork(SimWork work, long life)
    {
        if (life != _life || !IsUp) return false;
        if (!Do(work)) Schedule(work);
        return true;
    }

    public bool Accepts(LinkRecord link) =>
        IsUp && link.Key == _key
        && (_world.Leaves(ProtocolMutation.AcceptAnyRegistration) || (Registrations.TryGetValue(link.Id.Holder.Rack, out var current) && current == link.Id));

    public void Break(SimConnection connection)
    {
        connection.Broken = true;
        Accepted.Remove(connection.Name);
        _world.OnBroken(connection);
    }

    private IEnumerable<SimSlot> Slots =>
        _world.Leaves(ProtocolMutation.ForgetDeadClients) ? Clients.Select(c => c.Slot) : Clients.Select(c => c.Slot).Concat(Abandoned);

    /// <summary>Nothing can be allocated here: what is free is kept for pages that move.</summary>
    private bool IsFull => Enumerable.Range(0, Store.FrameCount).Count(frame => Store.ReadRow(new FrameIndex((uint)frame)).State == RowState.Free) <= _options.ReserveFrames;

    private void ScheduleTick()
    {
        if (Core is not { } core) return;
        var next = core.NextDeadlineNs;
        if (next >= _tickNs) return;
        _tickNs = next;
        _world.Queue.Add(long.Max(next, _world.NowNs + 1), SimEventKind.RackTick, this, null, ++_tickStamp);
    }

    private void Guarded(Action work)
    {
        try
        {
            work();
        }
        catch (SimCrash)
        {
            Crash();
        }

        ScheduleTick();
    }

    private void Crash()
    {
        _world.OnCrash(this);
        KillDaemon();
    }
}
