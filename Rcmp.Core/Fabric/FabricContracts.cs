using System.Runtime.InteropServices;

namespace Rcmp.Fabric;

/// <summary>What a request does at the owner.</summary>
internal enum FabricOp : uint
{
    Read = 1,
    Write = 2,
    Exchange = 3,
    CompareExchange = 4,
    FetchAdd = 5,
    /// <summary>Copies a frame that is leaving, without looking at the page table. Daemons alone may.</summary>
    PullFrame = 6,
    /// <summary>Reads the 64 bytes of a row of the frame table. Daemons alone may.</summary>
    ReadRow = 7,
}

/// <summary>How a request ended.</summary>
internal enum FabricStatus : uint
{
    Ok = 0,
    /// <summary>The page is moving: ask again. Nothing was done.</summary>
    Retry = 1,
    /// <summary>The page is not here, or its epoch is another one: resolve again. Nothing was done.</summary>
    Stale = 2,
    /// <summary>Offset and length leave the page, or the frame leaves the region. Nothing was done.</summary>
    OutOfRange = 3,
    /// <summary>An atomic on a misaligned word, or an operation this connection may not use. Nothing was done.</summary>
    Refused = 4,
    /// <summary>The connection was lost before the answer: done or not, nobody knows.</summary>
    ConnectionLost = 5,
    /// <summary>The deadline passed before the answer: it may still be done. The connection is no longer usable.</summary>
    DeadlinePassed = 6,
    /// <summary>Never sent: the connection was not usable.</summary>
    NotSent = 7,
}

/// <summary>Who opens a connection, and so what it may do.</summary>
internal enum ConnectionRole : uint
{
    Client = 1,
    Daemon = 2,
}

/// <summary>One request. <see cref="Buffer"/> must stay valid until the completion, or until the connection is closed.</summary>
internal unsafe struct FabricRequest
{
    public FabricOp Op;
    public uint EpochLow;
    public ulong Token;
    public PageId Page;
    public FrameIndex Frame;
    public uint Offset;
    public uint Length;
    public byte* Buffer;
    /// <summary>The value to store or to add.</summary>
    public ulong Operand;
    public ulong Comparand;

    /// <summary><see cref="Buffer"/> for code without pointers.</summary>
    public nint BufferAddress
    {
        readonly get => (nint)Buffer;
        set => Buffer = (byte*)value;
    }
}

/// <summary>The end of one request. Laid out as the shim's.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct FabricCompletion(ulong Token, FabricStatus Status, ulong Result);

/// <summary>Why a connection could not be opened.</summary>
internal enum FabricConnectStatus : uint
{
    Ok = 0,
    /// <summary>Nobody listens, no route, or no answer in time.</summary>
    Unreachable = 1,
    /// <summary>The owner does not accept this registration or key (any more): resolve again.</summary>
    Refused = 2,
    /// <summary>This machine lacks what the backend needs (library, device).</summary>
    NotSupported = 3,
}

/// <summary>A way to reach the memory of other racks. Thread-safe.</summary>
internal interface IFabric
{
    /// <summary>Starts to serve a region. The address says the backend: <c>tcp://host:port</c>, <c>verbs://address:port</c> or <c>local://name</c>; port 0 picks one.</summary>
    IFabricServer Expose(Regions.Region region, FabricServerOptions options);

    /// <summary>Opens a connection under a name chosen by the caller (unique, not 0).</summary>
    FabricConnectStatus TryConnect(
        Protocol.LinkRecord link, ulong name, ConnectionRole role, TimeSpan timeout, out IFabricConnection? connection, out string? error);
}

/// <summary>How a region is served.</summary>
/// <param name="Address">Where to listen.</param>
/// <param name="Key">What every peer must show; random, drawn at each start.</param>
/// <param name="Owner">Rack and generation of this region.</param>
/// <param name="ServiceThreads">Native threads.</param>
/// <param name="SpinNs">How long a service thread polls before it sleeps.</param>
/// <param name="MaxConnections">Further ones are refused.</param>
internal sealed record FabricServerOptions(
    string Address, Guid Key, RackIncarnation Owner, int ServiceThreads = 1, long SpinNs = 250_000, int MaxConnections = 1024);

/// <summary>The serving side. Thread-safe.</summary>
internal interface IFabricServer : IDisposable
{
    /// <summary>As peers reach it, with the port that was picked.</summary>
    string Address { get; }

    /// <summary>Accepts connections of this registration, and of no other of the holder's rack.</summary>
    void AcceptRegistration(LinkId link);

    /// <summary>Ends the rack's registration, then destroys its connections. When it returns none of them can touch the region.</summary>
    void Fence(RackId rack);

    /// <summary>Destroys connections by name. When it returns none of them can touch the region.</summary>
    void Destroy(ReadOnlySpan<ulong> names);

    FabricServerCounters Counters { get; }
}

/// <summary>What the serving side has done. What a device does by itself (reads and writes over verbs, 8-byte ones excepted) is not seen.</summary>
internal readonly record struct FabricServerCounters(
    long Connections, long Reads, long Writes, long Atomics, long Retries, long Refused, long BytesRead, long BytesWritten);

/// <summary>An open connection: one thread at a time.</summary>
internal interface IFabricConnection : IDisposable
{
    ulong Name { get; }

    /// <summary>False once it is broken, fenced or has passed a deadline: open another.</summary>
    bool IsUsable { get; }

    /// <summary>How many requests may be in flight.</summary>
    int Window { get; }

    /// <summary>Queues a request; false if the window is full or the connection is not usable (then nothing was sent). Sent at the latest by <see cref="Wait"/>.</summary>
    bool TryPost(in FabricRequest request);

    /// <summary>Sends what is queued without waiting, so that several connections work at once. Nothing to do where <see cref="TryPost"/> sends.</summary>
    void Flush()
    {
    }

    /// <summary>Sends what is queued and waits for at least one completion: polls <paramref name="spinNs"/>, then sleeps. When the deadline passes, or
    /// the connection is lost, every request in flight completes so. Returns the number of completions, 0 only if nothing was in flight.</summary>
    int Wait(Span<FabricCompletion> completions, long spinNs, long timeoutNs);

    /// <summary>Posts requests, the first <paramref name="posted"/> of them as far as they could be queued, and waits as <see cref="Wait"/> does. What is posted together
    /// leaves together.</summary>
    int Exchange(ReadOnlySpan<FabricRequest> requests, out int posted, Span<FabricCompletion> completions, long spinNs, long timeoutNs)
    {
        for (posted = 0; posted < requests.Length && TryPost(requests[posted]); posted++)
        {
        }

        return Wait(completions, spinNs, timeoutNs);
    }
}
