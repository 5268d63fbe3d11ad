using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>Rack hits: the page is in the rack, the thread has its guard slot. No allocation, lock, call or message. Everything else goes to the slow way, which starts
/// over, so these methods may give up anywhere before the copy.</summary>
[SkipLocalsInit]
internal sealed unsafe partial class PoolClient
{
    private const ulong CountEvery = 64;

    public void Read(GAddr address, Span<byte> destination)
    {
        StackProbe probe;
        // A cache line, the commonest payload: in one page, no loop, no call.
        if (IsLine(address, destination.Length))
        {
            if (TryEnter(address, out var line, out var slot, &probe))
            {
                WordCopy.Copy64(ref MemoryMarshal.GetReference(destination), ref *line);
                Exit(slot, address);
                return;
            }

            ReadSlow(address, destination, StackSlots.PageOf(&probe));
        }
        else if (destination.Length == sizeof(ulong))
        {
            ReadWord(address, destination);
        }
        else
        {
            ReadPart(address, destination);
        }
    }

    /// <summary>Eight bytes, which a general copy would look at from all sides. Apart, or the cache line's way would have to make room for it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReadWord(GAddr address, Span<byte> destination) => Unsafe.WriteUnaligned(ref MemoryMarshal.GetReference(destination), Read<ulong>(address));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReadPart(GAddr address, Span<byte> destination)
    {
        var length = (uint)destination.Length;
        if (!IsInOnePage(address, length))
        {
            ReadRange(address, destination);
            return;
        }

        StackProbe probe;
        if (TryEnter(address, out var bytes, out var slot, &probe))
        {
            WordCopy.FromFrame(ref MemoryMarshal.GetReference(destination), bytes, length);
            Exit(slot, address);
            return;
        }

        ReadSlow(address, destination, StackSlots.PageOf(&probe));
    }

    public void Write(GAddr address, ReadOnlySpan<byte> source)
    {
        StackProbe probe;
        if (IsLine(address, source.Length))
        {
            if (TryEnter(address, out var line, out var slot, &probe))
            {
                WordCopy.Copy64(ref *line, ref MemoryMarshal.GetReference(source));
                Exit(slot, address);
                return;
            }

            WriteSlow(address, source, StackSlots.PageOf(&probe));
        }
        else if (source.Length == sizeof(ulong))
        {
            WriteWord(address, source);
        }
        else
        {
            WritePart(address, source);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void WriteWord(GAddr address, ReadOnlySpan<byte> source) => Write(address, Unsafe.ReadUnaligned<ulong>(ref MemoryMarshal.GetReference(source)));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void WritePart(GAddr address, ReadOnlySpan<byte> source)
    {
        var length = (uint)source.Length;
        if (!IsInOnePage(address, length))
        {
            WriteRange(address, source);
            return;
        }

        StackProbe probe;
        if (TryEnter(address, out var bytes, out var slot, &probe))
        {
            WordCopy.ToFrame(bytes, ref MemoryMarshal.GetReference(source), length);
            Exit(slot, address);
            return;
        }

        WriteSlow(address, source, StackSlots.PageOf(&probe));
    }

    public T Read<T>(GAddr address)
        where T : unmanaged
    {
        StackProbe probe;
        if (((sizeof(T) == sizeof(ulong) && IsWord(address)) || IsInOnePage(address, (uint)sizeof(T))) && TryEnter(address, out var bytes, out var slot, &probe))
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

            Exit(slot, address);
            return value;
        }

        Unsafe.SkipInit(out T slow);
        ReadSlow(address, MemoryMarshal.AsBytes(new Span<T>(ref slow)), StackSlots.PageOf(&probe));
        return slow;
    }

    public void Write<T>(GAddr address, in T value)
        where T : unmanaged
    {
        StackProbe probe;
        if (((sizeof(T) == sizeof(ulong) && IsWord(address)) || IsInOnePage(address, (uint)sizeof(T))) && TryEnter(address, out var bytes, out var slot, &probe))
        {
            // Release: what the caller wrote before is visible to whoever reads this word.
            if (sizeof(T) == sizeof(ulong) && ((nuint)bytes & (sizeof(ulong) - 1)) == 0)
                Volatile.Write(ref *(ulong*)bytes, Unsafe.As<T, ulong>(ref Unsafe.AsRef(in value)));
            else
                Unsafe.WriteUnaligned(bytes, value);
            Exit(slot, address);
            return;
        }

        WriteSlow(address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)), StackSlots.PageOf(&probe));
    }

    public ulong Exchange(GAddr address, ulong value)
    {
        StackProbe probe;
        if (IsWord(address) && TryEnter(address, out var bytes, out var slot, &probe))
        {
            var before = Interlocked.Exchange(ref *(ulong*)bytes, value);
            Exit(slot, address);
            return before;
        }

        return AtomicSlow(Fabric.FabricOp.Exchange, address, value, 0, StackSlots.PageOf(&probe));
    }

    public ulong CompareExchange(GAddr address, ulong value, ulong comparand)
    {
        StackProbe probe;
        if (IsWord(address) && TryEnter(address, out var bytes, out var slot, &probe))
        {
            var before = Interlocked.CompareExchange(ref *(ulong*)bytes, value, comparand);
            Exit(slot, address);
            return before;
        }

        return AtomicSlow(Fabric.FabricOp.CompareExchange, address, value, comparand, StackSlots.PageOf(&probe));
    }

    public ulong FetchAdd(GAddr address, ulong delta)
    {
        StackProbe probe;
        if (IsWord(address) && TryEnter(address, out var bytes, out var slot, &probe))
        {
            var after = Interlocked.Add(ref *(ulong*)bytes, delta);
            Exit(slot, address);
            return unchecked(after - delta);
        }

        return AtomicSlow(Fabric.FabricOp.FetchAdd, address, delta, 0, StackSlots.PageOf(&probe));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsInOnePage(GAddr address, uint length) =>
        (address.Value & _pageMask) + length <= _pageSize;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsLine(GAddr address, int length) => length == WordCopy.LineBytes && (address.Value & (WordCopy.LineBytes - 1)) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsWord(GAddr address) => (address.Value & (sizeof(ulong) - 1)) == 0;

    /// <summary>Sets the thread's guard and looks the page up. True, and where the bytes are, if it is here and nothing is in the way; else no guard is set. The
    /// caller then leaves by a call, so that nothing has to outlive one made here: it would be kept on the stack.</summary>
    /// <param name="address">Nothing is checked but its page.</param>
    /// <param name="bytes">Where the bytes are.</param>
    /// <param name="slot">For <see cref="Exit"/>.</param>
    /// <param name="probe">In the caller's frame: where it is tells the thread.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryEnter(GAddr address, out byte* bytes, out GuardSlot* slot, StackProbe* probe)
    {
        bytes = null;
        slot = null;
        var slotOffset = StackSlots.OffsetOf(_stackWords, StackSlots.PageOf(probe));
        if (slotOffset > StackSlots.OffsetMax)
            return false;

        var page = address.Value >> _pageShift;
        slot = (GuardSlot*)((byte*)_guards + slotOffset);
        // The guard must be set before table and word are loaded, or a mover (or Close) that finds no guard would take the page away while its old
        // location is used. Nothing orders a store before a later load on x86 or ARM short of a fence; the mover's membarrier (Close: the process-wide
        // barrier) puts one into this thread when it matters. What is left is to keep the compiler from moving the loads up: they are volatile.
        Volatile.Write(ref slot->Page, page);
        var mask = _hitMask;
        var table = (ulong*)Volatile.Read(ref _hitTable);
        // One load says page and frame: there is no order of two to keep.
        var match = HitWord.Match(Volatile.Read(ref table[(page + (page >> 31) * RegionLayout.NaturalSpread) & mask]), page, mask);
        if (match < _frameEnd)
        {
            // The frame's start and the offset in the page, with fewer instructions: the sign and the page's own bits fall out on top.
            bytes = _frames + unchecked(((ulong)match - page) * _pageSize + address.Value);
            return true;
        }

        Volatile.Write(ref slot->Page, 0);
        return false;
    }

    /// <summary>Counts the hit and clears the guard.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Exit(GuardSlot* slot, GAddr address)
    {
        var hits = slot->Hits + 1;
        // One hit in 64 speaks for all: looking at the page's reference byte each time would be one more cache miss per hit.
        if ((hits & (CountEvery - 1)) == 0)
            ExitCounting(slot, address);
        else
            Leave(slot, hits);
    }

    /// <summary>Clears the guard and keeps the count, in one store: how many stores a hit has decides how many hits the processor has under way, since each waits in
    /// the store queue until the misses before it are done.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Leave(GuardSlot* slot, ulong hits)
    {
        // Release: the copy, reads and writes both, is done before anybody sees the guard clear. Nothing on x86 but a fence for the compiler.
        Volatile.ReadBarrier();
        Volatile.WriteBarrier();
        Vector128.CreateScalar(hits).StoreAligned(&slot->Hits);
    }

    /// <summary>Apart, and last, so that nothing of the hit has to outlive a call: it would be kept on the stack.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ExitCounting(GuardSlot* slot, GAddr address)
    {
        CountSampled(RegionLayout.NaturalEntry(address.Value >> _pageShift, _tableMask));
        // Not before the count, since the guard keeps the counters mapped.
        Leave(slot, slot->Hits + 1);
    }

    private void CountSampled(long entry)
    {
        // Written only when clear: else it would dirty a line that all clients of the rack read.
        if (_references[entry] == 0)
            _references[entry] = 1;
        _counters[entry].Accesses += (uint)CountEvery;
    }
}
