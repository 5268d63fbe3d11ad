using Rcmp.Native;

namespace Rcmp.Fabric;

/// <summary>A connection of the shim: one thread at a time.</summary>
internal sealed unsafe class NativeFabricConnection(FabricConnectionHandle handle, ulong name) : IFabricConnection
{
    public ulong Name { get; } = name;

    public bool IsUsable => handle.IsUsable;

    public int Window => FabricNative.Window;

    public bool TryPost(in FabricRequest request) => FabricNative.rcmp_post(handle, request) != 0;

    public void Flush() => FabricNative.rcmp_flush(handle);

    public int Wait(Span<FabricCompletion> completions, long spinNs, long timeoutNs)
    {
        ArgumentOutOfRangeException.ThrowIfZero(completions.Length, nameof(completions));
        fixed (FabricCompletion* first = completions)
            return FabricNative.rcmp_wait(handle, first, completions.Length, spinNs, timeoutNs);
    }

    public int Exchange(ReadOnlySpan<FabricRequest> requests, out int posted, Span<FabricCompletion> completions, long spinNs, long timeoutNs)
    {
        ArgumentOutOfRangeException.ThrowIfZero(completions.Length, nameof(completions));
        int queued;
        int count;
        fixed (FabricRequest* request = requests)
        fixed (FabricCompletion* first = completions)
            count = FabricNative.rcmp_exchange(handle, request, requests.Length, &queued, first, completions.Length, spinNs, timeoutNs);
        posted = queued;
        return count;
    }

    public void Dispose() => handle.Dispose();
}
