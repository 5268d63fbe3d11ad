using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>Rack hits: the page is in the rack, the thread has its guard slot. No allocation, lock, call or message. Everything else goes to the slow way, which starts
/// over, so these methods may give up anywhere before the copy.</summary>
internal sealed unsafe partial class PoolClient
{
    private const ulong CountEvery = 64;

    /// <summary>The guard of the thread in the client that it used last.</summary>
    [ThreadStatic]
    private static ThreadGuard? t_guard;

    public void Read(GAddr address, Span<byte> destination)
    {
        var length = (uint)destination.Length;
        if (IsInOnePage(address, length))
        {
            var bytes = TryEnter(address, out var slot, out var entry);
            if (bytes != null)
            {
                WordCopy.FromFrame(ref MemoryMarshal.GetReference(destination), bytes, length);
                Exit(slot, entry);
                return;
            }
        }

        ReadSlow(address, destination);
    }

    public void Write(GAddr address, ReadOnlySpan<byte> source)
    {
        var length = (uint)source.Length;
        if (IsInOnePage(address, length))
        {
            var bytes = TryEnter(address, out var slot, out var entry);
            if (bytes != null)
            {
                WordCopy.ToFrame(bytes, ref MemoryMarshal.GetReference(source), length);
                Exit(slot, entry);
                return;
            }
        }

        WriteSlow(address, source);
    }

    public T Read<T>(GAddr address)
        where T : unmanaged
    {
        if (IsInOnePage(address, (uint)sizeof(T)))
        {
            var bytes = TryEnter(address, out var slot, out var entry);
            if (bytes != null)
            {
                T value;
                if (sizeof(T) == sizeof(ulong) && ((nuint)bytes & (sizeof(ulong) - 1)) == 0)
                {
                    // Acquire: what the caller reads later is not older than this word.
                    var word = Volatile.Read(ref *(ulong*)bytes);
                    value = Unsafe.As<ulong, T>(ref word);
                }
                else
                {
                    value = Unsafe.ReadUnaligned<T>(bytes);
                }

                Exit(slot, entry);
                return value;
            }
        }

        Unsafe.SkipInit(out T slow);
        ReadSlow(address, MemoryMarshal.AsBytes(new Span<T>(ref slow)));
        return slow;
    }

    public void Write<T>(GAddr address, in T value)
        where T : unmanaged
    {
        if (IsInOnePage(address, (uint)sizeof(T)))
        {
            var bytes = TryEnter(address, out var slot, out var entry);
            if (bytes != null)
            {
                // Release: what the caller wrote before is visible to whoever reads this word.
                if (sizeof(T) == sizeof(ulong) && ((nuint)bytes & (sizeof(ulong) - 1)) == 0)
                    Volatile.Write(ref *(ulong*)bytes, Unsafe.As<T, ulong>(ref Unsafe.AsRef(in value)));
                else
                    Unsafe.WriteUnaligned(bytes, value);
                Exit(slot, entry);
                return;
            }
        }

        WriteSlow(address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
    }

    public ulong Exchange(GAddr address, ulong value)
    {
        if (IsWord(address))
        {
            var bytes = TryEnter(address, out var slot, out var entry);
            if (bytes != null)
            {
                var before = Interlocked.Exchange(ref *(ulong*)bytes, value);
                Exit(slot, entry);
                return before;
            }
        }

        return AtomicSlow(Fabric.FabricOp.Exchange, address, value, 0);
    }

    public ulong CompareExchange(GAddr address, ulong value, ulong comparand)
    {
        if (IsWord(address))
        {
            var bytes = TryEnter(address, out var slot, out var entry);
            if (bytes != null)
            {
                var before = Interlocked.CompareExchange(ref *(ulong*)bytes, value, comparand);
                Exit(slot, entry);
                return before;
            }
        }

        return AtomicSlow(Fabric.FabricOp.CompareExchange, address, value, comparand);
    }

    public ulong FetchAdd(GAddr address, ulong delta)
    {
        if (IsWord(address))
        {
            var bytes = TryEnter(address, out var slot, out var entry);
            if (bytes != null)
            {
                var after = Interlocked.Add(ref *(ulong*)bytes, delta);
                Exit(slot, entry);
                return unchecked(after - delta);
            }
        }

        return AtomicSlow(Fabric.FabricOp.FetchAdd, address, delta, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsInOnePage(GAddr address, uint length) =>
        (address.Value & _pageMask) + length <= _pageMask + 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsWord(GAddr address) => (address.Value & (sizeof(ulong) - 1)) == 0;

    /// <summary>Sets the thread's guard and looks the page up. The bytes if it is here and nothing is in the way; else null, and no guard is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte* TryEnter(GAddr address, out GuardSlot* slot, out long entry)
    {
        var guard = t_guard;
        if (guard is null || guard.Client != this)
        {
            slot = null;
            entry = 0;
            return null;
        }

        var page = address.Value >> _pageShift;
        slot = guard.Slot;
        // The guard must be set before mode and location are loaded, or a mover (or Close) that finds no guard would take the page away while its old
        // location is used. Nothing orders a store before a later load on x86 or ARM short of a fence; the mover's membarrier (Close: the process-wide
        // barrier) puts one into this thread when it matters. What is left is to keep the compiler from moving the loads up: they are volatile.
        Volatile.Write(ref slot->Page, page);
        entry = RegionLayout.NaturalEntry(page, _tableMask);
        if (Volatile.Read(ref _mode) == 0)
        {
            var at = _table + entry;
            // Acquire: the location is loaded after the key that gives it meaning. The entry does not change hands while a guard names its page, nor while
            // one named it before the key went: the store sees to that before it gives the entry to another page.
            if (Volatile.Read(ref at->Page) == page)
            {
                var location = new Location(Volatile.Read(ref at->Location));
                if (location.Kind == LocationKind.Resident && location.Frame.Value < _frameCount)
                    return _frames + ((long)location.Frame.Value << _pageShift) + (address.Value & _pageMask);
            }
        }

        Volatile.Write(ref slot->Page, 0);
        return null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void CountSampled(long entry)
    {
        // Written only when clear: else it would dirty a line that all clients of the rack read.
        if (_references[entry] == 0)
            _references[entry] = 1;
        _counters[entry].Accesses += (uint)CountEvery;
    }

    /// <summary>Counts the hit and clears the guard.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Exit(GuardSlot* slot, long entry)
    {
        var hits = slot->Hits + 1;
        slot->Hits = hits;
        // One hit in 64 speaks for all: looking at the page's reference byte each time would be one more cache miss per hit.
        if ((hits & (CountEvery - 1)) == 0)
            CountSampled(entry);
        // Release: the copy, reads and writes both, is done before anybody sees the guard clear.
        Volatile.Write(ref slot->Page, 0);
    }
}
