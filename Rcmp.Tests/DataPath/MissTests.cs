using Rcmp.DataPath;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Tests.DataPath;

public sealed class MissTests : IDisposable
{
    private static readonly PoolClientOptions Options = new() { Timeout = TimeSpan.FromSeconds(5), Neighbours = 7 };

    private readonly HandDrivenRack _rack = new(slotsPerSession: 128);
    private readonly FakeControlPlane _control = new();
    private readonly PoolClient _pool;

    public MissTests() => _pool = _rack.Connect(_control, Options);

    public void Dispose()
    {
        _pool.Dispose();
        _rack.Dispose();
    }

    [Fact]
    public void ManyThreadsThatMissOnePageSendOneMessage()
    {
        using var everybodyWaits = new CountdownEvent(100);
        _control.Answer = request =>
        {
            if (request is not ResolveMiss miss)
                return FakeControlPlane.Done(request);
            Assert.True(everybodyWaits.Wait(10_000));
            _rack.Place(miss.Page, 3);
            return FakeControlPlane.Done(request);
        };
        var threads = Enumerable.Range(0, 100).Select(_ => new Thread(() =>
        {
            everybodyWaits.Signal();
            Assert.Equal(0UL, _pool.Read<ulong>(_rack.Address(1)));
        })).ToList();
        threads.ForEach(static thread => thread.Start());
        threads.ForEach(static thread => thread.Join());
        // A thread that comes after the answer finds the page; one in between may ask once more.
        Assert.InRange(_control.Count<ResolveMiss>(), 1, 2);
    }

    /// <summary>A question that is asked late in a call has no more time than the call.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ACallEndsAfterItsTimeoutWhateverItWaitsFor(bool isAsynchronous)
    {
        await using var pool = _rack.Connect(_control, Options with { Timeout = TimeSpan.FromSeconds(2) });
        var asked = 0;
        _control.Answer = request =>
        {
            if (request is not ResolveMiss) return FakeControlPlane.Done(request);
            if (Interlocked.Increment(ref asked) > 1) return null;
            Thread.Sleep(1500);
            return FakeControlPlane.Done(request, RequestStatus.Unavailable, "its rack is silent");
        };
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        var word = new byte[8];
        var error = isAsynchronous
            ? await Assert.ThrowsAsync<PageUnavailableException>(() => pool.ReadAsync(_rack.Address(1), word).AsTask())
            : Assert.Throws<PageUnavailableException>(() => pool.Read(_rack.Address(1), word));
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalSeconds, 1.9, 3);
        Assert.Contains("its rack is silent", error.Message);
        Assert.Equal(2, asked);
    }

    [Fact]
    public void ALargeRangeIsAskedForWithOneMessage()
    {
        PlaceWhatIsAskedFor();
        // More pages than are looked at together, from the middle of one on.
        _pool.Read(_rack.Address(1) + 100, new byte[4096 * 200]);
        var miss = Assert.Single(_control.Requests.OfType<ResolveMiss>());
        Assert.Equal((_rack.Page(1), 7, 200), (miss.Page, miss.Neighbours, miss.Following));
    }

    [Fact]
    public void OneQuestionIsNoLargerThanTheReadAhead()
    {
        PlaceWhatIsAskedFor();
        using var pool = _rack.Connect(_control, Options with { NeighboursMax = 31 });
        pool.Read(_rack.Address(1), new byte[4096 * 64]);
        Assert.Equal([(_rack.Page(1), 31), (_rack.Page(33), 31)], _control.Requests.OfType<ResolveMiss>().Select(miss => (miss.Page, miss.Following)));
    }

    [Fact]
    public async Task ScatteredPagesAreAskedForOneByOneButForThoseOfOneBlock()
    {
        PlaceWhatIsAskedFor();
        var bytes = new byte[8];
        var parts = new ulong[] { 16, 18, 41, 90 }.Select(page => new ReadRequest(_rack.Address(page), bytes)).ToArray();
        await _pool.ReadBatchAsync(parts);
        Assert.Equal([16ul, 41, 90], _control.Requests.OfType<ResolveMiss>().Select(miss => _rack.Geometry.SequenceOf(miss.Page)));
        Assert.All(_control.Requests.OfType<ResolveMiss>(), miss => Assert.Equal(0, miss.Following));
    }

    /// <summary>The aligned block, and what the call goes on to.</summary>
    private void PlaceWhatIsAskedFor() => _control.Answer = request =>
    {
        if (request is ResolveMiss miss)
        {
            var span = ReadAhead.BlockOf(miss);
            for (var i = 0; i < span.Count; i++)
                _rack.Place(span.First.Plus(i), (int)_rack.Geometry.SequenceOf(span.First.Plus(i)));
        }

        return FakeControlPlane.Done(request);
    };

    [Fact]
    public void APageThatDoesNotExistIsSaidAtOnce()
    {
        var e = Assert.Throws<PageNotFoundException>(() => _pool.Read<ulong>(_rack.Address(9)));
        Assert.Contains(_rack.Address(9).ToString(), e.Message);
        Assert.False(e.IsTransient);
    }

    [Fact]
    public void APageThatStaysAwayIsUnavailableWithTheSettingToChange()
    {
        using var pool = _rack.Connect(_control, Options with { Timeout = TimeSpan.FromMilliseconds(200) });
        _control.Answer = static request => FakeControlPlane.Done(request, RequestStatus.Unavailable, "rack 3 does not answer");
        var e = Assert.Throws<PageUnavailableException>(() => pool.Read<ulong>(_rack.Address(9)));
        Assert.Contains(_rack.Address(9).ToString(), e.Message);
        Assert.Contains("rack 3 does not answer", e.Message);
        Assert.Contains("rcmp.client.timeout = 0.2s", e.Message);
    }

    [Fact]
    public void WithoutADaemonResolvedPagesGoOnAndOthersFailAsTransient()
    {
        using var pool = _rack.Connect(_control, Options with { Timeout = TimeSpan.FromMilliseconds(200) });
        _rack.Place(_rack.Page(1), 1);
        _control.Answer = static _ => throw new PoolNotConnectedException("gone");
        Assert.Equal(0UL, pool.Read<ulong>(_rack.Address(1)));
        var e = Assert.Throws<PageUnavailableException>(() => pool.Read<ulong>(_rack.Address(2)));
        Assert.Contains("gone", e.Message);
    }

    [Fact]
    public async Task AMovingPageIsWaitedForWithoutAGuard()
    {
        _rack.Place(_rack.Page(1), 1);
        _rack.TakeAway(_rack.Page(1), Location.Moving);
        var read = Task.Run(() => _pool.Read<ulong>(_rack.Address(1)));
        var asynchronously = _pool.FetchAddAsync(_rack.Address(1), 4).AsTask();
        await Eventually.TrueAsync(() => !read.IsCompleted, "the read to wait");
        for (var i = 0; i < 100; i++)
            Assert.True(_rack.Guards.WaitQuiet(_rack.Page(1), 100_000_000, false).Quiet);
        Assert.False(read.IsCompleted || asynchronously.IsCompleted);
        _rack.Place(_rack.Page(1), 2);
        await read;
        Assert.Equal(0UL, await asynchronously);
    }

    [Fact]
    public async Task SyncOverAsyncGetsOnWithTheThreadPoolUsedUp()
    {
        _control.Answer = request =>
        {
            if (request is ResolveMiss miss)
                _rack.Place(miss.Page, (int)_rack.Geometry.SequenceOf(miss.Page));
            return FakeControlPlane.Done(request);
        };
        ThreadPool.GetMinThreads(out var workers, out _);
        var blocked = Enumerable.Range(0, workers * 4).Select(i => Task.Run(() =>
        {
            var bytes = new byte[8];
            _pool.ReadAsync(_rack.Address((ulong)i + 1), bytes).AsTask().GetAwaiter().GetResult();
            _pool.Read<ulong>(_rack.Address((ulong)i + 40));
        })).ToArray();
        await Task.WhenAll(blocked).WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task CancellationEndsAWait()
    {
        _control.Answer = static request => request is ResolveMiss ? null : FakeControlPlane.Done(request);
        using var cancelled = new CancellationTokenSource();
        var read = _pool.ReadAsync(_rack.Address(1), new byte[8], cancelled.Token).AsTask();
        await Eventually.TrueAsync(() => _control.Count<ResolveMiss>() == 1, "the miss");
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
        Assert.True(_pool.ReadAsync(_rack.Address(1), new byte[8], cancelled.Token).IsCanceled);
    }
}
