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
    private readonly Lock _lock = new();
    private readonly FakeControlPlane _control = new() { Answer = static request => FakeControlPlane.Done(request) };
    private int _attempts;
    private int _waiting;
    private int _waitingMax;

    public SilentRackTests()
    {
        foreach (var owner in (HandDrivenRack[])[_silent, _sound]) owner.PlaceFirst(Pages);
        _toSilent = Refer(_silent);
        Refer(_sound);
        _pool = _rack.Connect(_control, new PoolClientOptions { Timeout = TimeSpan.FromSeconds(20) }, _fabric);
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

    /// <summary>The first attempt is refused; each further one gets no answer until all do.</summary>
    private bool DoesNotAnswer(LinkRecord link)
    {
        if (link != _toSilent)
            return true;
        lock (_lock)
        {
            if (++_attempts == 1)
                return false;
            _waitingMax = Math.Max(_waitingMax, ++_waiting);
        }

        _answers.Wait();
        lock (_lock)
            _waiting--;
        return true;
    }

    [Fact]
    public async Task ARackThatDoesNotAnswerDoesNotKeepTheClientFromTheOthers()
    {
        _fabric.Connecting = DoesNotAnswer;
        // The first knows that the rack is silent before the others come, more than the client has threads.
        List<Task> reads = [_pool.ReadAsync(_silent.Address(1), new byte[8]).AsTask()];
        await Eventually.TrueAsync(() => Volatile.Read(ref _waiting) > 0, "a read to wait for the silent rack");
        reads.AddRange(Enumerable.Range(2, 10).Select(i => _pool.ReadAsync(_silent.Address((ulong)i), new byte[8]).AsTask()));
        await _pool.ReadAsync(_sound.Address(1), new byte[8]).AsTask().WaitAsync(TimeSpan.FromSeconds(10));
        Assert.DoesNotContain(reads, read => read.IsCompleted);

        // It answers after all.
        _answers.Set();
        await Task.WhenAll(reads).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(1, _waitingMax);
    }

    /// <summary>One that begins when a call's time is nearly over would make it last longer than it may.</summary>
    [Fact]
    public async Task AnAttemptToConnectHasNoMoreTimeThanTheCall()
    {
        var timeout = TimeSpan.FromSeconds(1);
        await using var pool = _rack.Connect(_control, new PoolClientOptions { Timeout = timeout, ConnectTimeout = 2 * timeout }, _fabric);
        _fabric.Connecting = link => link != _toSilent;
        Assert.Throws<PageUnavailableException>(() => pool.Read<ulong>(_silent.Address(1)));
        var attempts = _fabric.ConnectTimeouts.ToArray();
        Assert.InRange(attempts.Length, 2, 100);
        Assert.Equal(attempts.OrderDescending(), attempts);
        Assert.True(attempts[0] <= timeout && attempts[^1] < timeout / 2, string.Join(", ", attempts));
    }

    [Fact]
    public async Task TheDaemonIsAskedAgainAndAgainForARackThatCannotBeReached()
    {
        _fabric.Connecting = link => link != _toSilent;
        var read = _pool.ReadAsync(_silent.Address(1), new byte[8]).AsTask();
        await Eventually.TrueAsync(() => _control.Requests.Count >= 5, "five questions to the daemon");
        _fabric.Connecting = null;
        await read.WaitAsync(TimeSpan.FromSeconds(20));
    }
}
