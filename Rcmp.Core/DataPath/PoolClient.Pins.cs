using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>Pins: a guard slot that stays set, apart from the thread's own, which every other access needs.</summary>
internal sealed unsafe partial class PoolClient
{
    /// <summary>Null if the page is not in the rack, or cannot be held right now.</summary>
    private PinnedPage? TryPin(GAddr address)
    {
        var slot = _slots.TryTake();
        if (slot == null)
            throw new PoolExhaustedException(
                $"All {_view.SlotCount} guard slots of this client are taken by threads, pins and remote operations: dispose pins, or raise rcmp.region.guard-slots.");
        var page = address.Value >> _pageShift;
        SetGuard(slot, page);
        var word = LoadLocation(page, out _);
        if (word.Kind == LocationKind.Resident)
        {
            Interlocked.Increment(ref _pins);
            return new PinnedFrame(this, _geometry.AddressOf(new PageId(page)), slot, FrameBytes(word.Frame), _geometry.PageSize);
        }

        Volatile.Write(ref slot->Page, 0);
        _slots.Return(slot);
        return null;
    }

    internal void Unpin(GuardSlot* slot)
    {
        // Release: what was written through the pin is in place before a mover sees the guard clear.
        Volatile.Write(ref slot->Page, 0);
        _slots.Return(slot);
        // Last: then the mapping may go.
        Interlocked.Decrement(ref _pins);
    }

    /// <summary>The calling thread's slot and what a hit reads, to time a hit without the call. Null if all slots are taken.</summary>
    internal (nint Slot, nint HitTable, ulong Mask, nint Frames, long FrameEnd) PartsForBenchmark() =>
        ((nint)AttachThread(), _hitTable, _hitMask, (nint)_frames, _frameEnd);

    /// <summary>Where the bytes are mapped, for a comparison without guards.</summary>
    internal nint FindForBenchmark(GAddr address)
    {
        // Brings the page's entry here if it is not.
        Read<byte>(address);
        EnterSlow();
        try
        {
            var word = LoadLocation(address.Value >> _pageShift, out _);
            if (word.Kind != LocationKind.Resident)
                throw new PageUnavailableException($"The page at {address} is not in rack {_grant.Rack}, so its rack hits cannot be timed.");
            return (nint)(FrameBytes(word.Frame) + (address.Value & _pageMask));
        }
        finally
        {
            ExitSlow();
        }
    }
}
