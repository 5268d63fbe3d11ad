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

    /// <summary>Head bytes up to the frame's first whole word, whole words (vectors of them), tail bytes.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Copy(ref byte destination, ref byte source, nuint frame, nuint length)
    {
        var head = nuint.Min((0 - frame) & WordMask, length);
        nuint i = 0;
        for (; i < head; i++)
            Unsafe.Add(ref destination, i) = Unsafe.Add(ref source, i);
        for (; i + 128 <= length; i += 128)
        {
            var a = Vector256.LoadUnsafe(ref source, i);
            var b = Vector256.LoadUnsafe(ref source, i + 32);
            var c = Vector256.LoadUnsafe(ref source, i + 64);
            var d = Vector256.LoadUnsafe(ref source, i + 96);
            a.StoreUnsafe(ref destination, i);
            b.StoreUnsafe(ref destination, i + 32);
            c.StoreUnsafe(ref destination, i + 64);
            d.StoreUnsafe(ref destination, i + 96);
        }

        for (; i + 32 <= length; i += 32)
            Vector256.LoadUnsafe(ref source, i).StoreUnsafe(ref destination, i);
        for (; i + 8 <= length; i += 8)
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref destination, i), Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref source, i)));
        for (; i < length; i++)
            Unsafe.Add(ref destination, i) = Unsafe.Add(ref source, i);
    }
}
