using Rcmp.DataPath;
using Rcmp.Fabric;
using Rcmp.Protocol;
using Rcmp.Regions;

namespace Rcmp.Tests.DataPath;

public sealed class SilentRackTests : IDisposable
{
    private const int Pages = 16;

    private readonly HandDrivenRack _silent = new(rack: 2);
    private readonly HandDrivenRack _sound = new(rack: 3);
    private readonly HandDrivenRack _rack = new(rack: 1, slotsPerSession: 32);
    private readonly FaultyFabric _fabric = new(new NativeFabric());
    private readonly ManualResetEventSlim _answers = new();
    private readonly PoolClient _pool;
    private readonly LinkRecord _toSilent;
    private int _waiting;
    private int _waitingMax;

    public SilentRackTests()
    {
        foreach (var owner in (HandDrivenRack[])[_silent, _sound]) owner.PlaceFirst(Pages);
        _toSilent = Refer(_silent);
        Refer(_sound);
        _pool = _rack.Connect(new FakeControlPlane(), new PoolClientOptions { Timeout = TimeSpan.FromSeconds(20) }, _fabric);
        _fabric.Connecting = link =>
        {
            if (link != _toSilent) return;
            _waitingMax = Math.Max(_waitingMax, Interlocked.Increment(ref _waiting));
            _answers.Wait();
            Interlocked.Decrement(ref _waiting);
        };
    }

    public void Dispose()
    {
        _answers.Set();
        _pool.Dispose();
        foreach (var rack in (HandDrivenRack[])[_rack, _silent, _sound]) rack.Dispose();
        _answers.Dispose();
    }

    private LinkRecord Refer(HandDrivenRack owner)
    {
        var (slot, link) = _rack.LinkTo(owner);
        for (var i = 0; i < Pages; i++)
            _rack.Set(owner.Page((ulong)i + 1), Location.Remote(slot, new FrameIndex((uint)i), new Epoch(1)));
        return link;
    }

    [Fact]
    public async Task ARackThatDoesNotAnswerDoesNotKeepTheClientFromTheOthers()
    {
        // More reads than the client has threads, the first of them at the silent rack before the others come.
        var first = _pool.ReadAsync(_silent.Address(1), new byte[8]).AsTask();
        await Eventually.TrueAsync(() => Volatile.Read(ref _waiting) == 1, "the first to wait for the silent rack");
        // For so long an attempt is taken for one that succeeds, and others are made beside it.
        await Task.Delay(100);
        var others = Enumerable.Range(2, 10).Select(i => _pool.ReadAsync(_silent.Address((ulong)i), new byte[8]).AsTask()).ToList();
        await _pool.ReadAsync(_sound.Address(1), new byte[8]).AsTask().WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(1, _waitingMax);
        Assert.DoesNotContain(others, read => read.IsCompleted);

        // It answers after all.
        _answers.Set();
        await Task.WhenAll([first, .. others]).WaitAsync(TimeSpan.FromSeconds(20));
    }
}
