using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rcmp.Native;
using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>Finds a thread's own guard slot by the page of stack that it runs on.</summary>
/// <remarks>A thread static in a library costs a call and some fifteen loads, a third of a rack hit. A page of stack belongs to one thread, so its address tells
/// threads apart as well, for one load. A word holds such a page and the index of the slot of the thread whose stack it is; only that thread puts it there. It goes before
/// the stack can become another thread's: the ending thread clears its words (native/threads.c). Two pages that fall on one word replace each other, which is
/// slow, not wrong.</remarks>
internal sealed unsafe class StackSlots : IDisposable
{
    /// <summary>The highest index of a slot that fits a word.</summary>
    public const int SlotMax = 0xFFFF;

    /// <summary>What <see cref="OffsetOf"/> stays within if it knows the thread.</summary>
    public const ulong OffsetMax = (ulong)SlotMax * RegionLayout.SlotBytes;

    private const int PageShift = 12;
    // The slot is kept as its offset from the first one: a hit would have to multiply.
    private const int OffsetBits = 22;
    // Stacks lie a power of two apart: low bits of the page alone would put all threads on the same words.
    private const uint Spread = 0x9E3779B1;
    private const int IndexBits = 10;

    [ThreadStatic]
    private static (ulong Low, ulong High) t_stack;

    // Pinned: ending threads clear words from native code.
    private readonly ulong[] _words = GC.AllocateArray<ulong>(1 << IndexBits, pinned: true);
    private bool _watched;

    public StackSlots()
    {
        // Without the watch there must be no words; threads then find their slots the long way.
        _watched = ThreadStacks.Watch(Words, _words.Length) == 0;
    }

    ~StackSlots() => Unwatch();

    /// <summary>For <see cref="OffsetOf"/>, which a hit calls without touching this object. Valid as long as it is referenced, disposed or not.</summary>
    public ulong* Words => (ulong*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_words));

    /// <summary>The page of stack at this address of a local variable.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong PageOf(void* local) => (ulong)local >> PageShift;

    /// <summary>The slot of the thread on this page, in bytes from the first slot; above <see cref="OffsetMax"/> if it is not known.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong OffsetOf(ulong* words, ulong page) => Volatile.Read(ref words[IndexOf(page)]) ^ (page << OffsetBits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nuint IndexOf(ulong page) => (uint)page * Spread >> (32 - IndexBits);

    private static ulong BytesBefore(int slot) => (ulong)slot * RegionLayout.SlotBytes;

    /// <summary>The current thread, which owns this slot, runs on this page.</summary>
    public void Learn(ulong page, int slot)
    {
        if (!_watched || (uint)slot > SlotMax || page >> (64 - OffsetBits - 1) != 0)
            return;
        if (t_stack.High == 0 && ThreadStacks.Announce(out t_stack.Low, out t_stack.High) != 0)
            return;
        // Whole pages of the thread's own stack alone: what runs elsewhere (a fiber's stack) may go on in another thread.
        var start = page << PageShift;
        if (start >= t_stack.Low && start + (1UL << PageShift) <= t_stack.High)
            Volatile.Write(ref _words[IndexOf(page)], (page << OffsetBits) | BytesBefore(slot));
    }

    /// <summary>The slot of the thread that calls, as a hit at this depth of its stack would find it; null if it is not known there. For tests.</summary>
    /// <param name="learn">Learnt before, unless it is negative.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public int? Here(int learn = -1)
    {
        byte local;
        var page = PageOf(&local);
        if (learn >= 0)
            Learn(page, learn);
        var offset = OffsetOf(Words, page);
        return offset > OffsetMax ? null : (int)(offset / RegionLayout.SlotBytes);
    }

    /// <summary>Whether a word still names the slot: its thread has not ended altogether.</summary>
    public bool Names(int slot)
    {
        foreach (ref var word in _words.AsSpan())
        {
            var value = Volatile.Read(ref word);
            if (value != 0 && (value & ((1UL << OffsetBits) - 1)) == BytesBefore(slot))
                return true;
        }

        return false;
    }

    /// <summary>No words are learnt any more; those that are there may be read for ever.</summary>
    public void Dispose()
    {
        Unwatch();
        GC.SuppressFinalize(this);
    }

    private void Unwatch()
    {
        if (!_watched)
            return;
        _watched = false;
        ThreadStacks.Unwatch(Words);
    }
}

/// <summary>A local variable of whoever hits: its address is looked at alone. As large as makes the compiler reserve room for it without a store.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
internal struct StackProbe;
