using System.Diagnostics;
using Rcmp.Protocol;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>A shard of the directory: the product's state machine.</summary>
internal sealed class ScaleShard(ScaleWorld world, DirectoryShard core) : IShardEffects
{
    private long _tickNs = long.MaxValue;
    private long _tickStamp;
    private DirectoryShard? _core = core;

    public ScaleServer Server { get; } = new();

    public long LastNs { get; private set; }

    public void Handle(IPoolProtocol message)
    {
        LastNs = world.NowNs;
        var began = Stopwatch.GetTimestamp();
        _core?.Handle(message, world.NowNs, this);
        Server.CountHandling(began);
        ScheduleTick();
    }

    public void Tick(long stamp)
    {
        if (stamp != _tickStamp) return;
        _tickNs = long.MaxValue;
        _core?.Tick(world.NowNs, this);
        ScheduleTick();
    }

    /// <summary>The state machine and what it holds can be collected: events that are still to come hold this.</summary>
    public void Drop() => _core = null;

    public void SendToRack(RackId rack, IPoolProtocol message)
    {
        Server.CountSent();
        world.Traffic.CountDirectory(message);
        world.SendToRack(rack, message);
    }

    public void Log(RackLogLevel level, string message)
    {
    }

    public void Fatal(string message) => throw new SimViolation($"a shard stopped: {message}");

    private void ScheduleTick()
    {
        if (_core?.NextDeadlineNs is not { } next || next >= _tickNs) return;
        _tickNs = next;
        world.Add(long.Max(0, next - world.NowNs), SimEventKind.ShardTick, this, null, ++_tickStamp);
    }
}
