using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Hosts.Simulation;

/// <summary>Messages: at most once is what the actors promise, and not even that is kept here.</summary>
internal sealed partial class SimWorld
{
    private const int DropOneIn = 30;
    private const int RepeatOneIn = 14;
    private const int DelayOneIn = 10;
    private const long DelayMaxNs = 1_200_000;

    private readonly uint[] _channels;
    private readonly long[] _cuts;

    private sealed record SessionReplyTo(SimRack Rack, SessionToken Session, ISessionReply Reply);

    private sealed record ToShard(IPoolProtocol Message, ulong Luck);

    private sealed record ToMaster(IPoolProtocol Message);

    public void SendToRack(int from, RackId to, IPoolProtocol message) => Send(from, to.Value, Racks[to], message, message);

    public void SendToShard(SimRack from, IPoolProtocol message, ref SimRandom random)
    {
        var luck = random.Next();

        // Where the directory's node is depends on which incarnation the sender believes in.
        Send(from.Id.Value, PickShard(luck).Node, null, new ToShard(message, luck), message);
    }

    public void SendToMaster(int from, IPoolProtocol message) => Send(from, DirectoryNode, null, new ToMaster(message), message);

    private SimShard PickShard(ulong luck) => _shards[_shards.Count > 1 && luck % 2 == 0 ? 0 : _shards.Count - 1];

    private void Send(int from, int to, SimRack? target, object payload, IPoolProtocol message)
    {
        var channel = (from * (_options.Racks + 1)) + to;
        var number = ++_channels[channel];
        var luck = new SimRandom(SimRandom.Mix(Seed, (ulong)channel + 0x100, number));
        var delay = luck.Between(2_000, 28_000);
        if (!IsCalm)
        {
            if (NowNs < _cuts[channel])
            {
                Faults.Add("messagesCut");
                return;
            }

            if (target is { IsForgotten: true }) delay += 1;
            delay = Distort(new SimChoice(SimChoiceKind.Message, (uint)channel, number), ref luck, delay, from, to, target, payload, message);
            if (delay < 0) return;
        }

        Queue.Add(NowNs + delay, SimEventKind.Message, target, payload, target?.ActorsStamp ?? 0);
    }

    private long Distort(SimChoice choice, ref SimRandom luck, long delay, int from, int to, SimRack? target, object payload, IPoolProtocol message)
    {
        var dropped = luck.OneIn(DropOneIn);
        var repeated = luck.OneIn(RepeatOneIn);
        var delayed = luck.OneIn(DelayOneIn);
        var late = luck.Between(30_000, DelayMaxNs);
        var again = luck.OneIn(3) ? luck.Between(30_000, DelayMaxNs) : luck.Between(2_000, 60_000);
        if (!(dropped || repeated || delayed) || !Schedule.Allows(choice)) return delay;
        Schedule.Record(choice, NowNs, _options.Trace ? $"{(dropped ? "lost" : repeated ? "repeated" : "late")}: {Node(from)} to {Node(to)}: {message}" : "");
        if (dropped)
        {
            Faults.Add("messagesLost");
            return -1;
        }

        if (repeated)
        {
            Faults.Add("messagesRepeated");
            Queue.Add(NowNs + again, SimEventKind.Message, target, payload, target?.ActorsStamp ?? 0);
        }

        if (!delayed) return delay;
        Faults.Add("messagesDelayed");
        return late;
    }

    private static string Node(int node) => node == DirectoryNode ? "directory" : $"rack {node}";

    private void Later(SimEventKind kind, object target, object payload) => Queue.Add(NowNs + _random.Between(1_000, 20_000), kind, target, payload);

    private bool Deliver(in SimEvent e)
    {
        switch (e.Target, e.Payload)
        {
            case (SimRack rack, IPoolProtocol message):
                if (!rack.IsUp || rack.IsDetached || rack.ActorsStamp != e.Stamp) return false;
                if (_options.Trace) Trace($"to rack {rack.Id}: {message}");
                rack.Deliver(message);
                return true;
            case (SimShard shard, IPoolProtocol message):
                if (!_shards.Contains(shard)) return false;
                shard.Handle(message);
                return true;
            case (_, ToShard to):
                if (_options.Trace) Trace($"to shard {PickShard(to.Luck).Core.Term}: {to.Message}");
                PickShard(to.Luck).Handle(to.Message);
                return true;
            case (_, ToMaster to) when _master is { } master:
                if (_options.Trace) Trace($"to master: {to.Message}");
                master.Handle(to.Message, NowNs, new MasterEffects(this));
                return true;
            default: return false;
        }
    }

    public void ToRackSession(SimRack rack, ISessionRequest request, ref SimRandom random)
    {
        if (!IsCalm && random.OneIn(60))
        {
            Faults.Add("messagesLost");
            return;
        }

        Queue.Add(NowNs + random.Between(1_000, 15_000), SimEventKind.SessionRequest, rack, request, rack.ActorsStamp);
    }

    private bool Ask(SimRack rack, ISessionRequest request, long stamp)
    {
        if (!rack.IsUp || rack.IsDetached || rack.ActorsStamp != stamp || !rack.Knows(request.Session)) return false;
        if (_options.Trace) Trace($"to rack {rack.Id}: {request}");
        rack.Deliver(request);
        return true;
    }

    public void ToSession(SimRack rack, SessionToken session, ISessionReply reply, ref SimRandom random)
    {
        if (!IsCalm && random.OneIn(60)) return;
        Queue.Add(NowNs + random.Between(1_000, 15_000), SimEventKind.SessionReply, null, new SessionReplyTo(rack, session, reply));
    }

    private bool Answer(SessionReplyTo to)
    {
        if (_options.Trace) Trace($"to session {to.Session} of rack {to.Rack.Id}: {to.Reply}");
        if (_requests.Remove(to.Reply.Request, out var handler)) handler(to.Reply);
        foreach (var client in to.Rack.Clients)
        {
            if (client.Session != to.Session) continue;
            client.OnReply(to.Reply);
            break;
        }

        return true;
    }

    private void Ask(SimRack rack, ISessionRequest request, Action<ISessionReply> then)
    {
        _requests[request.Request] = then;
        rack.Tell(request);
    }
}
