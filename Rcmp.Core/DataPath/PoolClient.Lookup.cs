using System.Runtime.CompilerServices;
using Rcmp.Fabric;
using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>The lookup for everything that is not a plain rack hit: first use by a thread, fence mode, shared slots, entries off their natural place.</summary>
internal sealed unsafe partial class PoolClient
{
    private const int SharedTriesMax = 256;

    /// <summary>The guard of the thread in the client that it used last.</summary>
    [ThreadStatic]
    private static ThreadGuard? t_guard;

    /// <summary>All guards of this thread, one per client that it has used.</summary>
    [ThreadStatic]
    private static List<ThreadGuard>? t_guards;

    /// <summary>How often this thread had to share: now and then it asks again for a slot of its own.</summary>
    [ThreadStatic]
    private static int t_sharedTries;

    private bool IsFenced => (_mode & ModeFence) != 0;

    private bool IsRdmaOnly => (_mode & ModeRdmaOnly) != 0;

    /// <summary>Looks the page up under a guard, and does the access if the page is here. Called between <see cref="EnterSlow"/> and <see cref="ExitSlow"/>.</summary>
    internal LookupResult TryAccess(ref PageAccess access)
    {
        var slot = AttachThread();
        var shared = slot == null;
        if (shared)
            slot = _slots.EnterShared();
        try
        {
            var page = access.Address >> _pageShift;
            SetGuard(slot, page);
            var word = LoadLocation(page, out access.Entry);
            if (word.Kind != LocationKind.Resident)
                return Classify(word, ref access);
            if (IsRdmaOnly)
            {
                access.LinkSlot = LinkTable.SelfLink;
                return LookupResult.Remote;
            }

            Carry(ref access, FrameBytes(word.Frame) + (access.Address & _pageMask));
            CountHit(slot, access.Entry);
            access.State = AccessState.Done;
            return LookupResult.Done;
        }
        finally
        {
            // Release: see Exit.
            Volatile.Write(ref slot->Page, 0);
            if (shared)
                _slots.ExitShared();
        }
    }

    private byte* FrameBytes(FrameIndex frame)
    {
        // The table is the daemon's; a frame outside the region is damage, and must not become a stray access.
        if (frame.Value >= _frameCount)
            throw new PoolException($"The page table of {_grant.RegionPath} names frame {frame} of {_frameCount}: run 'rcmp region check {_grant.RegionPath}'.");
        return _frames + ((long)frame.Value << _pageShift);
    }

    /// <summary>Stores a guard such that every later load of this thread comes after it, as far as movers can tell.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void SetGuard(GuardSlot* slot, ulong page)
    {
        // Release: Connection was stored before. For what orders the loads behind it, see TryEnter.
        Volatile.Write(ref slot->Page, page);
        if (IsFenced)
            Interlocked.MemoryBarrier();
    }

    /// <summary>The location, read under a guard that names the page; moving if the entry changes hands right now.</summary>
    internal Location LoadLocation(ulong page, out long entry)
    {
        entry = PageTable.Find(_table, _tableMask, page);
        if (entry < 0)
            return Location.Absent;
        var word = new Location(Volatile.Read(ref _table[entry].Location));
        // Key, location, key: see TryEnter.
        return Volatile.Read(ref _table[entry].Page) == page ? word : Location.Moving;
    }

    private static LookupResult Classify(Location word, ref PageAccess access)
    {
        if (word.Kind == LocationKind.Moving)
            return LookupResult.Moving;
        if (word.Kind != LocationKind.Remote)
            return LookupResult.Absent;
        access.LinkSlot = word.LinkSlot;
        return LookupResult.Remote;
    }

    private static void Carry(ref PageAccess access, byte* at)
    {
        ref var word = ref *(ulong*)at;
        switch (access.Op)
        {
            case FabricOp.Read when access.Length == sizeof(ulong) && ((nuint)at & (sizeof(ulong) - 1)) == 0:
                Unsafe.WriteUnaligned(access.Buffer, Volatile.Read(ref word));
                break;
            case FabricOp.Write when access.Length == sizeof(ulong) && ((nuint)at & (sizeof(ulong) - 1)) == 0:
                Volatile.Write(ref word, Unsafe.ReadUnaligned<ulong>(access.Buffer));
                break;
            case FabricOp.Read:
                WordCopy.FromFrame(ref *access.Buffer, at, access.Length);
                break;
            case FabricOp.Write:
                WordCopy.ToFrame(at, ref *access.Buffer, access.Length);
                break;
            case FabricOp.Exchange:
                access.Result = Interlocked.Exchange(ref word, access.Operand);
                break;
            case FabricOp.CompareExchange:
                access.Result = Interlocked.CompareExchange(ref word, access.Operand, access.Comparand);
                break;
            case FabricOp.FetchAdd:
                access.Result = unchecked(Interlocked.Add(ref word, access.Operand) - access.Operand);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(access), access.Op, "Not a client's operation.");
        }
    }

    private void CountHit(GuardSlot* slot, long entry)
    {
        var hits = slot->Hits + 1;
        slot->Hits = hits;
        if ((hits & (CountEvery - 1)) == 0)
            CountSampled(entry);
    }

    /// <summary>The heat of a remote page: counted each time, since a move is decided by it.</summary>
    internal void CountHeat(in PageAccess access, long ns)
    {
        if (access.Entry < 0)
            return;
        if (_references[access.Entry] == 0)
            _references[access.Entry] = 1;
        ref var counter = ref _counters[access.Entry];
        counter.Accesses++;
        counter.RemoteTime += (uint)((ns + 32) >> 6);
    }

    /// <summary>Lets the next hits from this page of stack find the thread's slot, if it has one. Called between <see cref="EnterSlow"/> and <see cref="ExitSlow"/>.</summary>
    private void LearnStack(ulong stackPage)
    {
        if (StackSlots.OffsetOf(_stackWords, stackPage) <= StackSlots.OffsetMax)
            return;
        var slot = AttachThread();
        if (slot != null)
            _stackSlots.Learn(stackPage, (int)(slot - _guards));
    }

    /// <summary>This thread's slot in this client, or null if it has to share one.</summary>
    private GuardSlot* AttachThread()
    {
        if (t_guard is { } last && last.Client == this)
            return last.Slot;
        foreach (var guard in t_guards ??= [])
        {
            if (guard.Client != this)
                continue;
            t_guard = guard;
            return guard.Slot;
        }

        if (t_sharedTries > 0)
        {
            t_sharedTries--;
            return null;
        }

        var slot = _slots.TryTakeForThread();
        if (slot == null)
        {
            t_sharedTries = SharedTriesMax;
            return null;
        }

        t_guards.RemoveAll(static guard => guard.Client.State == PoolState.Closed);
        t_guard = new ThreadGuard(this, slot);
        t_guards.Add(t_guard);
        return slot;
    }
}
