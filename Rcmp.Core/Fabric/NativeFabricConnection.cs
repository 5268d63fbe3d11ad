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
        var room = Math.Min(completions.Length, FabricNative.Window);
        ArgumentOutOfRangeException.ThrowIfZero(room, nameof(completions));
        var native = stackalloc FabricNative.Completion[room];
        var count = FabricNative.rcmp_wait(handle, native, room, spinNs, timeoutNs);
        for (var i = 0; i < count; i++)
            completions[i] = new FabricCompletion(native[i].Token, native[i].Status, native[i].Result);
        return count;
    }

    public void Dispose() => handle.Dispose();
}
