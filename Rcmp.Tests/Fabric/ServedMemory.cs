using System.Runtime.InteropServices;
using Rcmp.Fabric;
using Rcmp.Native;
using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.Tests.Fabric;

/// <summary>Memory laid out like a region, with page n in frame n − 1 at epoch n, served over one backend.</summary>
internal sealed class ServedMemory : IDisposable
{
    public const uint FrameCount = 8;
    private const int Entries = 64;
    private const int Slots = 32;
    private const int SessionsOffset = 8192;
    private const int FramesOffset = 16384;
    private static int NextName;

    private readonly NativeBuffer _memory;

    public ServedMemory(string backend, int pageShift = 12, FabricServerOptions? options = null)
    {
        Layout = new RegionLayout
        {
            PoolId = Guid.Empty, RegionId = Guid.Empty, PageShift = pageShift, RegionBytes = FramesOffset + ((long)FrameCount << pageShift),
            FrameCount = FrameCount, StateOffset = 0, LinkTableOffset = 0, LinkSlots = 1, PageTableOffset = 0, PageTableEntries = Entries,
            HitTableOffset = 0, FrameTableOffset = 4096, SessionsOffset = SessionsOffset, SessionCount = 1, SlotsPerSession = Slots,
            CountersOffset = 12288, ReferencesOffset = 13312, FramesOffset = FramesOffset,
        };
        _memory = new NativeBuffer((int)Layout.RegionBytes);
        for (var page = 1UL; page <= FrameCount; page++)
            SetLocation(new PageId(page), Location.Resident(FrameOf(new PageId(page)), new Epoch(page)));
        Options = (options ?? new FabricServerOptions("", Guid.NewGuid(), Owner)) with { Address = ListenAddress(backend) };
        Server = NativeFabric.Expose(new FabricRegionView(_memory.Address, Layout), Options);
    }

    public static RackIncarnation Owner { get; } = new(new RackId(1), new Generation(7));

    public RegionLayout Layout { get; }

    public FabricServerOptions Options { get; }

    public IFabricServer Server { get; }

    public int PageSize => Layout.PageSize;

    public Span<PageTableEntry> PageTable => MemoryMarshal.Cast<byte, PageTableEntry>(_memory.Span[..(Entries * RegionLayout.PageTableEntryBytes)]);

    public Span<GuardSlot> GuardSlots =>
        MemoryMarshal.Cast<byte, GuardSlot>(_memory.Span.Slice(SessionsOffset + RegionLayout.SessionHeaderBytes, Slots * RegionLayout.SlotBytes));

    public Span<byte> References => _memory.Span.Slice((int)Layout.ReferencesOffset, Entries);

    public Span<AccessCounter> Counters =>
        MemoryMarshal.Cast<byte, AccessCounter>(_memory.Span.Slice((int)Layout.CountersOffset, Entries * RegionLayout.CounterBytes));

    /// <summary>What the theories run over: on a machine with an RDMA device, as the virtual machine of rig/ is, its address is in the environment.</summary>
    public static string[] Backends => VerbsHost is null ? ["tcp", "local"] : ["verbs"];

    private static string? VerbsHost { get; } = Environment.GetEnvironmentVariable("RCMP_TEST_VERBS");

    public static string ListenAddress(string backend) =>
        backend == "verbs" ? $"verbs://{VerbsHost}:0" :
        backend == "local" ? $"local://served-{Interlocked.Increment(ref NextName)}" : "tcp://127.0.0.1:0";

    public static FrameIndex FrameOf(PageId page) => new((uint)page.Value - 1);

    /// <summary>A registration of a rack at this owner.</summary>
    public static LinkId Link(int holder = 2, ulong registration = 1) =>
        new(Owner, new RackIncarnation(new RackId((ushort)holder), new Generation(3)), registration);

    public LinkRecord Record(LinkId link) => new(1, link, Options.Key, Server.Address);

    public Span<byte> Frame(PageId page) => _memory.Span.Slice(FramesOffset + (int)(FrameOf(page).Value << Layout.PageShift), PageSize);

    public Span<ulong> Words(PageId page) => MemoryMarshal.Cast<byte, ulong>(Frame(page));

    public Span<ulong> Row(FrameIndex frame) => MemoryMarshal.Cast<byte, ulong>(_memory.Span.Slice(4096 + (int)frame.Value * 64, 64));

    public ref PageTableEntry Entry(PageId page) => ref PageTable[(int)RegionLayout.NaturalEntry(page.Value, Entries - 1)];

    public void SetLocation(PageId page, Location location)
    {
        ref var entry = ref Entry(page);
        Volatile.Write(ref entry.Page, page.Value);
        Volatile.Write(ref entry.Location, location.Word);
    }

    /// <summary>Serves the same memory at another address too; only ever expected to fail.</summary>
    public void ExposeAgain(string address, int serviceThreads = 1) =>
        NativeFabric.Expose(new FabricRegionView(_memory.Address, Layout), Options with { Address = address, ServiceThreads = serviceThreads }).Dispose();

    /// <summary>Accepts the link and opens a connection over it.</summary>
    public FabricCaller Connect(ConnectionRole role = ConnectionRole.Client, LinkId? link = null)
    {
        var id = link ?? Link();
        Server.AcceptRegistration(id);
        var status = TryConnect(Record(id), role, out var connection, out var error);
        Assert.True(status == FabricConnectStatus.Ok, error);
        return new FabricCaller(this, connection!);
    }

    public static FabricConnectStatus TryConnect(LinkRecord record, ConnectionRole role, out IFabricConnection? connection, out string? error) =>
        new NativeFabric().TryConnect(record, NewName(), role, TimeSpan.FromSeconds(5), out connection, out error);

    public static ulong NewName() => (ulong)Interlocked.Increment(ref NextName);

    public void Dispose()
    {
        Server.Dispose();
        _memory.Dispose();
    }
}

/// <summary>A connection with a buffer, one request at a time.</summary>
internal sealed class FabricCaller(ServedMemory served, IFabricConnection connection) : IDisposable
{
    public const long Spin = 20_000;
    public const long Timeout = 5_000_000_000;

    private readonly NativeBuffer _buffer = new(served.PageSize * 2);

    public IFabricConnection Connection => connection;

    public Span<byte> Buffer => _buffer.Span;

    public nint BufferAddress => _buffer.Address;

    public static PageId Page(int page) => new((ulong)page);

    /// <summary>A request to a page at its epoch, on this caller's buffer.</summary>
    public FabricRequest Request(FabricOp op, int page, int offset = 0, int length = 8, ulong operand = 0, ulong comparand = 0) => new()
    {
        Op = op,
        Page = Page(page),
        EpochLow = (uint)page,
        Frame = new FrameIndex((uint)page - 1),
        Offset = (uint)offset,
        Length = (uint)length,
        BufferAddress = _buffer.Address,
        Operand = operand,
        Comparand = comparand,
        Token = 42,
    };

    public FabricCompletion Do(in FabricRequest request, long timeoutNs = Timeout)
    {
        Assert.True(connection.TryPost(request));
        Span<FabricCompletion> completions = new FabricCompletion[4];
        Assert.Equal(1, connection.Wait(completions, Spin, timeoutNs));
        Assert.Equal(request.Token, completions[0].Token);
        return completions[0];
    }

    public FabricCompletion Do(FabricOp op, int page, int offset = 0, int length = 8, ulong operand = 0, ulong comparand = 0) =>
        Do(Request(op, page, offset, length, operand, comparand));

    public void Dispose()
    {
        connection.Dispose();
        _buffer.Dispose();
    }
}
