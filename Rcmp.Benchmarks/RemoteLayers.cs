using BenchmarkDotNet.Attributes;
using Rcmp.DataPath;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Regions;
using Rcmp.Native;
using Rcmp.Runtime.Embedded;

namespace Rcmp.Benchmarks;

/// <summary>64 bytes of a page in another rack over the tcp backend on loopback: the operation alone, and through the whole client.</summary>
public class RemoteLayers
{
    private const int Payload = 64;
    private const int Batch = 32;
    private const long TimeoutNs = 5_000_000_000;
    private const long SpinNs = 250_000;

    private readonly byte[] _buffer = new byte[Payload];
    private readonly FabricCompletion[] _completions = new FabricCompletion[4];
    private ReadRequest[] _batch = [];
    private BareOperation _bare = null!;
    private EmbeddedCluster _cluster = null!;
    private PoolClient _owner = null!;
    private PoolClient _client = null!;
    private GAddr _address;

    [GlobalSetup]
    public void Start()
    {
        _bare = new BareOperation();
        var places = new EmbeddedPlaces { Fabric = "tcp://127.0.0.1:0" };
        _cluster = new EmbeddedCluster(new EmbeddedPoolOptions { Racks = 2, RegionSize = 32 << 20, Policy = SwapPolicy.DirectIo }, null, places);
        _cluster.StartAsync(CancellationToken.None).GetAwaiter().GetResult();
        (_owner, _client) = (_cluster.Connect(0), _cluster.Connect(1));
        _address = _owner.AllocatePagesAsync(1).AsTask().GetAwaiter().GetResult();
        _batch = [.. Enumerable.Range(0, Batch).Select(i => new ReadRequest(_address + i * Payload, new byte[Payload]))];
    }

    [GlobalCleanup]
    public void End()
    {
        _client.Dispose();
        _owner.Dispose();
        _cluster.Dispose();
        _bare.Dispose();
    }

    [Benchmark(Baseline = true)]
    public int BareRead() => _bare.Read(_completions);

    [Benchmark]
    public void RangeRead() => _client.Read(_address, _buffer);

    [Benchmark]
    public void RangeWrite() => _client.Write(_address, _buffer);

    [Benchmark]
    public ulong TypedRead() => _client.Read<ulong>(_address);

    [Benchmark]
    public ulong FetchAdd() => _client.FetchAdd(_address, 1);

    [Benchmark(OperationsPerInvoke = Batch)]
    public void ReadBatch() => _client.ReadBatchAsync(_batch).AsTask().GetAwaiter().GetResult();

    /// <summary>A served region and one connection to it.</summary>
    private sealed class BareOperation : IDisposable
    {
        private readonly string _path = $"/dev/shm/rcmp-benchmark-{Environment.ProcessId}";
        private readonly NativeBuffer _target = new(Payload);
        private readonly Region _region;
        private readonly IFabricServer _server;
        private readonly IFabricConnection _connection;
        private readonly PageId _page;

        public BareOperation()
        {
            Region.Create(_path, new RegionCreateOptions { PoolId = Guid.NewGuid(), SizeBytes = 16 << 20, PageSizeBytes = 4096 });
            _region = Region.OpenDaemon(_path, RegionExpectations.Any);
            var store = new RegionStore(_region);
            _page = store.Geometry.MakePage(new RackId(1), 1);
            store.TrySetLocation(_page, Location.Resident(new FrameIndex(0), new Epoch(1)));
            var owner = new RackIncarnation(new RackId(1), new Generation(1));
            var link = new LinkId(owner, new RackIncarnation(new RackId(2), new Generation(1)), 1);
            var fabric = new NativeFabric();
            var options = new FabricServerOptions("tcp://127.0.0.1:0", Guid.NewGuid(), owner);
            _server = fabric.Expose(_region, options);
            _server.AcceptRegistration(link);
            var status = fabric.TryConnect(new LinkRecord(1, link, options.Key, _server.Address), 1, ConnectionRole.Client, TimeSpan.FromSeconds(5), out var connection, out var error);
            _connection = connection ?? throw new InvalidOperationException($"{status}: {error}");
        }

        public int Read(FabricCompletion[] completions)
        {
            _connection.TryPost(new FabricRequest
            {
                Op = FabricOp.Read, Page = _page, EpochLow = 1, Frame = new FrameIndex(0), Length = Payload, BufferAddress = _target.Address, Token = 1,
            });
            return _connection.Wait(completions, SpinNs, TimeoutNs);
        }

        public void Dispose()
        {
            _connection.Dispose();
            _server.Dispose();
            _region.Dispose();
            _target.Dispose();
            File.Delete(_path);
        }
    }
}
