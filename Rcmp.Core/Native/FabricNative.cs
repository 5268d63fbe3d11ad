using System.Runtime.InteropServices;
using Rcmp.Fabric;

namespace Rcmp.Native;

/// <summary>The fabric's imports and structures, as native/rcmpshim.h has them. Nothing above <c>Rcmp.Fabric</c> uses these.</summary>
internal static unsafe partial class FabricNative
{
    public const string Library = "rcmpshim";
    public const int KeyBytes = 16;
    public const int Window = 64;

    [LibraryImport(Library)]
    public static partial int rcmp_expose(
        in ServerOptions options, in FabricRegionView view, out nint server, byte* address, nuint addressSize, byte* error, nuint errorSize);

    [LibraryImport(Library)]
    public static partial void rcmp_server_accept(FabricServerHandle server, in Link link);

    [LibraryImport(Library)]
    public static partial void rcmp_server_fence(FabricServerHandle server, uint rack);

    [LibraryImport(Library)]
    public static partial void rcmp_server_destroy(FabricServerHandle server, ulong* names, int count);

    [LibraryImport(Library)]
    public static partial void rcmp_server_counters(FabricServerHandle server, out Counters counters);

    [LibraryImport(Library)]
    public static partial void rcmp_server_close(nint server);

    [LibraryImport(Library)]
    public static partial int rcmp_connect(in ConnectOptions options, out nint connection, byte* error, nuint errorSize);

    // The address itself, not the handle: see NativeFabricConnection.
    // A post may copy a page (local) or fill a bounce buffer (verbs), and a wait sleeps: no SuppressGCTransition on either.
    [LibraryImport(Library)]
    public static partial int rcmp_post(nint connection, in FabricRequest request);

    [LibraryImport(Library)]
    public static partial void rcmp_flush(nint connection);

    [LibraryImport(Library)]
    public static partial int rcmp_wait(nint connection, FabricCompletion* completions, int max, long spinNs, long timeoutNs);

    [LibraryImport(Library)]
    public static partial int rcmp_exchange(
        nint connection, FabricRequest* requests, int count, int* posted, FabricCompletion* completions, int max, long spinNs, long timeoutNs);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    public static partial int rcmp_usable(nint connection);

    [LibraryImport(Library)]
    public static partial void rcmp_close(nint connection);

    [LibraryImport(Library)]
    public static partial int rcmp_verbs_available(byte* error, nuint errorSize);

    [StructLayout(LayoutKind.Sequential)]
    public struct ServerOptions
    {
        public byte* Address;
        public Guid Key;
        public long SpinNs;
        public uint ServiceThreads;
        public uint MaxConnections;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Link
    {
        public ulong OwnerGeneration;
        public ulong HolderGeneration;
        public ulong Registration;
        public uint OwnerRack;
        public uint HolderRack;

        public static Link Of(LinkId id) => new()
        {
            OwnerGeneration = id.Owner.Generation.Value,
            HolderGeneration = id.Holder.Generation.Value,
            Registration = id.Registration,
            OwnerRack = id.Owner.Rack.Value,
            HolderRack = id.Holder.Rack.Value,
        };
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct ConnectOptions
    {
        public byte* Address;
        public Guid Key;
        public Link Link;
        public ulong Name;
        public long TimeoutNs;
        public uint Role;
        public uint Reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Counters
    {
        public long Connections;
        public long Reads;
        public long Writes;
        public long Atomics;
        public long Retries;
        public long Refused;
        public long BytesRead;
        public long BytesWritten;
    }
}
