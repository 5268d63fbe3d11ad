using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>A fabric connection of this client with the guard slots of its requests: a slot per request in flight. Used by one thread at a time.</summary>
internal sealed unsafe class ClientConnection : IDisposable
{
    private const int WindowMax = 32;

    private readonly SlotPool _pool;
    private readonly GuardSlot*[] _slots;
    private readonly int[] _accesses;
    private readonly Stack<int> _freeTokens;

    public ClientConnection(LinkRecord link, int linkSlot, ulong name, IFabricConnection fabric, SlotPool pool)
    {
        Link = link;
        LinkSlot = linkSlot;
        Name = name;
        Fabric = fabric;
        _pool = pool;
        var window = Math.Clamp(fabric.Window, 1, WindowMax);
        _slots = new GuardSlot*[window];
        _accesses = new int[window];
        _freeTokens = new Stack<int>(window);
        for (var i = window - 1; i >= 0; i--)
            _freeTokens.Push(i);
    }

    public LinkRecord Link { get; }

    public int LinkSlot { get; }

    public ulong Name { get; }

    public IFabricConnection Fabric { get; }

    public int InFlight { get; private set; }

    public int Window => _slots.Length;

    /// <summary>A token with a guard slot that names this connection, but no page yet; −1 if window or slots are used up.</summary>
    public int TryBegin(int access)
    {
        if (!_freeTokens.TryPeek(out var token))
            return -1;
        if (_slots[token] == null)
        {
            var slot = _pool.TryTake();
            if (slot == null)
                return -1;
            _slots[token] = slot;
        }

        _freeTokens.Pop();
        _accesses[token] = access;
        // Before the page: whoever finds the page in the slot finds the connection too.
        _slots[token]->Connection = Name;
        InFlight++;
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
        _freeTokens.Push(token);
        InFlight--;
    }

    /// <summary>Leaves the request's guard set: nobody knows whether it is still carried out.</summary>
    public void Abandon(int token)
    {
        _pool.Retire(_slots[token]);
        _slots[token] = null;
        _freeTokens.Push(token);
        InFlight--;
    }

    /// <summary>Gives slots beyond <paramref name="keep"/> back, so that an idle connection does not keep others from working.</summary>
    public void TrimSlots(int keep)
    {
        for (var i = keep; i < _slots.Length; i++)
        {
            if (_slots[i] == null)
                continue;
            _pool.Return(_slots[i]);
            _slots[i] = null;
        }
    }

    /// <summary>Closes the connection: from then on no buffer of a request is touched.</summary>
    public void Dispose()
    {
        Fabric.Dispose();
        TrimSlots(0);
    }
}
