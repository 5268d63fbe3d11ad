using System.Diagnostics;
using Rcmp.Native;

namespace Rcmp.Regions;

/// <summary>A client's side of its session record: the lock that says it lives, and its guard slots. Thread-safe.</summary>
internal sealed unsafe class ClientSession : IDisposable
{
    private static readonly TimeSpan LockWait = TimeSpan.FromSeconds(5);
    private readonly Lock _lock = new();
    private readonly Region _region;
    private readonly RegionPin _pin;
    private readonly SystemCalls.FileDescriptor _file;
    private readonly Stack<int> _free = new();
    private readonly List<int> _retired = [];
    private int _used;
    private bool _disposed;

    private ClientSession(Region region, RegionPin pin, SystemCalls.FileDescriptor file, int index, SessionToken token, bool usesFence)
    {
        _region = region;
        _pin = pin;
        _file = file;
        Index = index;
        Token = token;
        UsesFence = usesFence;
        Slots = region.SlotsAt(index);
    }

    /// <summary>A full fence goes between setting a guard and loading the location.</summary>
    public bool UsesFence { get; }

    public int Index { get; }

    public SessionToken Token { get; }

    /// <summary>The slots of this session.</summary>
    public GuardSlot* Slots { get; }

    /// <summary>Locks the session file and registers this process for the barrier.</summary>
    /// <exception cref="PoolNotConnectedException">The daemon has given the session up meanwhile: ask for another.</exception>
    public static ClientSession Open(Region region, int index, SessionToken token, string lockPath, bool forceFence = false)
    {
        if ((uint)(index - 1) >= (uint)(region.Layout.SessionCount - 1))
            throw new PoolMismatchException($"The daemon gave out session record {index}, the region {region.Path} has 1 to {region.Layout.SessionCount - 1}.");
        var file = SystemCalls.FileDescriptor.TryOpen(lockPath, true, false, out var errno)
            ?? throw (errno == SystemErrors.NoEntry && Directory.Exists(Path.GetDirectoryName(lockPath)) ? GivenUp(token) : new PoolNotConnectedException($"The session file {lockPath} cannot be opened: {SystemErrors.Describe(errno)}."));
        try
        {
            Lock(file, lockPath);
            var header = region.SessionAt(index);
            if (SystemCalls.LinkCount(file.Number) <= 0 || header->Token != token.Value)
                throw GivenUp(token);
            if (!region.TryPin(out var pin))
                throw new PoolClosedException("The pool object was disposed.");
            // Before the first guard: from here on the daemon's barrier orders this process, or the process does it itself.
            var usesFence = forceFence || region.SessionAt(0)->UsesFence != 0 || !MemoryBarrierCalls.TryRegister();
            Volatile.Write(ref header->UsesFence, usesFence ? 1u : 0u);
            Volatile.Write(ref header->State, (uint)SessionSlotState.Active);
            return new ClientSession(region, pin, file, index, token, usesFence);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static PoolNotConnectedException GivenUp(SessionToken token) => new($"The daemon has given up session {token}, whose client came too late: connect again.");

    /// <summary>A slot of one's own; false if all are taken (then wait for one: more threads than slots share).</summary>
    public bool TryAcquireSlot(out int index)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_free.TryPop(out index))
                return true;
            if (_used < _region.Layout.SlotsPerSession)
            {
                index = _used++;
                // Before the slot's first use: the daemon looks no further than this.
                Volatile.Write(ref _region.SessionAt(Index)->SlotsUsed, (uint)_used);
                return true;
            }

            return TryTakeCleared(out index);
        }
    }

    /// <summary>Gives back a clear slot.</summary>
    public void ReleaseSlot(int index)
    {
        Debug.Assert(Slots[index].Page == 0, "A slot is given back clear.");
        lock (_lock)
            _free.Push(index);
    }

    /// <summary>Gives up a slot whose remote operation may still run: it comes back by itself once the daemon has cleared it.</summary>
    public void RetireSlot(int index)
    {
        lock (_lock)
            _retired.Add(index);
        // Last: the daemon may clear the slot from here on.
        Volatile.Write(ref Slots[index].Retired, 1);
    }

    /// <summary>Step 1 of an access, out of line: the guard, ordered before every load that follows.</summary>
    public void Enter(int slot, PageId page, ulong connection = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)_region.Layout.SlotsPerSession, nameof(slot));
        Volatile.Write(ref Slots[slot].Connection, connection);
        Volatile.Write(ref Slots[slot].Page, page.Value);
        if (UsesFence)
            Interlocked.MemoryBarrier();
    }

    /// <summary>The end of an access: what was done under the guard comes before.</summary>
    public void Leave(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)_region.Layout.SlotsPerSession, nameof(slot));
        Volatile.Write(ref Slots[slot].Page, 0);
        Volatile.Write(ref Slots[slot].Connection, 0);
    }

    /// <summary>Retired slots that the daemon has not cleared yet.</summary>
    public int RetiredSlots
    {
        get
        {
            lock (_lock)
                return _retired.Count(slot => Volatile.Read(ref Slots[slot].Retired) != 0);
        }
    }

    private bool TryTakeCleared(out int index)
    {
        for (var i = 0; i < _retired.Count; i++)
        {
            index = _retired[i];
            if (Volatile.Read(ref Slots[index].Retired) != 0)
                continue;
            _retired.RemoveAt(i);
            return true;
        }

        index = -1;
        return false;
    }

    private static void Lock(SystemCalls.FileDescriptor file, string path)
    {
        // The daemon's own probe may hold it for a moment.
        var started = Stopwatch.GetTimestamp();
        while (SystemCalls.TryLock(file.Number) < 0)
        {
            if (Stopwatch.GetElapsedTime(started) > LockWait)
                throw new PoolNotConnectedException($"The session file {path} is locked by another process.");
            Thread.Sleep(1);
        }
    }

    /// <summary>Gives up the lock: the daemon will find the session ended.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
        }

        // The memory first, then the lock: who gets the lock relies on nobody being here.
        _pin.Dispose();
        _file.Dispose();
    }
}
