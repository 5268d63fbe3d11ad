using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation;

/// <summary>What is done to the world while it works. Each disturbance has its own luck, and ends by itself.</summary>
internal sealed partial class SimWorld
{
    private static readonly string[] _kinds =
    [
        "kill", "kill", "crash", "crash", "client", "stop", "stop", "pause", "detach", "shard", "shard", "shard", "cut", "oneway", "isolate", "master", "allocate", "allocate",
        "free", "free", "bring", "bring", "bring", "close", "locate",
    ];

    private static readonly string[] _churnKinds = [.. _kinds, "shard", "shard", "shard", "bring", "bring", "kill", "cut"];

    private uint _disturbances;
    private bool _removal;
    private bool _wraps;
    private IPoolProtocol? _order;

    private bool Disturb()
    {
        if (IsCalm) return false;
        var number = _disturbances++;
        var luck = new SimRandom(SimRandom.Mix(Seed, 0xD157, number));
        var first = number < _options.Pages;
        Queue.Add(NowNs + (first ? 3_000 : luck.Between(5_000, _churn ? 70_000 : 220_000)), SimEventKind.Disturbance, null);
        var choice = new SimChoice(SimChoiceKind.Disturbance, 0, number);
        if (!Schedule.Allows(choice)) return false;
        var rack = Racks[new RackId((ushort)(1 + luck.Pick(_options.Racks)))];
        var kinds = _churn ? _churnKinds : _kinds;
        var kind = first ? "allocate" : kinds[luck.Pick(kinds.Length)];
        if (!first && _removal && luck.OneIn(6)) kind = luck.OneIn(2) ? "drain" : "forget";
        if (!first && _wraps && luck.OneIn(6)) kind = "wrap";
        if (Do(kind, rack, ref luck) is not { } what) return false;
        Trace(what);
        Schedule.Record(choice, NowNs, what);
        return true;
    }

    /// <summary>What was done, or null if it could not be.</summary>
    private string? Do(string kind, SimRack rack, ref SimRandom luck)
    {
        var client = rack.Clients.Count == 0 ? null : rack.Clients[luck.Pick(rack.Clients.Count)];
        switch (kind)
        {
            case "kill" when rack.IsUp && !rack.IsForgotten: return Kill(rack, ref luck);
            case "crash" when rack.IsUp: return ArmCrash(rack, ref luck);
            case "pause" when rack.IsUp: return Pause(rack, ref luck);
            case "detach" when rack.IsUp: return Detach(rack, ref luck);
            case "client" when client is not null: return ReplaceClient(rack, client, closes: false, ref luck);
            case "close" when client is not null: return ReplaceClient(rack, client, closes: true, ref luck);
            case "stop" when client is not null: return StopClient(rack, client, ref luck);
            case "shard" when _shards.Count < 2: return ReplaceShard(ref luck);
            case "cut" or "oneway" or "isolate": return Cut(kind, rack, ref luck);
            case "master" when _master is not null: return KillMaster(ref luck);
            case "allocate" when client is not null && _usable.Count < _options.Pages: return AllocateSome(rack, client, ref luck);
            case "free" when client is not null && _usable.Count > 2: return FreeOne(rack, client, ref luck);
            case "bring" when client is not null && _usable.Count > 0: return Bring(rack, client, ref luck);
            case "locate" when client is not null && _usable.Count > 0: return Locate(rack, client, ref luck);
            case "drain": return Drain(rack, ref luck);
            case "forget": return Forget(rack, ref luck);
            case "wrap" when rack.IsUp: return Wrap(rack, ref luck);
            default: return null;
        }
    }

    private string Kill(SimRack rack, ref SimRandom luck)
    {
        var down = luck.OneIn(4) ? luck.Between(300_000, 3_000_000) : luck.Between(5_000, 200_000);
        Faults.Add("daemonKills");
        rack.KillDaemon();
        Queue.Add(NowNs + down, SimEventKind.RackStart, rack);
        return $"the daemon of rack {rack.Id} is killed, and back after {down / 1000} us";
    }

    private string? ArmCrash(SimRack rack, ref SimRandom luck)
    {
        if (rack.Store.CrashAtWrite > 0) return null;
        rack.Store.CrashAtWrite = 1 + luck.Pick(12);
        return $"the daemon of rack {rack.Id} will die before its write number {rack.Store.CrashAtWrite} from now";
    }

    public void OnCrash(SimRack rack)
    {
        Trace($"the daemon of rack {rack.Id} dies between two writes");
        Faults.Add("daemonCrashesBetweenWrites");
        Queue.Add(NowNs + _random.Between(5_000, 200_000), SimEventKind.RackStart, rack);
    }

    private string Pause(SimRack rack, ref SimRandom luck)
    {
        var pause = luck.Between(50_000, 1_500_000);
        Faults.Add("daemonPauses");
        rack.PausedUntilNs = NowNs + pause;
        return $"the daemon of rack {rack.Id} stands still for {pause / 1000} us";
    }

    private string Detach(SimRack rack, ref SimRandom luck)
    {
        var gone = luck.Between(10_000, 600_000);
        Faults.Add("actorSystemRestarts");
        rack.Detach(gone);
        return $"the actor system of rack {rack.Id} ends; another one is there after {gone / 1000} us";
    }

    private string ReplaceClient(SimRack rack, SimClient client, bool closes, ref SimRandom luck)
    {
        if (closes)
        {
            Faults.Add("sessionsClosed");
            OnSessionEnds(client.Session);
            rack.Tell(new CloseSession(client.Session, NewRequest(ref luck)));
        }
        else
        {
            Faults.Add("clientKills");
        }

        rack.KillClient(client);
        if (!rack.IsForgotten) AddClient(rack);
        return $"client {client.Number} of rack {rack.Id} {(closes ? "closes its session" : "is killed")}";
    }

    private string StopClient(SimRack rack, SimClient client, ref SimRandom luck)
    {
        var pause = luck.OneIn(3) ? luck.Between(500_000, 4_000_000) : luck.Between(20_000, 500_000);
        Faults.Add("clientPauses");
        client.StoppedUntilNs = NowNs + pause;
        return $"client {client.Number} of rack {rack.Id} stands still for {pause / 1000} us{(client.IsIdle ? "" : ", in the middle of an operation")}";
    }

    private string ReplaceShard(ref SimRandom luck)
    {
        var lives = luck.OneIn(2) ? 0 : luck.Between(0, 1_000_000);
        Faults.Add(lives == 0 ? "shardRestarts" : "shardTwins");
        var old = _shards[0];
        StartShard(luck.Pick(_options.Racks + 1));
        if (lives == 0) _shards.Remove(old);
        else Queue.Add(NowNs + lives, SimEventKind.ShardDies, old);
        return lives == 0 ? "the directory shard is restarted" : $"another incarnation of the directory shard starts; the old one lives on for {lives / 1000} us";
    }

    private string Cut(string kind, SimRack rack, ref SimRandom luck)
    {
        var until = NowNs + luck.Between(20_000, 900_000);
        var other = luck.Pick(_options.Racks + 1);
        for (var node = 0; node <= _options.Racks; node++)
        {
            if (kind != "isolate" && node != other) continue;
            _cuts[Channel(rack.Id.Value, node)] = until;
            if (kind != "oneway") _cuts[Channel(node, rack.Id.Value)] = until;
        }

        Faults.Add(kind switch { "cut" => "partitions", "oneway" => "oneWayPartitions", _ => "isolations" });
        return $"until {until / 1000} us, {(kind == "isolate" ? $"rack {rack.Id} is cut off" : $"nothing gets from rack {rack.Id} to {Node(other)}{(kind == "cut" ? " or back" : "")}")}";
    }

    private string KillMaster(ref SimRandom luck)
    {
        Faults.Add("masterKills");
        _master = null;
        Queue.Add(NowNs + luck.Between(1_000, 600_000), SimEventKind.MasterStarts, null);
        return "the master is killed";
    }

    private string AllocateSome(SimRack rack, SimClient client, ref SimRandom luck)
    {
        var count = luck.OneIn(4) ? 3 : luck.OneIn(8) ? 6 : 1;
        var scoped = luck.OneIn(6);
        Allocate(rack, client, count, scoped, ref luck);
        AcknowledgeAgain();
        return $"client {client.Number} of rack {rack.Id} allocates {count}{(scoped ? " for its session" : "")}";
    }

    private string FreeOne(SimRack rack, SimClient client, ref SimRandom luck)
    {
        var page = _usable[luck.Pick(_usable.Count)];
        Free(rack, client, page, goOn: luck.OneIn(2), ref luck);
        return $"client {client.Number} of rack {rack.Id} frees {page.Id}";
    }

    private string Bring(SimRack rack, SimClient client, ref SimRandom luck)
    {
        var page = _usable[luck.Pick(_usable.Count)].Id;
        Ask(rack, new BringPage(client.Session, NewRequest(ref luck), page), _ => { });
        return $"client {client.Number} of rack {rack.Id} has {page} brought there";
    }

    private string Locate(SimRack rack, SimClient client, ref SimRandom luck)
    {
        var page = _usable[luck.Pick(_usable.Count)].Id;
        Ask(rack, new LocatePage(client.Session, NewRequest(ref luck), page), _ => { });
        return $"client {client.Number} of rack {rack.Id} asks where {page} is";
    }

    /// <summary>As if so many pages had been allocated that the next ids of the rack are those of pages in use.</summary>
    private string? Wrap(SimRack rack, ref SimRandom luck)
    {
        var own = _byId.Keys.Where(p => _geometry.BirthRackOf(p) == rack.Id).ToList();
        if (own.Count == 0) return null;
        var sequence = _geometry.SequenceOf(own[luck.Pick(own.Count)]);
        rack.KillDaemon();
        var state = rack.Store.State;
        var turn = (state.SequenceReserved >> _geometry.SequenceBits) + 1;
        rack.Store.SaveState(state with { SequenceReserved = (turn << _geometry.SequenceBits) | sequence });
        Faults.Add("sequenceWraps");
        Queue.Add(NowNs + luck.Between(5_000, 60_000), SimEventKind.RackStart, rack);
        return $"rack {rack.Id} has used up its ids and goes on with sequence {sequence}";
    }

    private string? Drain(SimRack rack, ref SimRandom luck)
    {
        if (Racks.Values.Any(r => r.IsForgotten || r.IsDraining) || !rack.IsUp) return null;
        rack.IsDraining = true;
        Faults.Add("drains");
        Order(new DrainRack(NewRequest(ref luck), "operator", rack.Id));
        return $"an operator drains rack {rack.Id}";
    }

    private string? Forget(SimRack rack, ref SimRandom luck)
    {
        if (Racks.Values.Any(r => r.IsForgotten || r.IsDraining)) return null;
        Faults.Add("forgottenRacks");
        foreach (var page in _byId.Values.Where(p => HasRow(rack, p.Id)).ToArray()) Lose(page);
        rack.BecomeForgotten();
        Order(new ForgetRack(NewRequest(ref luck), "operator", rack.Id));
        if (luck.OneIn(2)) Queue.Add(NowNs + luck.Between(20_000, 2_000_000), SimEventKind.RackStart, rack);
        return $"an operator removes rack {rack.Id}, whatever it has";
    }

    private void Lose(SimPage page)
    {
        page.Lost = true;
        _usable.Remove(page);
        History.LeaveOut(page.Id);
    }

    private static bool HasRow(SimRack rack, PageId page)
    {
        for (uint i = 0; i < rack.Store.FrameCount; i++)
        {
            if (rack.Store.ReadRow(new FrameIndex(i)) is { State: not RowState.Free } row && row.Page == page) return true;
        }

        return false;
    }

    private void Order(IPoolProtocol order)
    {
        _order = order;
        Queue.Add(NowNs + 1, SimEventKind.Operator, null);
    }

    // Whoever types the command types it again until it is done.
    private bool RepeatOrder()
    {
        if (_order is not { } order) return false;
        SendToMaster(DirectoryNode, order);
        Queue.Add(NowNs + 700_000, SimEventKind.Operator, null);
        return true;
    }

    private void OnAdminAnswered(AdminAnswered answer)
    {
        Trace($"operator: {answer.Message}");
        if (answer.Ok) _order = null;
        if (Racks.Values.FirstOrDefault(r => r.IsDraining && !r.IsForgotten) is not { } drained || !answer.Ok) return;
        foreach (var page in _byId.Values)
        {
            if (!page.FreeAsked && IsCertain(page) && HasRow(drained, page.Id)) Violated($"rack {drained.Id} was removed as empty, and has {page.Id}");
        }

        drained.BecomeForgotten(daemonLives: true);
    }
}
