using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>Gives out the guard slots of a session: to threads for life, to pins and remote operations for a while. The first one is shared, under a lock, by
/// the threads that find no other.</summary>
internal sealed unsafe class SlotPool
{
    private const int SharedSlots = 1;

    private readonly ClientView _view;
    private readonly StackSlots _stackSlots;
    private readonly Lock _lock = new();
    private readonly Stack<int> _free = new();
    private readonly List<int> _retired = [];
    private readonly Thread?[] _owners;
    private readonly int _reserve;
    private readonly long _hitsBefore;
    private SpinLock _sharedLock = new(enableThreadOwnerTracking: false);

    public SlotPool(ClientView view, StackSlots stackSlots)
    {
        if (view.SlotCount < SharedSlots + 2)
            throw new PoolMismatchException($"The region gives a session {view.SlotCount} guard slots; {SharedSlots + 2} are the least a client can work with.");
        _view = view;
        _stackSlots = stackSlots;
        _owners = new Thread?[view.SlotCount];
        // A quarter stays for pins and remote operations, however many threads there are.
        _reserve = Math.Max(1, view.SlotCount / 4);
        for (var i = view.SlotCount - 1; i >= SharedSlots; i--)
            _free.Push(i);
        _hitsBefore = SumHits();
        Use(SharedSlots - 1);
    }

    /// <summary>All there are.</summary>
    public int Count => _owners.Length;

    /// <summary>A slot for the current thread's life, or null if it has to share.</summary>
    public GuardSlot* TryTakeForThread()
    {
        lock (_lock)
        {
            if (_free.Count <= _reserve)
                Reclaim();
            if (_free.Count <= _reserve)
                return null;
            var index = _free.Pop();
            _owners[index] = Thread.CurrentThread;
            return Use(index);
        }
    }

    /// <summary>A slot for a pin or a remote operation; null if all are taken.</summary>
    public GuardSlot* TryTake()
    {
        lock (_lock)
        {
            if (_free.Count == 0)
                Reclaim();
            return _free.TryPop(out var index) ? Use(index) : null;
        }
    }

    /// <summary>Slots for those of these places that have none, as far as there are any.</summary>
    public void TryTake(GuardSlot*[] slots, ReadOnlySpan<int> places)
    {
        lock (_lock)
        {
            // From the end: those are used first.
            for (var i = places.Length - 1; i >= 0; i--)
            {
                if (slots[places[i]] != null)
                    continue;
                if (!_free.TryPop(out var index))
                    return;
                slots[places[i]] = Use(index);
            }
        }
    }

    /// <summary>Gives a clear slot back.</summary>
    public void Return(GuardSlot* slot)
    {
        lock (_lock)
            _free.Push((int)(slot - _view.Slots));
    }

    /// <summary>Gives clear slots back; where none is, none was.</summary>
    public void Return(GuardSlot*[] slots, ReadOnlySpan<int> places)
    {
        lock (_lock)
        {
            foreach (var place in places)
            {
                if (slots[place] == null)
                    continue;
                _free.Push((int)(slots[place] - _view.Slots));
                slots[place] = null;
            }
        }
    }

    /// <summary>Leaves the slot as it is: its operation's fate is unknown. The daemon clears it when the owner has destroyed the connection.</summary>
    public void Retire(GuardSlot* slot)
    {
        lock (_lock)
        {
            // Release: whoever sees the mark sees that this thread is done with the slot.
            Volatile.Write(ref slot->Retired, 1);
            _retired.Add((int)(slot - _view.Slots));
        }
    }

    /// <summary>Whether the daemon has cleared all slots that were retired with this connection.</summary>
    public bool IsReleased(ulong connection)
    {
        lock (_lock)
        {
            foreach (var index in _retired)
            {
                // Acquire: the mark is cleared last.
                if (Volatile.Read(ref _view.Slots[index].Retired) != 0 && _view.Slots[index].Connection == connection)
                    return false;
            }

            Reclaim();
            return true;
        }
    }

    /// <summary>Waits for a shared slot. To be left at once, without waiting for anything.</summary>
    public GuardSlot* EnterShared()
    {
        var taken = false;
        _sharedLock.Enter(ref taken);
        return _view.Slots;
    }

    public void ExitShared() => _sharedLock.Exit(useMemoryBarrier: true);

    /// <summary>Page accesses of all threads, through mapped memory and remote.</summary>
    public long Hits => SumHits() - _hitsBefore;

    /// <summary>Slots that name a page, apart from retired ones: nobody may unmap before there are none.</summary>
    public bool IsQuiet
    {
        get
        {
            for (var i = 0; i < _view.SlotCount; i++)
            {
                if (Volatile.Read(ref _view.Slots[i].Page) != 0 && Volatile.Read(ref _view.Slots[i].Retired) == 0)
                    return false;
            }

            return true;
        }
    }

    public int FreeCount
    {
        get
        {
            lock (_lock)
                return _free.Count;
        }
    }

    private GuardSlot* Use(int index)
    {
        // The daemon scans up to here, so it is stored before the slot's first use. Barrier and scan of a mover come after a guard's store, hence after this one.
        if (index >= _view.Session->SlotsUsed)
            Volatile.Write(ref _view.Session->SlotsUsed, (uint)index + 1);
        return _view.Slots + index;
    }

    private void Reclaim()
    {
        for (var i = SharedSlots; i < _owners.Length; i++)
        {
            // A dead thread runs no guarded code, so its slot is clear. While a word names the slot, it has not quite ended.
            if (_owners[i] is { IsAlive: false } && !_stackSlots.Names(i))
            {
                _owners[i] = null;
                _free.Push(i);
            }
        }

        for (var i = _retired.Count - 1; i >= 0; i--)
        {
            // Acquire: the daemon clears this mark last, so the slot's other fields are clear too.
            if (Volatile.Read(ref _view.Slots[_retired[i]].Retired) != 0)
                continue;
            _free.Push(_retired[i]);
            _retired.RemoveAt(i);
        }
    }

    private long SumHits()
    {
        long sum = 0;
        for (var i = 0; i < _view.SlotCount; i++)
            sum += (long)_view.Slots[i].Hits;
        return sum;
    }
}
