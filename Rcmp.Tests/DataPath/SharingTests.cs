using System.Runtime.InteropServices;
using Rcmp.DataPath;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Tests.DataPath;

public sealed class SharingTests
{
    private const int PageBytes = 64 << 10;
    private static readonly PoolClientOptions Options = new() { Timeout = TimeSpan.FromSeconds(10) };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ReadersNeverSeeAPageGoBackWhileItMoves(bool fence)
    {
        // Large pages: a copy takes long enough that, without guards, a mover gets into the middle of one almost at once.
        using var rack = new HandDrivenRack(pageSize: PageBytes, regionBytes: 32 << 20, fencesOnly: fence);
        var control = new FakeControlPlane();
        control.Answer = static request => FakeControlPlane.Done(request);
        using var pool = rack.Connect(control, Options);
        const int Movers = 4;
        rack.PlaceFirst(Movers);
        var stop = false;
        Exception? failure = null;
        var threads = new List<Thread>();
        for (var i = 0; i < 3; i++)
        {
            var seed = i;
            threads.Add(new Thread(() => Guarded(() => Watch(rack, pool, seed, Movers, ref stop))));
        }

        threads.Add(new Thread(() => Guarded(() => Stamp(rack, pool, Movers, ref stop))));
        threads.ForEach(static thread => thread.Start());
        var rounds = Move(rack, Movers, TimeSpan.FromMilliseconds(700), ref failure);
        Volatile.Write(ref stop, true);
        threads.ForEach(static thread => thread.Join());
        Assert.Null(failure);
        Assert.True(rounds > 20, $"Only {rounds} moves.");

        void Guarded(Action action)
        {
            try
            {
                action();
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref failure, e, null);
            }
        }
    }

    /// <summary>Every page is written by one thread, all its words with one rising number.</summary>
    private static void Stamp(HandDrivenRack rack, PoolClient pool, int pages, ref bool stop)
    {
        var words = new ulong[PageBytes / 8];
        for (ulong stamp = 1; !Volatile.Read(ref stop); stamp++)
        {
            for (var page = 1; page <= pages; page++)
            {
                words.AsSpan().Fill(stamp);
                pool.Write(rack.Address((ulong)page), MemoryMarshal.AsBytes(words.AsSpan()));
                Assert.Equal(stamp, pool.Read<ulong>(rack.Address((ulong)page, PageBytes - 8)));
            }
        }
    }

    private static void Watch(HandDrivenRack rack, PoolClient pool, int seed, int pages, ref bool stop)
    {
        var random = new Random(seed);
        var seen = new ulong[pages + 1];
        var range = new ulong[64];
        while (!Volatile.Read(ref stop))
        {
            var page = random.Next(1, pages + 1);
            var word = pool.Read<ulong>(rack.Address((ulong)page, random.Next(PageBytes / 8) * 8));
            // Words are stamped in order, so the last one is never ahead of any other, and no word is ever older than a last one seen before.
            Assert.True(word >= seen[page], $"Page {page} went back from {seen[page]} to {word}.");
            var last = pool.Read<ulong>(rack.Address((ulong)page, PageBytes - 8));
            Assert.True(last >= seen[page], $"Page {page} went back from {seen[page]} to {last}.");
            seen[page] = last;
            pool.Read(rack.Address((ulong)page, 64), MemoryMarshal.AsBytes(range.AsSpan()));
            foreach (var value in range)
                Assert.True(value >= seen[page], $"Page {page} went back from {seen[page]} to {value}.");
        }
    }

    /// <summary>Moves pages between frames, and wipes the frame that was left: whoever still uses it is found out.</summary>
    private static int Move(HandDrivenRack rack, int pages, TimeSpan duration, ref Exception? failure)
    {
        var frames = Enumerable.Range(0, pages).ToArray();
        var spare = pages;
        var random = new Random(5);
        var until = DateTime.UtcNow + duration;
        var rounds = 0;
        for (; DateTime.UtcNow < until && Volatile.Read(ref failure) is null; rounds++)
        {
            var page = random.Next(pages);
            var id = rack.Page((ulong)page + 1);
            rack.TakeAway(id, (rounds & 1) == 0 ? Location.Moving : Location.Absent);
            var from = rack.Region.FrameSpan(new FrameIndex((uint)frames[page]));
            from.CopyTo(rack.Region.FrameSpan(new FrameIndex((uint)spare)));
            from.Clear();
            (frames[page], spare) = (spare, frames[page]);
            rack.Place(id, frames[page]);
        }

        return rounds;
    }

    [Fact]
    public void CountersIncrementedByAtomicsSumExactlyWhileThePageMoves()
    {
        using var rack = new HandDrivenRack();
        var control = new FakeControlPlane { Answer = static request => FakeControlPlane.Done(request) };
        using var first = rack.Connect(control, Options);
        using var second = rack.Connect(control, Options);
        rack.PlaceFirst(1);
        const int Each = 20_000;
        Exception? failure = null;
        var threads = new[] { first, second }.SelectMany(pool => new[]
        {
            new Thread(() =>
            {
                for (var i = 0; i < Each; i++)
                    pool.FetchAdd(rack.Address(1, 8), 1);
            }),
            new Thread(() =>
            {
                for (var i = 0; i < Each; i++)
                {
                    ulong seen;
                    do
                        seen = pool.Read<ulong>(rack.Address(1, 8));
                    while (pool.CompareExchange(rack.Address(1, 8), seen + 1, seen) != seen);
                }
            }),
        }).ToList();
        threads.ForEach(static thread => thread.Start());
        Move(rack, 1, TimeSpan.FromMilliseconds(300), ref failure);
        threads.ForEach(static thread => thread.Join());
        Assert.Equal(4UL * Each, first.Read<ulong>(rack.Address(1, 8)));
    }

    [Fact]
    public void MoreThreadsThanGuardSlotsShareAndNoneFails()
    {
        using var rack = new HandDrivenRack(slotsPerSession: 8);
        rack.PlaceFirst(2);
        using var pool = rack.Connect(new FakeControlPlane(), Options);
        using var allThere = new Barrier(40);
        var threads = Enumerable.Range(0, 40).Select(i => new Thread(() =>
        {
            allThere.SignalAndWait();
            for (var n = 0; n < 500; n++)
            {
                pool.FetchAdd(rack.Address(1), 1);
                pool.Write(rack.Address(2, i * 64), (ulong)n);
                Assert.Equal((ulong)n, pool.Read<ulong>(rack.Address(2, i * 64)));
            }

            allThere.SignalAndWait();
        })).ToList();
        threads.ForEach(static thread => thread.Start());
        threads.ForEach(static thread => thread.Join());
        Assert.Equal(40UL * 500, pool.Read<ulong>(rack.Address(1)));
        Assert.All(rack.Region.SlotSpan(1).ToArray(), static slot => Assert.Equal(0UL, slot.Page));
    }

    [Fact]
    public void TheSlotsOfThreadsThatEndedAreUsedAgain()
    {
        using var rack = new HandDrivenRack(slotsPerSession: 8);
        rack.PlaceFirst(1);
        using var pool = rack.Connect(new FakeControlPlane(), Options);
        for (var i = 0; i < 50; i++)
        {
            var thread = new Thread(() =>
            {
                for (var n = 0; n < 10; n++)
                    pool.Read<ulong>(rack.Address(1));
            });
            thread.Start();
            thread.Join();
        }

        // Nobody had to share: the shared slot, the first, has no hits.
        Assert.Equal(0UL, rack.Region.SlotSpan(1)[0].Hits);
        Assert.Equal(500, pool.Statistics.RackHits);
    }

    [Fact]
    public void OneThreadMayUseSeveralPools()
    {
        using var rack = new HandDrivenRack();
        rack.PlaceFirst(1);
        using var first = rack.Connect(new FakeControlPlane(), Options);
        using var second = rack.Connect(new FakeControlPlane(), Options);
        for (var i = 0; i < 100; i++)
        {
            first.FetchAdd(rack.Address(1), 1);
            second.FetchAdd(rack.Address(1), 1);
        }

        Assert.Equal((100, 100), (first.Statistics.RackHits, second.Statistics.RackHits));
    }

    [Fact]
    public void APoolMayBeDisposedWhileOtherThreadsUseIt()
    {
        using var rack = new HandDrivenRack();
        rack.PlaceFirst(8);
        for (var round = 0; round < 10; round++)
        {
            var pool = rack.Connect(new FakeControlPlane { Answer = static request => FakeControlPlane.Done(request) }, Options);
            using var running = new CountdownEvent(4);
            var wrong = 0;
            var threads = Enumerable.Range(0, 4).Select(i => new Thread(() =>
            {
                var buffer = new byte[i == 0 ? 9000 : 64];
                pool.Read(rack.Address(1), buffer);
                running.Signal();
                try
                {
                    for (var n = 0; ; n++)
                    {
                        pool.Read(rack.Address(1 + ((ulong)n & 3)), buffer);
                        pool.FetchAdd(rack.Address(8, 8 * i), 1);
                    }
                }
                catch (PoolClosedException)
                {
                    return;
                }
                catch (Exception)
                {
                    Interlocked.Increment(ref wrong);
                    throw;
                }
            })).ToList();
            threads.ForEach(static thread => thread.Start());
            running.Wait();
            pool.Dispose();
            threads.ForEach(static thread => thread.Join());
            Assert.Equal(0, wrong);
            Assert.All(rack.Region.SlotSpan(1).ToArray(), static slot => Assert.Equal(0UL, slot.Page));
        }
    }

    [Fact]
    public async Task DisposeEndsThoseWhoWaitForAPage()
    {
        using var rack = new HandDrivenRack();
        var control = new FakeControlPlane { Answer = static request => request is ResolveMiss ? null : FakeControlPlane.Done(request) };
        var pool = rack.Connect(control, Options);
        var waiting = Task.Run(() => pool.Read<ulong>(rack.Address(1)));
        var asynchronous = pool.ReadAsync(rack.Address(2), new byte[1]).AsTask();
        await Eventually.TrueAsync(() => control.Count<ResolveMiss>() == 2, "both misses");
        await pool.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(5));
        await Assert.ThrowsAsync<PoolClosedException>(() => waiting);
        await Assert.ThrowsAsync<PoolClosedException>(() => asynchronous);
    }

    [Fact]
    public async Task APinnedPageStaysUntilItIsDisposed()
    {
        using var rack = new HandDrivenRack();
        rack.PlaceFirst(2);
        var pool = rack.Connect(new FakeControlPlane { Answer = static request => FakeControlPlane.Done(request) }, Options);
        var pin = await pool.PinAsync(rack.Address(2, 100));
        Assert.Equal(rack.Address(2), pin.Address);
        pin.Memory.Span[100] = 42;
        Assert.Equal(42, pool.Read<byte>(rack.Address(2, 100)));
        rack.Set(rack.Page(2), Location.Moving);
        rack.Guards.Barrier();
        Assert.False(rack.Guards.WaitQuiet(rack.Page(2), 1_000_000, false).Quiet);
        rack.Place(rack.Page(2), 1);

        // Disposing the pool does not wait for the pin, and does not take its memory away.
        await pool.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(42, pin.Memory.Span[100]);
        pin.Dispose();
        pin.Dispose();
        Assert.Throws<ObjectDisposedException>(() => pin.Memory);
        await Eventually.TrueAsync(() => rack.Guards.WaitQuiet(rack.Page(2), 1_000_000, false).Quiet, "the pin's guard to clear");
    }

    [Fact]
    public async Task APinBringsThePageHere()
    {
        using var rack = new HandDrivenRack();
        var control = new FakeControlPlane();
        control.Answer = request =>
        {
            if (request is BringPage bring)
                rack.Place(bring.Page, 5);
            return FakeControlPlane.Done(request);
        };
        await using var pool = rack.Connect(control, Options);
        using (var pin = await pool.PinAsync(rack.Address(3)))
            pin.Memory.Span[0] = 1;
        Assert.Equal(1, rack.Region.FrameSpan(new FrameIndex(5))[0]);
    }
}
