using System.Runtime.InteropServices;
using Rcmp.Regions;

namespace Rcmp.Native;

/// <summary>A serving side of the shim. Released only when no call on it runs any more.</summary>
internal sealed class FabricServerHandle : SafeHandle
{
    private readonly RegionPin _pin;

    public FabricServerHandle(nint server, RegionPin pin)
        : base(0, true)
    {
        _pin = pin;
        SetHandle(server);
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        FabricNative.rcmp_server_close(handle);
        _pin.Dispose();
        return true;
    }
}

/// <summary>A connection of the shim.</summary>
internal sealed class FabricConnectionHandle : SafeHandle
{
    public FabricConnectionHandle(nint connection)
        : base(0, true) => SetHandle(connection);

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        FabricNative.rcmp_close(handle);
        return true;
    }
}
