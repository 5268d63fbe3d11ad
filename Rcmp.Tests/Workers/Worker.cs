using System.Globalization;
using Rcmp.Hosts.Linearizability;

namespace Rcmp.Tests.Workers;

/// <summary>The client process: carries out a test's lines on the pool until its input ends.</summary>
internal sealed class Worker(IMemoryPool pool)
{
    private readonly Dictionary<string, WorkerLoop> _loops = [];
    private readonly List<PinnedPage> _pins = [];

    public static async Task<int> RunAsync(string configuration)
    {
        await using var pool = await RcmpPool.ConnectAsync(configuration);
        var worker = new Worker(pool);
        Console.WriteLine($"ok {pool.Info.Rack}");
        while (await Console.In.ReadLineAsync() is { } line)
        {
            string reply;
            try
            {
                reply = "ok " + await worker.HandleAsync(line.Split(' '));
            }
            catch (Exception e)
            {
                reply = $"error {e.GetType().Name}: {e.Message}".ReplaceLineEndings(" ");
            }

            Console.WriteLine(reply);
        }

        return 0;
    }

    private async Task<string> HandleAsync(string[] words)
    {
        if (words[0] == WorkerProtocol.Allocate) return (await pool.AllocatePagesAsync(Number(words[1]))).ToString();
        if (words[0] == WorkerProtocol.Stop) return await StopAsync(words[1]);
        if (words[0] == WorkerProtocol.Start)
        {
            _loops.Add(words[1], WorkerLoop.Start(pool, words[2], GAddr.Parse(words[3]), (int)Number(words[4])));
            return "";
        }

        if (words[0] == WorkerProtocol.Record) return Record(words[1], GAddr.Parse(words[2]), (int)Number(words[3]), Number(words[4]), (int)Number(words[5]));
        var address = GAddr.Parse(words[1]);
        switch (words[0])
        {
            case WorkerProtocol.Fill: return Fill(address, Number(words[2]), (int)Number(words[3]));
            case WorkerProtocol.Verify: return Verify(address, Number(words[2]), (int)Number(words[3]), words.Length > 4 ? (int)Number(words[4]) : 0);
            case WorkerProtocol.Word: return pool.Read<ulong>(address).ToString(CultureInfo.InvariantCulture);
            case WorkerProtocol.Owner: return (await pool.LocateAsync(address)).Owner.ToString();
            case WorkerProtocol.Pin:
                _pins.Add(await pool.PinAsync(address));
                return "";
            case WorkerProtocol.Bring:
                (await pool.PinAsync(address)).Dispose();
                return "";
            case WorkerProtocol.Add:
                for (var i = Number(words[2]); i > 0; i--) pool.FetchAdd(address, 1);
                return "";
            case WorkerProtocol.Swap:
                for (var i = Number(words[2]); i > 0; i--) WorkerLoop.IncrementBySwap(pool, address);
                return "";
            default: throw new ArgumentException($"unknown command {words[0]}");
        }
    }

    private async Task<string> StopAsync(string name)
    {
        _loops.Remove(name, out var loop);
        return (await loop!.StopAsync()).ToString(CultureInfo.InvariantCulture);
    }

    private string Record(string file, GAddr address, int pages, long count, int seed)
    {
        using var recorder = new HistoryRecorder(file, seed);
        var random = new Random(seed);
        for (; count > 0; count--) recorder.Random(pool, address + (long)random.Next(pages) * pool.Info.PageSize, random);
        return recorder.Recorded.ToString(CultureInfo.InvariantCulture);
    }

    private string Fill(GAddr address, long pages, int seed)
    {
        var page = new byte[pool.Info.PageSize];
        for (var i = 0L; i < pages; i++)
        {
            new Random(HashCode(seed, i)).NextBytes(page);
            pool.Write(address + i * page.Length, page);
        }

        return "";
    }

    private string Verify(GAddr address, long pages, int seed, int skip)
    {
        var expected = new byte[pool.Info.PageSize];
        var actual = new byte[pool.Info.PageSize];
        for (var i = 0L; i < pages; i++)
        {
            new Random(HashCode(seed, i)).NextBytes(expected);
            pool.Read(address + i * expected.Length, actual);
            if (!actual.AsSpan(skip).SequenceEqual(expected.AsSpan(skip))) throw new InvalidDataException($"page {i} differs");
        }

        return "";
    }

    // Not System.HashCode: that is seeded anew in every process.
    private static int HashCode(int seed, long page) => unchecked(seed * 486187739 + (int)page);

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
