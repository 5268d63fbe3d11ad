using System.Diagnostics;
using Rcmp.Cluster.Serialization;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>One that takes messages one after the other: a shard, a rack's daemon, the master.</summary>
internal sealed class ScaleServer
{
    private const long IdleNs = 20_000_000;

    private long _freeNs;

    /// <summary>To it and from it.</summary>
    public long Messages { get; private set; }

    public long Handled { get; private set; }

    /// <summary>On this machine, in the state machine.</summary>
    public long HandlingNs { get; private set; }

    public long CodecNs { get; private set; }

    /// <summary>Nothing waits that would take longer than a moment.</summary>
    public bool IsIdle(long nowNs) => _freeNs <= nowNs + IdleNs;

    public void Forget() => (Messages, Handled, HandlingNs, CodecNs) = (0, 0, 0, 0);

    public void CountSent() => Messages++;

    /// <summary>Of a message that is so long that the cost of messages in general does not cover it.</summary>
    public void CountCodec(long ns) => CodecNs += ns;

    /// <summary>When it has a message in hand that arrives then: messages before it are served first.</summary>
    public long Serve(long arrivesNs, long costNs)
    {
        Messages++;
        _freeNs = long.Max(arrivesNs, _freeNs) + costNs;
        return _freeNs;
    }

    public void CountHandling(long sinceTimestamp)
    {
        Handled++;
        HandlingNs += (long)Stopwatch.GetElapsedTime(sinceTimestamp).TotalNanoseconds;
    }

    /// <summary>Share of one core.</summary>
    /// <param name="messageCpuNs">What every message costs at this end.</param>
    /// <param name="handlingNs">What the state machine takes for one, on average over all of its kind: what a single one of them took has this machine's pauses in it.</param>
    /// <param name="seconds">In which they were counted.</param>
    public double Load(long messageCpuNs, double handlingNs, double seconds) => ((Messages * (double)messageCpuNs) + (Handled * handlingNs) + CodecNs) / (seconds * 1e9);
}

/// <summary>What a window of time has counted.</summary>
internal sealed class ScaleTraffic
{
    public long Resolves { get; private set; }

    public long Heat { get; private set; }

    public long Reports { get; private set; }

    public long ReportedPages { get; private set; }

    public long MoveOrders { get; private set; }

    public long Moves { get; set; }

    public long MasterBytes { get; set; }

    /// <summary>To a shard or from it.</summary>
    public void CountDirectory(IPoolProtocol message)
    {
        switch (message)
        {
            case ResolvePages or ForwardedResolve or PagesUnresolved:
                Resolves++;
                break;
            case HeatReport report:
                Heat++;
                Reports++;
                ReportedPages += report.Pages.Count;
                break;
            case AskHeat:
                Heat++;
                break;
            case PageOrder or OrderAnswered or EvictRequest or EvictAnswered:
                MoveOrders++;
                break;
        }
    }

    public long HeatBytes => (Reports * Wire.ReportBytes) + (ReportedPages * Wire.ReportedPageBytes);

    /// <summary>Encoding every report would take longer than all else: what a report and a page in it take is the same for all.</summary>
    private static class Wire
    {
        private const int Many = 64;

        public static readonly long ReportBytes;
        public static readonly long ReportedPageBytes;

        static Wire()
        {
            var (one, many) = (Bytes(1), Bytes(1 + Many));
            ReportedPageBytes = (many - one) / Many;
            ReportBytes = one - ReportedPageBytes;
        }

        private static long Bytes(int pages)
        {
            var values = Enumerable.Range(1, pages).Select(i => new PageHeatValue(new PageId((1UL << 40) + (ulong)i), 3.25 * i, 15_040 * i));
            return PoolSerializer.Encode(new HeatReport(new ShardId(1), new RackIncarnation(new RackId(1), new Generation(1)), ValueList<PageHeatValue>.Of(values))).Length;
        }
    }
}
