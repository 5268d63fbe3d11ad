namespace Rcmp.Regions;

/// <summary>Both sides of the guards, over and over on one page, to show that the barrier is what keeps them apart: the reader enters and reads, the mover takes the page away, and
/// while it has it the page's word is poisoned. A reader that sees poison was let in when the mover had seen nobody. Tests run it with and without the barrier.</summary>
internal static unsafe class GuardLitmus
{
    private const ulong Poison = 0xDEAD_DEAD_DEAD_DEAD;
    private const int ReadsPerEntry = 24;

    /// <summary>Enters, reads and leaves until told to stop. Returns entries, and how many saw poison.</summary>
    public static (long Entries, long Violations) Read(Region region, ClientSession session, int slot, PageId page, FrameIndex frame, bool fence, Func<bool> stop)
    {
        long entries = 0;
        long violations = 0;
        var guard = &session.Slots[slot].Page;
        var location = &region.PageTable[region.FindEntry(page)].Location;
        var word = (ulong*)region.FrameAt(frame);
        var value = page.Value;
        while (true)
        {
            // Asked for rarely, and no call in between: the loop must be as tight as a hit, in a debug build too.
            if ((++entries & 0x3FFF) == 0 && stop())
                return (entries, violations);
            *guard = value;
            if (fence)
                Interlocked.MemoryBarrier();
            if ((Volatile.Read(ref *location) & Location.KindMask) == (ulong)LocationKind.Resident && SawPoison(word))
                violations++;
            Volatile.Write(ref *guard, 0);
        }
    }

    /// <summary>Takes the page away and gives it back until told to stop. Returns how often.</summary>
    public static long Move(Region region, GuardTable guards, int session, int slot, PageId page, FrameIndex frame, bool barrier, Func<bool> stop)
    {
        var guard = &region.SlotsAt(session)[slot].Page;
        var location = &region.PageTable[region.FindEntry(page)].Location;
        var word = (ulong*)region.FrameAt(frame);
        var resident = *location;
        var moving = Location.Moving.Word;
        long moves = 0;
        for (; (moves & 0x3F) != 0 || !stop(); moves++)
        {
            *location = moving;
            if (barrier)
                guards.Barrier();
            // The first look comes at once: anything in between would be as good as a barrier.
            if (Volatile.Read(ref *guard) == 0 || guards.WaitQuiet(page, 1_000_000_000, false).Quiet)
            {
                Volatile.Write(ref *word, Poison);
                Thread.SpinWait(2);
                Volatile.Write(ref *word, 0);
            }

            Volatile.Write(ref *location, resident);
            // Uneven, so that the two do not fall into step.
            Thread.SpinWait((int)(moves % 37) + 3);
        }

        return moves;
    }

    private static bool SawPoison(ulong* word)
    {
        var saw = false;
        for (var i = 0; i < ReadsPerEntry; i++)
            saw |= Volatile.Read(ref *word) == Poison;
        return saw;
    }
}
