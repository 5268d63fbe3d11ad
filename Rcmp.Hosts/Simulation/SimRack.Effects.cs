using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation;

internal enum SimWorkKind
{
    Quiesce,
    QuiesceLink,
    Pull,
    Fence,
    Destroy,
}

/// <summary>Something that a daemon's worker does step by step, unless the process dies first.</summary>
internal sealed class SimWork(SimWorkKind kind, ulong ticket)
{
    public SimWorkKind Kind { get; } = kind;

    public ulong Ticket { get; } = ticket;

    public PageId Page { get; init; }

    public LinkRecord? Link { get; init; }

    public long EndsNs { get; init; }

    public bool RemoteOnly { get; init; }

    public FrameIndex Source { get; init; }

    public FrameIndex Target { get; init; }

    public RackId Rack { get; init; }

    public IReadOnlyList<ulong> Names { get; init; } = [];

    public int Step { get; set; }

    public ulong[] Words { get; } = new ulong[SimStore.FrameWords];
}

/// <summary>What the host does for the state machine.</summary>
internal sealed partial class SimRack : IRackEffects
{
    private bool Do(SimWork work) => work.Kind switch
    {
        SimWorkKind.Quiesce => LookAtPage(work),
        SimWorkKind.QuiesceLink => LookAtLink(work),
        SimWorkKind.Pull => Copy(work),
        SimWorkKind.Fence => DoFence(work),
        _ => DoDestroy(work),
    };

    private void Schedule(SimWork work)
    {
        var delay = work.Kind == SimWorkKind.Pull ? _world.PaceWithStragglers(ref _random, _world.WorkPace) : _world.Pace(ref _random, _world.WorkPace);
        _world.Queue.Add(_world.NowNs + delay, SimEventKind.RackWork, this, work, _life);
    }

    private void Barrier()
    {
        if (_world.Leaves(ProtocolMutation.DropBarrier)) return;
        foreach (var client in Clients) client.Drain();
    }

    private bool LookAtPage(SimWork work)
    {
        var plain = false;
        List<ulong>? connections = null;
        foreach (var slot in Slots)
        {
            if (slot.Page != work.Page || slot.Buffered) continue;
            if (slot.Connection == 0) plain = true;
            else (connections ??= []).Add(slot.Connection);
        }

        var busy = connections is not null || (plain && !work.RemoteOnly);
        if (busy && _world.NowNs < work.EndsNs) return false;
        Happen(new QuiesceEnded(work.Ticket, !plain, connections ?? (IReadOnlyList<ulong>)[], plain ? "a client" : null));
        return true;
    }

    private bool LookAtLink(SimWork work)
    {
        var connections = Slots.Where(s => s.Connection != 0 && s.LinkNumber == work.Link!.Number).Select(s => s.Connection).ToArray();
        if (connections.Length > 0 && _world.NowNs < work.EndsNs) return false;
        Happen(new QuiesceEnded(work.Ticket, connections.Length == 0, connections, null));
        return true;
    }

    private bool Copy(SimWork work)
    {
        var owner = _world.Racks[work.Link!.Id.Owner.Rack];
        if (!owner.Accepts(work.Link))
        {
            Happen(new PullEnded(work.Ticket, false, default, 0, "the connection was refused"));
            return true;
        }

        var word = work.Step / 2;
        if (word < SimStore.FrameWords)
        {
            var reads = work.Step++ % 2 == 0;
            if (reads) work.Words[word] = owner.Store.Memory[(work.Source.Value * SimStore.FrameWords) + word];
            else WriteCopy(work, word);
            return false;
        }

        var row = owner.Store.ReadRow(work.Source);
        var target = Store.ReadRow(work.Target);
        var intact = row.State == RowState.Leaving && row.Page == work.Page && row.Peer == Id && row.Attempt == target.Attempt;
        _world.NoteCopy(Id, work.Page, target.Attempt, intact);
        Happen(new PullEnded(work.Ticket, true, row, 1000, null));
        return true;
    }

    private void WriteCopy(SimWork work, int word)
    {
        if (Store.ReadRow(work.Target) is not { State: RowState.Incoming } row || row.Page != work.Page)
            _world.Violated($"the copy of {work.Page} was written to frame {work.Target} of rack {Id}, which is {Store.ReadRow(work.Target)}");
        Store.Memory[(work.Target.Value * SimStore.FrameWords) + word] = work.Words[word];
    }

    private bool DoFence(SimWork work)
    {
        Registrations.Remove(work.Rack);
        foreach (var connection in Accepted.Values.Where(c => c.Link.Holder.Rack == work.Rack).ToArray()) Break(connection);
        Happen(new FenceEnded(work.Ticket));
        return true;
    }

    private bool DoDestroy(SimWork work)
    {
        foreach (var name in work.Names)
        {
            if (Accepted.TryGetValue(name, out var connection)) Break(connection);
        }

        Happen(new FenceEnded(work.Ticket));
        return true;
    }

    void IRackEffects.SendToShard(ShardId shard, IPoolProtocol message)
    {
        if (message is OrderAnswered { Order: OrderKind.Pull, Status: OrderStatus.Done } done) _world.CheckPulled(Id, done);
        if (!IsDetached) _world.SendToShard(this, message, ref _random);
    }

    void IRackEffects.SendToRack(RackId rack, IPoolProtocol message)
    {
        if (!IsDetached) _world.SendToRack(Id.Value, rack, message);
    }

    void IRackEffects.SendToMaster(IPoolProtocol message)
    {
        if (!IsDetached) _world.SendToMaster(Id.Value, message);
    }

    void IRackEffects.SendToSession(SessionToken session, IPoolProtocol message)
    {
        if (!IsDetached) _world.ToSession(this, session, (ISessionReply)message, ref _random);
    }

    void IRackEffects.Quiesce(ulong ticket, PageId page, long budgetNs, bool remoteOnly)
    {
        Barrier();
        Schedule(new SimWork(SimWorkKind.Quiesce, ticket) { Page = page, EndsNs = _world.NowNs + budgetNs, RemoteOnly = remoteOnly });
    }

    void IRackEffects.QuiesceLink(ulong ticket, LinkRecord link, long budgetNs)
    {
        Barrier();
        Schedule(new SimWork(SimWorkKind.QuiesceLink, ticket) { Link = link, EndsNs = _world.NowNs + budgetNs });
    }

    void IRackEffects.Pull(ulong ticket, PageId page, LinkRecord from, FrameIndex source, FrameIndex target) =>
        Schedule(new SimWork(SimWorkKind.Pull, ticket) { Page = page, Link = from, Source = source, Target = target });

    void IRackEffects.AcceptRegistration(LinkId link) => Registrations[link.Holder.Rack] = link;

    void IRackEffects.Fence(ulong ticket, RackId rack) => Schedule(new SimWork(SimWorkKind.Fence, ticket) { Rack = rack });

    void IRackEffects.DestroyConnections(ulong ticket, IReadOnlyList<ulong> connections) =>
        Schedule(new SimWork(SimWorkKind.Destroy, ticket) { Names = [.. connections] });

    void IRackEffects.ReleaseConnections(IReadOnlyList<ulong> connections)
    {
        foreach (var name in connections) Release(name);
    }

    void IRackEffects.ReleaseConnectionsOf(LinkRecord link)
    {
        foreach (var name in Slots.Where(s => s.Connection != 0 && s.LinkNumber == link.Number).Select(s => s.Connection).ToArray()) Release(name);
    }

    private void Release(ulong name)
    {
        // A link of an earlier start is not acknowledged for any more: its owner ends it before it gives anything away.
        // Nor for one to a rack that was removed: if its daemon lives, it harms itself alone.
        if (_world.TryGetAlive(name, out var connection) && connection.Link.Holder == Core!.Self && !_world.Racks[connection.Link.Owner.Rack].IsForgotten)
            _world.Violated($"connection {name} of rack {Id} was released while its owner serves it");
        foreach (var client in Clients)
        {
            if (client.Slot.Connection == name) SimClient.Release(client.Slot);
        }

        Abandoned.RemoveAll(s => s.Connection == name);
    }

    void IRackEffects.Registered(RackId rack)
    {
    }

    void IRackEffects.RosterKnown(RosterChanged roster)
    {
    }

    void IRackEffects.SessionFreed(SessionToken session) => _orphans.Remove(session);

    void IRackEffects.Log(RackLogLevel level, string message) => _world.Trace($"rack {Id}: {message}");

    void IRackEffects.Fatal(string message) => _world.Violated($"rack {Id} stopped: {message}");
}
