using System.Runtime.InteropServices;

namespace Rcmp.Tests.Workers;

/// <summary>An operation repeated on a thread of its own until it is stopped or fails.</summary>
internal sealed class WorkerLoop
{
    private readonly Task<long> _task;
    private volatile bool _stop;

    private WorkerLoop(Action body) => _task = Task.Factory.StartNew(() =>
    {
        var rounds = 0L;
        for (; !_stop; rounds++) body();
        return rounds;
    }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public static WorkerLoop Start(IMemoryPool pool, string kind, GAddr address, int pages) => new(kind switch
    {
        "stamp" => Stamp(pool, address, pages),
        "watch" => Watch(pool, address, pages),
        "write" => Write(pool, address, pages),
        "read" => () =>
        {
            for (var i = 0; i < pages; i++) pool.Read<ulong>(address + (long)i * pool.Info.PageSize);
        }
        ,
        "count" => () =>
        {
            for (var i = 0; i < pages; i++) pool.FetchAdd(address + (long)i * pool.Info.PageSize, 1);
        }
        ,
        // The processors are left to the processes that the test is about.
        "tally" => () =>
        {
            for (var i = 0; i < pages; i++) pool.FetchAdd(address + (long)i * pool.Info.PageSize, 1);
            Thread.Sleep(1);
        }
        ,
        "bring" => () => Bring(pool, address, pages),
        "attract" => () =>
        {
            try
            {
                Bring(pool, address, pages);
            }
            catch (PoolException e) when (e.IsTransient)
            {
            }

            Thread.Sleep(1);
        }
        ,
        _ => throw new ArgumentException($"unknown loop {kind}"),
    });

    public Task<long> StopAsync()
    {
        _stop = true;
        return _task;
    }

    public static void IncrementBySwap(IMemoryPool pool, GAddr address)
    {
        var seen = pool.Read<ulong>(address);
        for (ulong before; (before = pool.CompareExchange(address, seen + 1, seen)) != seen; seen = before)
        {
        }
    }

    /// <summary>Whole pages full of one number, which rises.</summary>
    private static Action Stamp(IMemoryPool pool, GAddr address, int pages)
    {
        var words = new ulong[pool.Info.PageSize / sizeof(ulong)];
        var number = 0ul;
        return () =>
        {
            Array.Fill(words, ++number);
            for (var i = 0; i < pages; i++) pool.Write(address + (long)i * pool.Info.PageSize, MemoryMarshal.AsBytes(words.AsSpan()));
        };
    }

    /// <summary>No word may go back: a page that was moved without its last writes would show here.</summary>
    private static Action Watch(IMemoryPool pool, GAddr address, int pages)
    {
        var words = new ulong[pool.Info.PageSize / sizeof(ulong)];
        var seen = new ulong[pages * words.Length];
        return () =>
        {
            for (var i = 0; i < pages; i++)
            {
                pool.Read(address + (long)i * pool.Info.PageSize, MemoryMarshal.AsBytes(words.AsSpan()));
                var last = seen.AsSpan(i * words.Length, words.Length);
                for (var w = 0; w < words.Length; w++)
                {
                    if (words[w] < last[w]) throw new InvalidDataException($"page {i}, word {w}: {words[w]} after {last[w]}");
                    last[w] = words[w];
                }
            }
        };
    }

    private static void Bring(IMemoryPool pool, GAddr address, int pages)
    {
        for (var i = 0; i < pages; i++) pool.PinAsync(address + (long)i * pool.Info.PageSize).AsTask().GetAwaiter().GetResult().Dispose();
    }

    private static Action Write(IMemoryPool pool, GAddr address, int pages)
    {
        var bytes = new byte[pages * pool.Info.PageSize];
        return () => pool.Write(address, bytes);
    }
}
