using Rcmp.Cluster.Messages;
using Rcmp.Protocol;

namespace Rcmp.Cluster.Status;

/// <summary>Limits of barriers.</summary>
internal static class BarrierBoard
{
    public const int NodesMax = 1024;
    public const int TextMax = 256;
    public const int BarriersMax = 256;

    /// <summary>Eight repeats: whoever is silent for longer does not wait any more.</summary>
    public const long WaitsNs = 2_000_000_000;

    /// <summary>So long an open barrier is remembered for those whose answer was lost.</summary>
    public const long OpenNs = 60_000_000_000;
}

/// <summary>Who waits at which barrier. Soft state: those who wait say so again and again, so that a new master soon knows them, and one that died is not counted for long.</summary>
/// <typeparam name="TPlace">Where answers go.</typeparam>
internal sealed class BarrierBoard<TPlace>
{
    private readonly Dictionary<string, Barrier> _barriers = [];

    /// <summary>The answers that follow from an arrival.</summary>
    public IReadOnlyList<(TPlace To, BarrierAnswered Answer)> Arrive(ArriveAtBarrier arrival, TPlace from, long nowNs)
    {
        Forget(nowNs);
        if (!IsSound(arrival) || (_barriers.Count >= BarrierBoard.BarriersMax && !_barriers.ContainsKey(arrival.Barrier))) return [(from, Answer(arrival, BarrierStatus.Refused))];
        if (!_barriers.TryGetValue(arrival.Barrier, out var barrier)) _barriers[arrival.Barrier] = barrier = new Barrier();
        // Its answer was lost.
        if (barrier.Opened.Find(o => o.Runs.Contains(arrival.Run)) is { } opened) return [(from, Answer(arrival, BarrierStatus.Open) with { Text = opened.Text })];
        var waiting = barrier.Waiting;
        if (waiting.TryGetValue(arrival.Node, out var other) && other.Arrival.Run != arrival.Run) return [(from, Answer(arrival, BarrierStatus.Taken))];
        if (waiting.Values.FirstOrDefault(w => w.Arrival.Run != arrival.Run && w.Arrival.Nodes != arrival.Nodes) is { } stranger)
            return [(from, Answer(arrival, BarrierStatus.OtherCount) with { Nodes = stranger.Arrival.Nodes })];
        waiting[arrival.Node] = new Waiter(arrival, from, nowNs);
        if (waiting.Count < arrival.Nodes)
        {
            var missing = Enumerable.Range(0, arrival.Nodes).Where(n => !waiting.ContainsKey(n)).Take(BarrierAnswered.MissingMax);
            return [(from, Answer(arrival, BarrierStatus.Waiting) with { Missing = ValueList<int>.Of(missing) })];
        }
        var text = waiting[0].Arrival.Text;
        barrier.Opened.Add(new Opening([.. waiting.Values.Select(w => w.Arrival.Run)], text, nowNs));
        // All at once, not each at its next repeat: they are to begin together.
        var answers = waiting.Values.Select(w => (w.Place, Answer(w.Arrival, BarrierStatus.Open) with { Text = text })).ToList();
        waiting.Clear();
        return answers;
    }

    private static bool IsSound(ArriveAtBarrier arrival) =>
        arrival.Nodes is >= 1 and <= BarrierBoard.NodesMax && arrival.Node >= 0 && arrival.Node < arrival.Nodes && arrival.Barrier.Length is > 0 and <= BarrierBoard.TextMax && arrival.Text.Length <= BarrierBoard.TextMax;

    private void Forget(long nowNs)
    {
        foreach (var (name, barrier) in _barriers)
        {
            foreach (var (node, waiter) in barrier.Waiting)
                if (nowNs - waiter.SeenNs > BarrierBoard.WaitsNs) barrier.Waiting.Remove(node);
            barrier.Opened.RemoveAll(o => nowNs - o.AtNs > BarrierBoard.OpenNs);
            if (barrier.Waiting.Count == 0 && barrier.Opened.Count == 0) _barriers.Remove(name);
        }
    }

    private static BarrierAnswered Answer(ArriveAtBarrier arrival, BarrierStatus status) => new(arrival.Request, status, arrival.Nodes, ValueList<int>.Empty, "");

    private sealed class Barrier
    {
        public Dictionary<int, Waiter> Waiting { get; } = [];

        public List<Opening> Opened { get; } = [];
    }

    private sealed record Waiter(ArriveAtBarrier Arrival, TPlace Place, long SeenNs);

    private sealed record Opening(HashSet<ulong> Runs, string Text, long AtNs);
}
