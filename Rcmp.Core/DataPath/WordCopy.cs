using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Rcmp.DataPath;

/// <summary>Copies between a frame and private memory so that an aligned 8-byte word of the frame inside the range is loaded or stored as a whole. Buffer copies
/// overlap their last vectors and may use byte-wise string moves, where a word could be seen half old, half new without need.</summary>
internal static unsafe class WordCopy
{
    /// <summary>A cache line.</summary>
    public const int LineBytes = 64;

    private const nuint WordMask = sizeof(ulong) - 1;
    private const nuint VectorBytes = 32;

    /// <summary>Shorter copies gain less by aligned stores than it costs to get there.</summary>
    private const nuint AlignedFrom = 256;

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

        for (; i + 4 * VectorBytes <= length; i += 4 * VectorBytes)
        {
            var a = Vector256.LoadUnsafe(ref source, i);
            var b = Vector256.LoadUnsafe(ref source, i + VectorBytes);
            var c = Vector256.LoadUnsafe(ref source, i + 2 * VectorBytes);
            var d = Vector256.LoadUnsafe(ref source, i + 3 * VectorBytes);
            a.StoreUnsafe(ref destination, i);
            b.StoreUnsafe(ref destination, i + VectorBytes);
            c.StoreUnsafe(ref destination, i + 2 * VectorBytes);
            d.StoreUnsafe(ref destination, i + 3 * VectorBytes);
        }

        for (; i + VectorBytes <= length; i += VectorBytes)
            Vector256.LoadUnsafe(ref source, i).StoreUnsafe(ref destination, i);
        for (; i + sizeof(ulong) <= length; i += sizeof(ulong))
            CopyWord(ref destination, ref source, i);
        for (; i < length; i++)
            Unsafe.Add(ref destination, i) = Unsafe.Add(ref source, i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyWord(ref byte destination, ref byte source, nuint at) =>
        Unsafe.WriteUnaligned(ref Unsafe.Add(ref destination, at), Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref source, at)));
}
