using Rcmp.Native;

namespace Rcmp.Fabric;

/// <summary>The serving side: native threads that answer peers whatever the managed side does.</summary>
internal sealed unsafe class NativeFabricServer(FabricServerHandle handle, string address) : IFabricServer
{
    public string Address { get; } = address;

    public FabricServerCounters Counters
    {
        get
        {
            FabricNative.rcmp_server_counters(handle, out var c);
            return new FabricServerCounters(c.Connections, c.Reads, c.Writes, c.Atomics, c.Retries, c.Refused, c.BytesRead, c.BytesWritten);
        }
    }

    public void AcceptRegistration(LinkId link) => FabricNative.rcmp_server_accept(handle, FabricNative.Link.Of(link));

    public void Fence(RackId rack) => FabricNative.rcmp_server_fence(handle, rack.Value);

    public void Destroy(ReadOnlySpan<ulong> names)
    {
        fixed (ulong* first = names)
            FabricNative.rcmp_server_destroy(handle, first, names.Length);
    }

    public void Dispose() => handle.Dispose();
}
