using System.Buffers;
using System.Runtime.InteropServices;
using Rcmp.Fabric;

namespace Rcmp.DataPath;

/// <summary>The synchronous beginnings of asynchronous calls; apart, since a method that awaits may not hold a pointer.</summary>
internal sealed unsafe partial class PoolClient
{
    /// <summary>Copies what can be had at once. Returns how many bytes; the rest is for the pool's threads.</summary>
    private long ReadHere(GAddr address, Span<byte> destination)
    {
        StackProbe probe;
        var length = (uint)destination.Length;
        var done = 0;
        if (!IsInOnePage(address, length))
        {
            done = ReadPages(address, destination, &probe);
            if (done == destination.Length)
                return done;
        }
        else if (TryEnter(address, out var bytes, out var slot, &probe))
        {
            WordCopy.FromFrame(ref MemoryMarshal.GetReference(destination), bytes, length);
            Exit(slot, address);
            return length;
        }

        fixed (byte* buffer = destination[done..])
            return done + TransferCheckedHere(FabricOp.Read, address + done, buffer, destination.Length - done, StackSlots.PageOf(&probe));
    }

    /// <inheritdoc cref="ReadHere"/>
    private long WriteHere(GAddr address, ReadOnlySpan<byte> source)
    {
        StackProbe probe;
        var length = (uint)source.Length;
        var done = 0;
        if (!IsInOnePage(address, length))
        {
            done = WritePages(address, source, &probe);
            if (done == source.Length)
                return done;
        }
        else if (TryEnter(address, out var bytes, out var slot, &probe))
        {
            WordCopy.ToFrame(bytes, ref MemoryMarshal.GetReference(source), length);
            Exit(slot, address);
            return length;
        }

        fixed (byte* buffer = source[done..])
            return done + TransferCheckedHere(FabricOp.Write, address + done, buffer, source.Length - done, StackSlots.PageOf(&probe));
    }

    private long TransferCheckedHere(FabricOp op, GAddr address, byte* buffer, long length, ulong stackPage)
    {
        CheckRange(address, length);
        EnterSlow();
        try
        {
            LearnStack(stackPage);
            return TransferHere(op, address, buffer, length);
        }
        finally
        {
            ExitSlow();
        }
    }

    /// <summary>Leaves what <see cref="EnterSlow"/> holds if it is done, or fails.</summary>
    private bool TryAtomicHere(ref PageAccess access)
    {
        var done = true;
        try
        {
            done = TryAccess(ref access) == LookupResult.Done;
            return done;
        }
        finally
        {
            if (done)
                ExitSlow();
        }
    }

    private PageOperation MakeOperation(FabricOp op, List<(GAddr Address, ReadOnlyMemory<byte> Memory)> parts, MemoryHandle[] handles)
    {
        var ranges = new RangePart[parts.Count];
        for (var i = 0; i < ranges.Length; i++)
            ranges[i] = new RangePart { Address = parts[i].Address.Value, Buffer = (byte*)handles[i].Pointer, Length = parts[i].Memory.Length };
        return new PageOperation(this, op, ranges);
    }
}
