using Rcmp.Fabric;
using Rcmp.Regions;

namespace Rcmp.Runtime;

/// <summary>When heat is sampled: at the interval while anything is used, and not at all while nothing is. The look that tells the two
/// apart reads one line per guard slot in use, ten times less often.</summary>
internal sealed class SampleClock(TimeSpan interval, Region region, IFabricServer server)
{
    private const int IdleFactor = 10;
    private const int IdleLooksBeforeRest = 3;

    private readonly long _intervalNs = (long)interval.TotalNanoseconds;
    private ulong _seen;
    private int _idleLooks;

    public long NextNs { get; private set; }

    public bool IsDue(long nowNs)
    {
        if (nowNs < NextNs) return false;
        var counters = server.Counters;
        var activity = SlotScan.TotalAccesses(region) + (ulong)(counters.Reads + counters.Writes + counters.Atomics);
        var active = activity != _seen;
        _seen = activity;
        // Heat decays: a few samples after the last access, so that a page that went cold is reported so.
        _idleLooks = active ? 0 : Math.Min(_idleLooks + 1, IdleLooksBeforeRest + 1);
        NextNs = nowNs + (_idleLooks > IdleLooksBeforeRest ? _intervalNs * IdleFactor : _intervalNs);
        return _idleLooks <= IdleLooksBeforeRest;
    }
}
