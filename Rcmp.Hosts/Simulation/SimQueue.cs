namespace Rcmp.Hosts.Simulation;

/// <summary>What a step is.</summary>
internal enum SimEventKind
{
    Disturbance,
    Message,
    RackTick,
    RackWork,
    RackSample,
    RackStart,
    RackAttach,
    ShardTick,
    ShardDies,
    MasterStarts,
    RosterDue,
    Operator,
    Client,
    Operation,
    SessionRequest,
    SessionReply,
}

/// <summary>Something that will happen.</summary>
/// <param name="DueNs">When.</param>
/// <param name="Order">Decides among those of one instant.</param>
/// <param name="Kind">What.</param>
/// <param name="Stamp">It is void if its target has another one by then.</param>
/// <param name="Target">To whom.</param>
/// <param name="Payload">With what.</param>
internal readonly record struct SimEvent(long DueNs, ulong Order, SimEventKind Kind, long Stamp, object? Target, object? Payload);

/// <summary>A heap of events. Not a <see cref="PriorityQueue{TElement, TPriority}"/>: that one does not keep the order of equals.</summary>
internal sealed class SimQueue
{
    private SimEvent[] _heap = new SimEvent[256];
    private int _count;
    private ulong _order;

    public int Count => _count;

    public long NextNs => _count == 0 ? long.MaxValue : _heap[0].DueNs;

    public void Add(long dueNs, SimEventKind kind, object? target, object? payload = null, long stamp = 0)
    {
        if (_count == _heap.Length) Array.Resize(ref _heap, 2 * _count);
        var added = new SimEvent(dueNs, ++_order, kind, stamp, target, payload);
        var i = _count++;
        while (i > 0)
        {
            var parent = (i - 1) >> 1;
            if (!Before(added, _heap[parent])) break;
            _heap[i] = _heap[parent];
            i = parent;
        }

        _heap[i] = added;
    }

    public SimEvent Take()
    {
        var first = _heap[0];
        var last = _heap[--_count];
        _heap[_count] = default;
        if (_count == 0) return first;
        var i = 0;
        while (true)
        {
            var child = (2 * i) + 1;
            if (child >= _count) break;
            if (child + 1 < _count && Before(_heap[child + 1], _heap[child])) child++;
            if (!Before(_heap[child], last)) break;
            _heap[i] = _heap[child];
            i = child;
        }

        _heap[i] = last;
        return first;
    }

    private static bool Before(in SimEvent left, in SimEvent right) => left.DueNs < right.DueNs || (left.DueNs == right.DueNs && left.Order < right.Order);
}
