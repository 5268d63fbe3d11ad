namespace Rcmp.Tests.Samples;

/// <summary>A program without a host: <c>RcmpPool.ConnectAsync</c>, with options in code or with a HOCON file.</summary>
internal static class ConnectSample
{
    /// <param name="rack">Host and port of the rack daemon on this machine, as in <c>rcmp.client.rack</c>.</param>
    /// <param name="configuration">A client's HOCON file, such as the <c>client0.conf</c> that <c>rcmp up --dir DIR</c> leaves.</param>
    /// <returns>What a client of the file read of what one with options wrote.</returns>
    public static async Task<ulong> RunAsync(string rack, string configuration)
    {
        await using IMemoryPool writer = await RcmpPool.ConnectAsync(new RcmpClientOptions { Rack = rack, Name = "writer" });
        var address = await writer.AllocateAsync(sizeof(ulong));
        writer.Write(address, 42UL);

        await using IMemoryPool reader = await RcmpPool.ConnectAsync(configuration);
        var read = reader.Read<ulong>(address);
        await reader.FreeAsync(address);
        return read;
    }
}
