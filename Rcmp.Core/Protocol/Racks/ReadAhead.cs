using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>What to ask for on account of a miss.</summary>
/// <param name="Wanted">Waited for together with the page.</param>
/// <param name="Ahead">Asked for at the same time, and not waited for; empty if the miss continues no run.</param>
/// <param name="IsUnderWay">The page was asked for ahead of its miss, and the answer must be on its way.</param>
internal readonly record struct MissPlan(PageSpan Wanted, PageSpan Ahead, bool IsUnderWay);

/// <summary>Tells runs of misses from single ones, for all clients of a rack: a miss just behind (or before) what was asked for last continues a run, and what is read ahead of
/// it grows with each, as an operating system does it with files. Any other miss begins anew.</summary>
internal sealed class ReadAhead
{
    /// <summary>Of a run, while more is read ahead: the answer to a whole window takes longer than its first pages last.</summary>
    public const int WaitedMax = 64;
    private const int RunsMax = 16;

    private readonly Run[] _runs = new Run[RunsMax];
    private long _clock;

    /// <summary>Pages From to To − 1 were asked for.</summary>
    private struct Run
    {
        public ulong From;
        public ulong To;
        public int Window;
        public long Used;
        public PageSpan UnderWay;
        public long UnderWaySinceNs;
    }

    /// <param name="m">The miss; its numbers are within bounds.</param>
    /// <param name="room">How many references more the page table should take.</param>
    /// <param name="reachable">Whether a page needs no question.</param>
    /// <param name="nowNs">The time.</param>
    /// <param name="patienceNs">How long an answer may be on its way.</param>
    public MissPlan Plan(ResolveMiss m, long room, Func<PageId, bool> reachable, long nowNs, long patienceNs)
    {
        _clock++;
        var block = Limit(BlockOf(m), m.Page, room);
        for (var i = 0; i < _runs.Length; i++)
        {
            if (Continues(ref _runs[i], m.Page.Value, reachable, out var descends)) return Continue(ref _runs[i], m, room, descends, nowNs);
        }

        var inside = false;
        foreach (ref var run in _runs.AsSpan())
        {
            if (m.Page.Value < run.From || m.Page.Value >= run.To) continue;
            run.Used = _clock;
            inside |= run.UnderWay.Contains(m.Page) && nowNs - run.UnderWaySinceNs < patienceNs;
        }

        if (inside) return new MissPlan(block, default, true);
        ref var oldest = ref _runs[0];
        foreach (ref var run in _runs.AsSpan())
        {
            if (run.Used < oldest.Used) oldest = ref run;
        }

        oldest = new Run { From = block.First.Value, To = block.End.Value, Window = block.Count, Used = _clock };
        return new MissPlan(block, default, false);
    }

    /// <summary>The answer to what was read ahead is here. False if nobody has counted on it.</summary>
    public bool Arrived(PageSpan span)
    {
        foreach (ref var run in _runs.AsSpan())
        {
            if (run.UnderWay.Count == 0 || run.UnderWay != span) continue;
            run.UnderWay = default;
            return true;
        }

        return false;
    }

    /// <summary>The aligned block around the page, and what the call goes on to.</summary>
    public static PageSpan BlockOf(ResolveMiss m)
    {
        var first = m.Page.Value - m.Page.Value % (ulong)(m.Neighbours + 1);
        var end = ulong.Max(first + (ulong)m.Neighbours + 1, m.Page.Value + (ulong)m.Following + 1);
        return new PageSpan(new PageId(first), (int)(end - first));
    }

    /// <summary>Whether nothing lies between the run and the page but what is reachable already.</summary>
    private static bool Continues(ref Run run, ulong page, Func<PageId, bool> reachable, out bool descends)
    {
        descends = page < run.From;
        var window = (ulong)int.Min(run.Window, WaitedMax);
        if (window == 0 || (page >= run.From && page < run.To) || (descends ? run.From - page > window : page - run.To >= window)) return false;
        for (var between = descends ? page + 1 : run.To; between < (descends ? run.From : page); between++)
        {
            if (!reachable(new PageId(between))) return false;
        }

        return true;
    }

    private MissPlan Continue(ref Run run, ResolveMiss m, long room, bool descends, long nowNs)
    {
        var max = int.Max(m.NeighboursMax, m.Neighbours);
        run.Window = int.Clamp(run.Window * (run.Window <= max / 16 ? 4 : 2), 1, int.Max(max, 1));
        run.Used = _clock;
        var waited = int.Max(int.Min(run.Window, WaitedMax), int.Max(m.Neighbours, m.Following) + 1);
        var wanted = Limit(descends ? PageSpan.Between(new PageId(m.Page.Value - (ulong)waited + 1), m.Page.Plus(m.Following)) : new PageSpan(m.Page, waited), m.Page, room);
        var count = m.NeighboursMax == 0 ? 0 : (int)long.Clamp(room - wanted.Count, 0, run.Window);
        var ahead = count == 0 ? default : descends ? new PageSpan(wanted.First.Plus(-count), count) : new PageSpan(wanted.End, count);
        var asked = count == 0 ? wanted : descends ? PageSpan.Between(ahead.First, wanted.End.Plus(-1)) : PageSpan.Between(wanted.First, ahead.End.Plus(-1));
        (run.From, run.To) = (asked.First.Value, asked.End.Value);
        (run.UnderWay, run.UnderWaySinceNs) = (ahead, nowNs);
        return new MissPlan(wanted, ahead, false);
    }

    /// <summary>The page at least, whatever the room is.</summary>
    private static PageSpan Limit(PageSpan span, PageId page, long room) =>
        span.Count <= room ? span : new PageSpan(page, (int)long.Clamp(room, 1, (long)(span.End.Value - page.Value)));
}
