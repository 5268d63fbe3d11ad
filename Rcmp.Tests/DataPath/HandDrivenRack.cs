using System.Security.Cryptography;
using Rcmp.DataPath;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Regions;
using Rcmp.Runtime;

namespace Rcmp.Tests.DataPath;

/// <summary>A rack without a daemon: a real region and a real fabric server, whose tables the test writes as a daemon would.</summary>
internal sealed class HandDrivenRack : IDisposable
{
    private static int NextName;

    /// <summary><c>RCMP_TEST_REGIONS</c>, to measure on hugetlbfs; else shared memory.</summary>
    private static readonly string RegionDirectory = Environment.GetEnvironmentVariable("RCMP_TEST_REGIONS")
        ?? (Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath());

    private readonly string _directory;
    private readonly SessionTable _sessions;
    private ulong _nextLink;

    public HandDrivenRack(ushort rack = 1, int pageSize = 4096, long regionBytes = 8 << 20, int slotsPerSession = 0, bool fencesOnly = false, int frames = 64)
    {
        _directory = Path.Combine(RegionDirectory, $"rcmp-datapath-{Environment.ProcessId}-{Guid.NewGuid():N}");
        Directory.CreateDirectory(_directory);
        RegionPath = Path.Combine(_directory, "region");
        PoolId = Guid.NewGuid();
        Rcmp.Regions.Region.Create(RegionPath, new RegionCreateOptions { PoolId = PoolId, SizeBytes = regionBytes, PageSizeBytes = pageSize, SlotsPerSession = slotsPerSession });
        Region = Rcmp.Regions.Region.OpenDaemon(RegionPath, RegionExpectations.Any);
        Guards = new GuardTable(Region, fencesOnly);
        _sessions = new SessionTable(Region, Guards, _directory);
        Store = new RegionStore(Region);
        Rack = new RackId(rack);
        Incarnation = new RackIncarnation(Rack, new Generation(1));
        Key = new Guid(RandomNumberGenerator.GetBytes(16));
        Fabric = new NativeFabric();
        Server = Fabric.Expose(Region, new FabricServerOptions($"local://datapath-{Environment.ProcessId}-{Interlocked.Increment(ref NextName)}", Key, Incarnation));
        Assert.True(Region.Layout.FrameCount >= frames);
    }

    public Guid PoolId { get; }

    public string RegionPath { get; }

    public Region Region { get; }

    public GuardTable Guards { get; }

    public RegionStore Store { get; }

    public RackId Rack { get; }

    public RackIncarnation Incarnation { get; }

    public Guid Key { get; }

    public NativeFabric Fabric { get; }

    public IFabricServer Server { get; }

    public PageGeometry Geometry => Region.Geometry;

    public int PageSize => Region.Layout.PageSize;

    /// <summary>The page with this sequence, born here.</summary>
    public PageId Page(ulong sequence) => Geometry.MakePage(Rack, sequence);

    public GAddr Address(ulong sequence, int offset = 0) => Geometry.AddressOf(Page(sequence), offset);

    /// <summary>Pages 1 to <paramref name="count"/> resident in frames 0 and up.</summary>
    public void PlaceFirst(int count)
    {
        for (var i = 0; i < count; i++)
            Place(Page((ulong)i + 1), i);
    }

    public void Place(PageId page, int frame) => Set(page, Location.Resident(new FrameIndex((uint)frame), new Epoch(1)));

    public void Set(PageId page, Location location) => Assert.True(Store.TrySetLocation(page, location));

    /// <summary>Takes the page away as a mover does: nobody touches it when this returns.</summary>
    public void TakeAway(PageId page, Location location)
    {
        Set(page, location);
        Guards.Barrier();
        Assert.True(Guards.WaitQuiet(page, 5_000_000_000, false).Quiet);
    }

    /// <summary>Publishes a link to another rack here, and has that rack accept it. Returns slot and record.</summary>
    public (int Slot, LinkRecord Link) LinkTo(HandDrivenRack owner)
    {
        var registration = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));
        var link = new LinkRecord(++_nextLink, new LinkId(owner.Incarnation, Incarnation, registration), owner.Key, owner.Server.Address);
        owner.Server.AcceptRegistration(link.Id);
        var slot = Store.TryPublishLink(link);
        Assert.True(slot >= 0);
        return (slot, link);
    }

    public PoolClient Connect(FakeControlPlane control, PoolClientOptions? options = null, IFabric? fabric = null) =>
        PoolClient.Open(OpenSession(), control, fabric ?? Fabric, options ?? new PoolClientOptions { Timeout = TimeSpan.FromSeconds(5) });

    public SessionGrant OpenSession()
    {
        var record = _sessions.TryAllocate((uint)Environment.ProcessId) ?? throw new InvalidOperationException("No session left.");
        return new SessionGrant(record.Token, record.Index, record.LockPath, RegionPath, Region.Layout.RegionId, PoolId, PageSize, Rack);
    }

    public void Dispose()
    {
        Server.Dispose();
        Region.Dispose();
        Directory.Delete(_directory, true);
    }
}
