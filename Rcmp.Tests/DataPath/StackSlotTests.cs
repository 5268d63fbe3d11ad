using Rcmp.DataPath;

namespace Rcmp.Tests.DataPath;

public sealed class StackSlotTests
{
    private const int Slot = 5;

    [Fact]
    public void AThreadFindsItsOwnSlotAndNoOtherThreadDoes()
    {
        using var slots = new StackSlots();
        Assert.Equal(Slot, slots.Here(Slot));
        int? found = 0;
        Run(() => found = slots.Here());
        Assert.Null(found);
    }

    [Fact]
    public async Task AnEndedThreadsWordIsGone()
    {
        using var slots = new StackSlots();
        Run(() => slots.Here(Slot));
        // The managed end of a thread comes a little before its native one.
        await Eventually.TrueAsync(() => !slots.Names(Slot), "the word of the ended thread to go");
    }

    [Fact]
    public void WithoutTheWatchAnEndedThreadsWordWouldStay()
    {
        var slots = new StackSlots();
        Run(() =>
        {
            slots.Here(Slot);
            slots.Dispose();
        });
        Assert.True(slots.Names(Slot));
    }

    [Fact]
    public void AThreadOnAReusedStackNeverFindsTheSlotOfTheOneBefore()
    {
        using var slots = new StackSlots();
        for (var i = 0; i < 500; i++)
        {
            int? found = 0;
            var slot = i;
            Run(() =>
            {
                found = slots.Here();
                slots.Here(slot);
            });
            Assert.Null(found);
        }
    }

    [Fact]
    public void ThreadsAtOnceFindTheirOwn()
    {
        using var slots = new StackSlots();
        using var together = new Barrier(32);
        var strangers = 0;
        var threads = Enumerable.Range(1, 32).Select(own => new Thread(() =>
        {
            together.SignalAndWait();
            for (var i = 0; i < 2000; i++)
            {
                // Null: another thread's page fell on the same word.
                if (slots.Here(i % 2 == 0 ? own : -1) is { } found && found != own)
                    Interlocked.Increment(ref strangers);
            }
        })).ToArray();
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        Assert.Equal(0, strangers);
    }

    [Fact]
    public void ASlotThatFitsNoWordIsNotLearnt()
    {
        using var slots = new StackSlots();
        Assert.Null(slots.Here(StackSlots.SlotMax + 1));
    }

    private static void Run(Action action)
    {
        var thread = new Thread(() => action());
        thread.Start();
        thread.Join();
    }
}
