using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Rcmp.DataPath;

/// <summary>Copies between a frame and private memory so that an aligned 8-byte word of the frame inside the range is loaded or stored as a whole. Buffer copies
/// overlap their last vectors and may use byte-wise string moves, where a word could be seen half old, half new without need.</summary>
internal static unsafe class WordCopy
{
    /// <summary>A cache line.</summary>
    public const int LineBytes = 64;

    private const nuint WordMask = sizeof(ulong) - 1;
    private const nuint VectorBytes = 32;
    private const nuint BlockBytes = 4 * VectorBytes;

    /// <summary>Shorter copies gain less by aligned stores than it costs to get there.</summary>
    private const nuint AlignedFrom = 256;

    /// <summary>Shorter ones are more often in the first cache, where the hints cost more than they save.</summary>
    private const nuint FetchedFrom = 4096;
    private const nuint FetchedAhead = 512;

    /// <summary>From a frame; <paramref name="frame"/> decides how words are aligned.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FromFrame(ref byte destination, byte* frame, nuint length)
    {
        // The commonest payload is one cache line; two loads and two stores, no loop.
        if (length == LineBytes && ((nuint)frame & WordMask) == 0)
            Copy64(ref destination, ref *frame);
        else
            Copy(ref destination, ref *frame, (nuint)frame, length);
    }

    /// <summary>Into a frame; <paramref name="frame"/> decides how words are aligned.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ToFrame(byte* frame, ref byte source, nuint length)
    {
        if (length == LineBytes && ((nuint)frame & WordMask) == 0)
            Copy64(ref *frame, ref source);
        else
            Copy(ref *frame, ref source, (nuint)frame, length);
    }

    /// <summary><see cref="LineBytes"/> bytes; the frame's side is aligned to words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy64(ref byte destination, ref byte source)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Vector512.LoadUnsafe(ref source).StoreUnsafe(ref destination);
            return;
        }

        var low = Vector256.LoadUnsafe(ref source);
        var high = Vector256.LoadUnsafe(ref source, 32);
        low.StoreUnsafe(ref destination);
        high.StoreUnsafe(ref destination, 32);
    }

    /// <summary>Head bytes up to the frame's first whole word, whole words (vectors of them), tail bytes. No byte twice: a word written again could undo another client's atomic.</summary>
    /// <remarks>Optimized when it first runs: as the quick code that methods begin with, its loops take five to ten times as long, and a page is copied often before that is replaced.</remarks>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Copy(ref byte destination, ref byte source, nuint frame, nuint length)
    {
        var head = nuint.Min((0 - frame) & WordMask, length);
        nuint i = 0;
        for (; i < head; i++)
            Unsafe.Add(ref destination, i) = Unsafe.Add(ref source, i);
        if (length >= AlignedFrom)
        {
            // Stores that straddle cache lines cost most, so whole vectors begin where they do not: 62 ns instead of 75 to 100 for a page. The collector may move an array
            // meanwhile, which makes it slower, not wrong.
            var words = (0 - (nuint)Unsafe.AsPointer(ref Unsafe.Add(ref destination, i))) & (VectorBytes - 1);
            for (words += i; i < words; i += sizeof(ulong))
                CopyWord(ref destination, ref source, i);
        }

        // The processor's own prefetcher begins anew at every page; this one runs on into the next, which is worth a tenth of a range that no first cache holds.
        if (length >= FetchedFrom && Sse.IsSupported)
        {
            for (; i + BlockBytes <= length; i += BlockBytes)
            {
                // Past the end of either mapping too: a hint does not fault, nor does it matter if the collector moves the array.
                var ahead = (byte*)Unsafe.AsPointer(ref Unsafe.Add(ref source, i + FetchedAhead));
                Sse.Prefetch0(ahead);
                Sse.Prefetch0(ahead + LineBytes);
                CopyBlock(ref destination, ref source, i);
            }
        }

        for (; i + BlockBytes <= length; i += BlockBytes)
            CopyBlock(ref destination, ref source, i);
        for (; i + VectorBytes <= length; i += VectorBytes)
            Vector256.LoadUnsafe(ref source, i).StoreUnsafe(ref destination, i);
        for (; i + sizeof(ulong) <= length; i += sizeof(ulong))
            CopyWord(ref destination, ref source, i);
        for (; i < length; i++)
            Unsafe.Add(ref destination, i) = Unsafe.Add(ref source, i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyBlock(ref byte destination, ref byte source, nuint at)
    {
        var a = Vector256.LoadUnsafe(ref source, at);
        var b = Vector256.LoadUnsafe(ref source, at + VectorBytes);
        var c = Vector256.LoadUnsafe(ref source, at + 2 * VectorBytes);
        var d = Vector256.LoadUnsafe(ref source, at + 3 * VectorBytes);
        a.StoreUnsafe(ref destination, at);
        b.StoreUnsafe(ref destination, at + VectorBytes);
        c.StoreUnsafe(ref destination, at + 2 * VectorBytes);
        d.StoreUnsafe(ref destination, at + 3 * VectorBytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyWord(ref byte destination, ref byte source, nuint at) =>
        Unsafe.WriteUnaligned(ref Unsafe.Add(ref destination, at), Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref source, at)));
}
