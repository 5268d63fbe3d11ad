using Rcmp.Native;

namespace Rcmp.Fabric;

/// <summary>A connection of the shim: one thread at a time.</summary>
/// <remarks>Calls pass the address, since to hold the handle for each costs two atomic instructions. It stays valid: nobody disposes while another thread calls, and what
/// the finalizer would release is kept alive to the end of a call.</remarks>
internal sealed unsafe class NativeFabricConnection : IFabricConnection
{
    private readonly FabricConnectionHandle _handle;
    private nint _address;

    public NativeFabricConnection(FabricConnectionHandle handle, ulong name)
    {
        _handle = handle;
        _address = handle.DangerousGetHandle();
        Name = name;
    }

    public ulong Name { get; }

    public bool IsUsable
    {
        get
        {
            var usable = _address != 0 && FabricNative.rcmp_usable(_address) != 0;
            GC.KeepAlive(_handle);
            return usable;
        }
    }

    public int Window => FabricNative.Window;

    private nint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_address == 0, this);
            return _address;
        }
    }

    public bool TryPost(in FabricRequest request)
    {
        var posted = FabricNative.rcmp_post(Address, request) != 0;
        GC.KeepAlive(_handle);
        return posted;
    }

    public void Flush()
    {
        FabricNative.rcmp_flush(Address);
        GC.KeepAlive(_handle);
    }

    public int Wait(Span<FabricCompletion> completions, long spinNs, long timeoutNs)
    {
        ArgumentOutOfRangeException.ThrowIfZero(completions.Length, nameof(completions));
        int count;
        fixed (FabricCompletion* first = completions)
            count = FabricNative.rcmp_wait(Address, first, completions.Length, spinNs, timeoutNs);
        GC.KeepAlive(_handle);
        return count;
    }

    public int Exchange(ReadOnlySpan<FabricRequest> requests, out int posted, Span<FabricCompletion> completions, long spinNs, long timeoutNs)
    {
        ArgumentOutOfRangeException.ThrowIfZero(completions.Length, nameof(completions));
        int queued;
        int count;
        fixed (FabricRequest* request = requests)
        fixed (FabricCompletion* first = completions)
            count = FabricNative.rcmp_exchange(Address, request, requests.Length, &queued, first, completions.Length, spinNs, timeoutNs);
        GC.KeepAlive(_handle);
        posted = queued;
        return count;
    }

    public void Dispose()
    {
        _address = 0;
        _handle.Dispose();
    }
}
