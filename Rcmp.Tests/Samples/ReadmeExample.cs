using System.Text;

namespace Rcmp.Tests.Samples;

/// <summary>The example of the README, line by line.</summary>
internal static class ReadmeExample
{
    public static async Task RunAsync()
    {
        // <readme>
        await using IMemoryPool pool = await RcmpPool.StartEmbeddedAsync(new EmbeddedPoolOptions { Racks = 2 });

        GAddr counter = await pool.AllocateAsync(sizeof(ulong));
        ulong before = pool.FetchAdd(counter, 1);               // linearizable, from any rack

        GAddr pages = await pool.AllocatePagesAsync(256);       // zeroed, with consecutive addresses
        pool.Write(pages, "hello, racks"u8);                    // a copy if the page is in this rack, one-sided if not
        byte[] bytes = new byte[12];
        pool.Read(pages, bytes);

        PageLocation where = await pool.LocateAsync(pages);
        Console.WriteLine($"{before}: {Encoding.UTF8.GetString(bytes)}, in rack {where.Owner}");

        await pool.FreePagesAsync(pages, 256);
        await pool.FreeAsync(counter);
        // </readme>
    }
}
