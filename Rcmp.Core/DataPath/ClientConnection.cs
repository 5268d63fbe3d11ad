using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>A fabric connection of this client with the guard slots of its requests: a slot per request in flight. Used by one thread at a time.</summary>
internal sealed unsafe class ClientConnection : IDisposable
{
    /// <summary>Requests under way at a time, at most.</summary>
    public const int WindowMax = 64;

    /// <summary>Of the client's guard slots: two connections may be busy at a time without keeping each other waiting.</summary>
    private const int SlotShare = 2;

    private readonly SlotPool _pool;
    private readonly GuardSlot*[] _slots;
    private readonly int[] _accesses;
    private readonly int[] _freeTokens;
    private int _freeCount;
    private int _held;

    public ClientConnection(LinkRecord link, int linkSlot, ulong name, IFabricConnection fabric, SlotPool pool)
    {
        Link = link;
        LinkSlot = linkSlot;
        Name = name;
        Fabric = fabric;
        _pool = pool;
        var window = Math.Clamp(Math.Min(fabric.Window, pool.Count / SlotShare), 1, WindowMax);
        _slots = new GuardSlot*[window];
        _accesses = new int[window];
        _freeTokens = new int[window];
        for (var i = window - 1; i >= 0; i--)
            _freeTokens[_freeCount++] = i;
    }

    public LinkRecord Link { get; }

    public int LinkSlot { get; }

    public ulong Name { get; }

    public IFabricConnection Fabric { get; }

    /// <summary>Nothing has been sent yet.</summary>
    public bool IsNew { get; private set; } = true;

    public int InFlight => _freeTokens.Length - _freeCount;

    public int Window => _slots.Length;

    /// <summary>Takes slots for as many requests to come at once; what cannot be had is found out by <see cref="TryBegin"/>.</summary>
    public void Reserve(int requests)
    {
        requests = Math.Min(requests, _freeCount);
        var next = _freeTokens.AsSpan(_freeCount - requests, requests);
        foreach (var token in next)
        {
            if (_slots[token] != null)
                continue;
            _pool.TryTake(_slots, next);
            _held = CountHeld();
            return;
        }
    }

    /// <summary>A token with a guard slot that names this connection, but no page yet; −1 if window or slots are used up.</summary>
    public int TryBegin(int access)
    {
        if (_freeCount == 0)
            return -1;
        var token = _freeTokens[_freeCount - 1];
        if (_slots[token] == null)
        {
            var slot = _pool.TryTake();
            if (slot == null)
                return -1;
            _slots[token] = slot;
            _held++;
        }

        IsNew = false;
        _freeCount--;
        _accesses[token] = access;
        // Before the page: whoever finds the page in the slot finds the connection too.
        _slots[token]->Connection = Name;
        return token;
    }

    public GuardSlot* SlotOf(int token) => _slots[token];

    public int AccessOf(int token) => _accesses[token];

    /// <summary>Ends a request that has completed or was never sent: its guard is cleared.</summary>
    public void End(int token)
    {
        var slot = _slots[token];
        slot->RemoteEnded++;
        // Release: the bytes are in place before anybody sees the guard clear. The page goes first: a slot with a page and no connection would be rack-local.
        Volatile.Write(ref slot->Page, 0);
        Volatile.Write(ref slot->Connection, 0);
        _freeTokens[_freeCount++] = token;
    }

    /// <summary>Leaves the request's guard set: nobody knows whether it is still carried out.</summary>
    public void Abandon(int token)
    {
        _pool.Retire(_slots[token]);
        _slots[token] = null;
        _held--;
        _freeTokens[_freeCount++] = token;
    }

    /// <summary>Gives slots back but those of the requests that come first, so that an idle connection does not keep others from working.</summary>
    public void TrimSlots(int keep)
    {
        // After each access: not to look at all tokens, since there is hardly ever more than a slot or two.
        if (_held <= keep)
            return;
        foreach (var token in _freeTokens.AsSpan(0, Math.Max(0, _freeCount - keep)))
        {
            if (_slots[token] == null)
                continue;
            _pool.Return(_slots, _freeTokens.AsSpan(0, _freeCount - keep));
            _held = CountHeld();
            return;
        }
    }

    private int CountHeld()
    {
        var held = 0;
        foreach (var slot in _slots)
            held += slot != null ? 1 : 0;
        return held;
    }

    /// <summary>Closes the connection: from then on no buffer of a request is touched.</summary>
    public void Dispose()
    {
        Fabric.Dispose();
        _pool.Return(_slots, [.. Enumerable.Range(0, _slots.Length)]);
    }
}
