namespace Rcmp.Protocol;

/// <summary>Deadlines by key: one per key, the latest set counts. Setting, cancelling and taking are O(log n).</summary>
internal sealed class DeadlineQueue<TKey>
    where TKey : notnull
{
    private readonly Dictionary<TKey, long> _due = [];
    private readonly PriorityQueue<TKey, long> _queue = new();

    /// <summary>The nearest deadline, <see cref="long.MaxValue"/> if there is none. Tidies the queue: not beside another call.</summary>
    public long NextNs
    {
        get
        {
            DropStale();
            return _queue.TryPeek(out _, out var due) ? due : long.MaxValue;
        }
    }

    public void Set(TKey key, long dueNs)
    {
        if (_due.TryGetValue(key, out var old) && old == dueNs) return;
        _due[key] = dueNs;
        _queue.Enqueue(key, dueNs);
    }

    public void Cancel(TKey key) => _due.Remove(key);

    public bool TryTake(long nowNs, out TKey key)
    {
        DropStale();
        if (!_queue.TryPeek(out key!, out var due) || due > nowNs) return false;
        _queue.Dequeue();
        _due.Remove(key);
        return true;
    }

    public void Clear()
    {
        _due.Clear();
        _queue.Clear();
    }

    // A cancelled or moved deadline stays in the heap until it comes up: finding it there would be O(n).
    private void DropStale()
    {
        while (_queue.TryPeek(out var key, out var due) && !(_due.TryGetValue(key, out var current) && current == due)) _queue.Dequeue();
    }
}

/// <summary>The last entries by key; older ones are forgotten.</summary>
internal sealed class RecentMap<TKey, TValue>(int capacity)
    where TKey : notnull
{
    private readonly Dictionary<TKey, TValue> _values = [];
    private readonly Queue<TKey> _order = new();

    public void Add(TKey key, TValue value)
    {
        if (!_values.ContainsKey(key))
        {
            _order.Enqueue(key);
            if (_order.Count > capacity) _values.Remove(_order.Dequeue());
        }

        _values[key] = value;
    }

    public bool TryGet(TKey key, [System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out TValue value) => _values.TryGetValue(key, out value);
}
