using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>Rack hits: the page is in the rack, the thread has its guard slot. No allocation, lock, call or message. Everything else goes to the slow way, which starts
/// over, so these methods may give up anywhere before the copy.</summary>
internal sealed unsafe partial class PoolClient
{
    private const ulong CountEvery = 64;

    public void Read(GAddr address, Span<byte> destination)
    {
        // A cache line, the commonest payload: in one page, no loop, no call.
        if (IsLine(address, destination.Length))
        {
            var unknownStack = 0UL;
            if (TryEnter(address, out var line, out var slot, ref unknownStack))
            {
                WordCopy.Copy64(ref MemoryMarshal.GetReference(destination), ref *line);
                Exit(slot, address);
                return;
            }

            ReadSlow(address, destination, unknownStack);
        }
        else
        {
            ReadPart(address, destination);
        }
    }

    private void ReadPart(GAddr address, Span<byte> destination)
    {
        var length = (uint)destination.Length;
        var unknownStack = 0UL;
        if (IsInOnePage(address, length) && TryEnter(address, out var bytes, out var slot, ref unknownStack))
        {
            WordCopy.FromFrame(ref MemoryMarshal.GetReference(destination), bytes, length);
            Exit(slot, address);
            return;
        }

        ReadSlow(address, destination, unknownStack);
    }

    public void Write(GAddr address, ReadOnlySpan<byte> source)
    {
        if (IsLine(address, source.Length))
        {
            var unknownStack = 0UL;
            if (TryEnter(address, out var line, out var slot, ref unknownStack))
            {
                WordCopy.Copy64(ref *line, ref MemoryMarshal.GetReference(source));
                Exit(slot, address);
                return;
            }

            WriteSlow(address, source, unknownStack);
        }
        else
        {
            WritePart(address, source);
        }
    }

    private void WritePart(GAddr address, ReadOnlySpan<byte> source)
    {
        var length = (uint)source.Length;
        var unknownStack = 0UL;
        if (IsInOnePage(address, length) && TryEnter(address, out var bytes, out var slot, ref unknownStack))
        {
            WordCopy.ToFrame(bytes, ref MemoryMarshal.GetReference(source), length);
            Exit(slot, address);
            return;
        }

        WriteSlow(address, source, unknownStack);
    }

    public T Read<T>(GAddr address)
        where T : unmanaged
    {
        var unknownStack = 0UL;
        if (((sizeof(T) == sizeof(ulong) && IsWord(address)) || IsInOnePage(address, (uint)sizeof(T))) && TryEnter(address, out var bytes, out var slot, ref unknownStack))
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
        ReadSlow(address, MemoryMarshal.AsBytes(new Span<T>(ref slow)), unknownStack);
        return slow;
    }

    public void Write<T>(GAddr address, in T value)
        where T : unmanaged
    {
        var unknownStack = 0UL;
        if (((sizeof(T) == sizeof(ulong) && IsWord(address)) || IsInOnePage(address, (uint)sizeof(T))) && TryEnter(address, out var bytes, out var slot, ref unknownStack))
        {
            // Release: what the caller wrote before is visible to whoever reads this word.
            if (sizeof(T) == sizeof(ulong) && ((nuint)bytes & (sizeof(ulong) - 1)) == 0)
                Volatile.Write(ref *(ulong*)bytes, Unsafe.As<T, ulong>(ref Unsafe.AsRef(in value)));
            else
                Unsafe.WriteUnaligned(bytes, value);
            Exit(slot, address);
            return;
        }

        WriteSlow(address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)), unknownStack);
    }

    public ulong Exchange(GAddr address, ulong value)
    {
        var unknownStack = 0UL;
        if (IsWord(address) && TryEnter(address, out var bytes, out var slot, ref unknownStack))
        {
            var before = Interlocked.Exchange(ref *(ulong*)bytes, value);
            Exit(slot, address);
            return before;
        }

        return AtomicSlow(Fabric.FabricOp.Exchange, address, value, 0, unknownStack);
    }

    public ulong CompareExchange(GAddr address, ulong value, ulong comparand)
    {
        var unknownStack = 0UL;
        if (IsWord(address) && TryEnter(address, out var bytes, out var slot, ref unknownStack))
        {
            var before = Interlocked.CompareExchange(ref *(ulong*)bytes, value, comparand);
            Exit(slot, address);
            return before;
        }

        return AtomicSlow(Fabric.FabricOp.CompareExchange, address, value, comparand, unknownStack);
    }

    public ulong FetchAdd(GAddr address, ulong delta)
    {
        var unknownStack = 0UL;
        if (IsWord(address) && TryEnter(address, out var bytes, out var slot, ref unknownStack))
        {
            var after = Interlocked.Add(ref *(ulong*)bytes, delta);
            Exit(slot, address);
            return unchecked(after - delta);
        }

        return AtomicSlow(Fabric.FabricOp.FetchAdd, address, delta, 0, unknownStack);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsInOnePage(GAddr address, uint length) =>
        (address.Value & _pageMask) + length <= _pageMask + 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsLine(GAddr address, int length) => length == WordCopy.LineBytes && (address.Value & (WordCopy.LineBytes - 1)) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsWord(GAddr address) => (address.Value & (sizeof(ulong) - 1)) == 0;

    /// <summary>Sets the thread's guard and looks the page up. True, and where the bytes are, if it is here and nothing is in the way; else no guard is set. The
    /// caller then leaves by a call that takes <paramref name="unknownStack"/> along, so that nothing has to outlive a call made here: it would be kept on the stack.</summary>
    /// <param name="address">Nothing is checked but its page.</param>
    /// <param name="bytes">Where the bytes are.</param>
    /// <param name="slot">For <see cref="Exit"/>.</param>
    /// <param name="unknownStack">The page of stack that no slot is known for, or 0.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    [SkipLocalsInit]
    private bool TryEnter(GAddr address, out byte* bytes, out GuardSlot* slot, ref ulong unknownStack)
    {
        Unsafe.SkipInit(out byte local);
        var stackPage = StackSlots.PageOf(&local);
        var index = StackSlots.SlotOf(_stackWords, stackPage);
        if (index > StackSlots.SlotMax)
        {
            bytes = null;
            slot = null;
            unknownStack = stackPage;
            return false;
        }

        var shift = _pageShift;
        var page = address.Value >> shift;
        slot = _guards + (uint)index;
        // The guard must be set before table and location are loaded, or a mover (or Close) that finds no guard would take the page away while its old
        // location is used. Nothing orders a store before a later load on x86 or ARM short of a fence; the mover's membarrier (Close: the process-wide
        // barrier) puts one into this thread when it matters. What is left is to keep the compiler from moving the loads up: they are volatile.
        Volatile.Write(ref slot->Page, page);
        var table = (PageTableEntry*)Volatile.Read(ref _hitTable);
        var at = table + ((page + (page >> 31) * RegionLayout.NaturalSpread) & _hitMask);
        // Acquire: the location is loaded after the key that gives it meaning. The entry does not change hands while a guard names its page, nor while
        // one named it before the key went: the store sees to that before it gives the entry to another page.
        if (Volatile.Read(ref at->Page) == page)
        {
            var location = new Location(Volatile.Read(ref at->Location));
            var frame = (ulong)location.Frame.Value;
            if (location.IsResident && frame < _frameCount)
            {
                bytes = _frames + (frame << shift) + (address.Value & _pageMask);
                return true;
            }
        }

        Volatile.Write(ref slot->Page, 0);
        bytes = null;
        return false;
    }

    /// <summary>Counts the hit and clears the guard.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Exit(GuardSlot* slot, GAddr address)
    {
        var hits = slot->Hits + 1;
        slot->Hits = hits;
        // One hit in 64 speaks for all: looking at the page's reference byte each time would be one more cache miss per hit.
        if ((hits & (CountEvery - 1)) == 0)
            ExitCounting(slot, address);
        else
            // Release: the copy, reads and writes both, is done before anybody sees the guard clear.
            Volatile.Write(ref slot->Page, 0);
    }

    /// <summary>Apart, and last, so that nothing of the hit has to outlive a call: it would be kept on the stack.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ExitCounting(GuardSlot* slot, GAddr address)
    {
        CountSampled(RegionLayout.NaturalEntry(address.Value >> _pageShift, _tableMask));
        // Release: as in Exit. Not before the count, since the guard keeps the counters mapped.
        Volatile.Write(ref slot->Page, 0);
    }

    private void CountSampled(long entry)
    {
        // Written only when clear: else it would dirty a line that all clients of the rack read.
        if (_references[entry] == 0)
            _references[entry] = 1;
        _counters[entry].Accesses += (uint)CountEvery;
    }
}
