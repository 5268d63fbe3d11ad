using System.Runtime.InteropServices;
using System.Text;
using Rcmp.Native;
using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.Fabric;

/// <summary>The fabric of the native shim: <c>tcp</c>, <c>verbs</c> and <c>local</c>, by the scheme of the address.</summary>
internal sealed unsafe class NativeFabric : IFabric
{
    private const int TextBytes = 512;

    public NativeFabric() => ShimAbi.Verify();

    public IFabricServer Expose(Region region, FabricServerOptions options)
    {
        ArgumentNullException.ThrowIfNull(region);
        if (!region.TryPin(out var pin))
            throw new ObjectDisposedException(nameof(Region));
        try
        {
            return Expose(new FabricRegionView((nint)region.Base, region.Layout), options, pin);
        }
        catch
        {
            pin.Dispose();
            throw;
        }
    }

    /// <summary>Serves memory that is laid out like a region. The pin is released after the last access.</summary>
    public static IFabricServer Expose(in FabricRegionView view, FabricServerOptions options, RegionPin pin = default)
    {
        ShimAbi.Verify();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ServiceThreads, 1, nameof(options.ServiceThreads));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxConnections, 1, nameof(options.MaxConnections));
        ArgumentOutOfRangeException.ThrowIfNegative(options.SpinNs, nameof(options.SpinNs));
        var address = stackalloc byte[TextBytes];
        var error = stackalloc byte[TextBytes];
        var text = Encoding.UTF8.GetBytes(options.Address + "\0");
        fixed (byte* asked = text)
        {
            var native = new FabricNative.ServerOptions
            {
                Address = asked,
                Key = options.Key,
                SpinNs = options.SpinNs,
                ServiceThreads = (uint)options.ServiceThreads,
                MaxConnections = (uint)options.MaxConnections,
            };
            var status = (FabricExposeStatus)FabricNative.rcmp_expose(
                native, view, out var server, address, TextBytes, error, TextBytes);
            if (status != FabricExposeStatus.Ok)
                throw new FabricException(status, $"The fabric cannot listen on '{options.Address}': {Text(error)}");
            return new NativeFabricServer(new FabricServerHandle(server, pin), Text(address));
        }
    }

    public FabricConnectStatus TryConnect(
        LinkRecord link, ulong name, ConnectionRole role, TimeSpan timeout, out IFabricConnection? connection, out string? error)
    {
        ArgumentOutOfRangeException.ThrowIfZero(name);
        ArgumentOutOfRangeException.ThrowIfNegative(timeout.Ticks, nameof(timeout));
        var detail = stackalloc byte[TextBytes];
        fixed (byte* address = Encoding.UTF8.GetBytes(link.Address + "\0"))
        {
            var options = new FabricNative.ConnectOptions
            {
                Address = address,
                Key = link.Key,
                Link = FabricNative.Link.Of(link.Id),
                Name = name,
                TimeoutNs = timeout.Ticks * TimeSpan.NanosecondsPerTick,
                Role = (uint)role,
            };
            var status = (FabricConnectStatus)FabricNative.rcmp_connect(options, out var native, detail, TextBytes);
            connection = status == FabricConnectStatus.Ok ? new NativeFabricConnection(new FabricConnectionHandle(native), name) : null;
            error = status == FabricConnectStatus.Ok ? null : $"No connection to rack {link.Id.Owner} at '{link.Address}': {Text(detail)}";
            return status;
        }
    }

    /// <summary>Whether this machine can use the <c>verbs</c> backend; else why not.</summary>
    public static bool IsVerbsAvailable(out string? reason)
    {
        ShimAbi.Verify();
        var error = stackalloc byte[TextBytes];
        var available = FabricNative.rcmp_verbs_available(error, TextBytes) != 0;
        reason = available ? null : Text(error);
        return available;
    }

    private static string Text(byte* text) => Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));
}

/// <summary>Why a region could not be exposed.</summary>
internal enum FabricExposeStatus
{
    Ok = 0,
    BadAddress = 1,
    AddressInUse = 2,
    NotSupported = 3,
    NoResources = 4,
}

/// <summary>A region cannot be exposed.</summary>
internal sealed class FabricException(FabricExposeStatus status, string message) : PoolException(message)
{
    public FabricExposeStatus Status { get; } = status;
}
