using System.Runtime.CompilerServices;
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
        if (TryHitRead(address, destination))
            return destination.Length;
        // More than one page, or not here.
        var done = IsInOnePage(address, (uint)destination.Length) ? 0 : ReadPages(address, destination, &probe);
        if (done == destination.Length)
            return done;
        fixed (byte* buffer = destination[done..])
            return done + TransferCheckedHere(FabricOp.Read, address + done, buffer, destination.Length - done, StackSlots.PageOf(&probe));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryHitRead(GAddr address, Span<byte> destination)
    {
        StackProbe probe;
        var length = (uint)destination.Length;
        if (!IsInOnePage(address, length) || !TryEnter(address, out var bytes, out var slot, &probe))
            return false;
        WordCopy.FromFrame(ref MemoryMarshal.GetReference(destination), bytes, length);
        Exit(slot, address);
        return true;
    }

    /// <inheritdoc cref="ReadHere"/>
    private long WriteHere(GAddr address, ReadOnlySpan<byte> source)
    {
        StackProbe probe;
        if (TryHitWrite(address, source))
            return source.Length;
        // More than one page, or not here.
        var done = IsInOnePage(address, (uint)source.Length) ? 0 : WritePages(address, source, &probe);
        if (done == source.Length)
            return done;
        fixed (byte* buffer = source[done..])
            return done + TransferCheckedHere(FabricOp.Write, address + done, buffer, source.Length - done, StackSlots.PageOf(&probe));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryHitWrite(GAddr address, ReadOnlySpan<byte> source)
    {
        StackProbe probe;
        var length = (uint)source.Length;
        if (!IsInOnePage(address, length) || !TryEnter(address, out var bytes, out var slot, &probe))
            return false;
        WordCopy.ToFrame(bytes, ref MemoryMarshal.GetReference(source), length);
        Exit(slot, address);
        return true;
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
}
