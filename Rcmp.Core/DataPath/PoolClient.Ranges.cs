using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Rcmp.DataPath;

/// <summary>Ranges across pages: a rack hit a page, one after the other, as long as there are any; the slow way gets the rest. The guard names one page, so each page has it anew.</summary>
internal sealed unsafe partial class PoolClient
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReadRange(GAddr address, Span<byte> destination)
    {
        StackProbe probe;
        var done = ReadPages(address, destination, &probe);
        if (done < destination.Length)
            ReadSlow(address + done, destination[done..], StackSlots.PageOf(&probe));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void WriteRange(GAddr address, ReadOnlySpan<byte> source)
    {
        StackProbe probe;
        var done = WritePages(address, source, &probe);
        if (done < source.Length)
            WriteSlow(address + done, source[done..], StackSlots.PageOf(&probe));
    }

    /// <summary>Copies page by page while they are hits. Returns how many bytes.</summary>
    private int ReadPages(GAddr address, Span<byte> destination, StackProbe* probe)
    {
        // All of it, before anything is touched.
        CheckRange(address, destination.Length);
        var done = 0;
        while (done < destination.Length && TryEnter(address, out var bytes, out var slot, probe))
        {
            var part = PartOf(address, destination.Length - done);
            WordCopy.FromFrame(ref Unsafe.Add(ref MemoryMarshal.GetReference(destination), done), bytes, part);
            Exit(slot, address);
            done += (int)part;
            address += part;
        }

        return done;
    }

    /// <inheritdoc cref="ReadPages"/>
    private int WritePages(GAddr address, ReadOnlySpan<byte> source, StackProbe* probe)
    {
        CheckRange(address, source.Length);
        var done = 0;
        while (done < source.Length && TryEnter(address, out var bytes, out var slot, probe))
        {
            var part = PartOf(address, source.Length - done);
            WordCopy.ToFrame(bytes, ref Unsafe.Add(ref MemoryMarshal.GetReference(source), done), part);
            Exit(slot, address);
            done += (int)part;
            address += part;
        }

        return done;
    }

    /// <summary>What of so many bytes is in the address's own page.</summary>
    private uint PartOf(GAddr address, int length) => (uint)Math.Min((ulong)length, _pageSize - (address.Value & _pageMask));
}
