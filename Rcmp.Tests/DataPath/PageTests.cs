using Rcmp.DataPath;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.DataPath;

public sealed class PageTests : IDisposable
{
    private static readonly PoolClientOptions Options = new() { Timeout = TimeSpan.FromMilliseconds(600) };

    private readonly HandDrivenRack _rack = new();
    private readonly FakeControlPlane _control = new();
    private readonly PageServer _pages;
    private readonly PoolClient _pool;

    public PageTests()
    {
        _pages = new PageServer(_rack);
        _control.Answer = _pages.Answer;
        _pool = _rack.Connect(_control, Options);
    }

    public void Dispose()
    {
        _pool.Dispose();
        _rack.Dispose();
    }

    [Fact]
    public async Task AllocatedPagesAreConsecutiveZeroedAndAcknowledged()
    {
        var address = await _pool.AllocatePagesAsync(10);
        var content = new byte[10 * 4096];
        content.AsSpan().Fill(1);
        _pool.Read(address, content);
        Assert.Equal(-1, content.AsSpan().IndexOfAnyExcept((byte)0));
        var acknowledged = Assert.Single(_control.Requests.OfType<AcknowledgeAllocation>());
        Assert.Equal((_rack.Geometry.PageOf(address), 10L), (acknowledged.First, acknowledged.Count));
        Assert.False(Assert.Single(_control.Requests.OfType<AllocatePages>()).SessionScoped);
        await _pool.FreePagesAsync(address, 10);
        Assert.Equal(0, _pages.PagesInUse);
        await _pool.AllocatePagesAsync(1, new AllocationOptions { Lifetime = PageLifetime.Session });
        Assert.True(_control.Requests.OfType<AllocatePages>().Last().SessionScoped);
    }

    [Fact]
    public async Task ASecondFreeIsAnErrorThatSaysHowManyWereFreed()
    {
        var address = await _pool.AllocatePagesAsync(3);
        await _pool.FreePagesAsync(address + 2 * 4096, 1);
        var e = await Assert.ThrowsAsync<PageNotFoundException>(async () => await _pool.FreePagesAsync(address, 3));
        Assert.Contains((address + 2 * 4096).ToString(), e.Message);
        Assert.Contains("2 of 3 pages were freed", e.Message);
    }

    [Fact]
    public async Task ARequestWhoseAnswerWasLostIsRepeatedUnderItsId()
    {
        var lost = 1;
        _control.Answer = request =>
        {
            var reply = _pages.Answer(request);
            return request is AllocatePages or FreePages && Interlocked.Decrement(ref lost) >= 0 ? null : reply;
        };
        await using var pool = _rack.Connect(_control, Options with { Timeout = TimeSpan.FromSeconds(6) });
        var address = await pool.AllocatePagesAsync(2);
        Assert.Single(_control.Requests.OfType<AllocatePages>().Select(static request => request.Request).Distinct());
        Assert.Equal(2, _control.Count<AllocatePages>());
        Assert.Equal(2, _pages.PagesInUse);
        lost = 1;
        await pool.FreePagesAsync(address, 2);
        Assert.Single(_control.Requests.OfType<FreePages>().Select(static request => request.Request).Distinct());
        Assert.Equal(0, _pages.PagesInUse);
    }

    [Fact]
    public async Task AFreeWithoutAnyAnswerHasAnUnknownOutcome()
    {
        var address = await _pool.AllocatePagesAsync(1);
        _control.Answer = static request => request is FreePages ? null : FakeControlPlane.Done(request);
        var e = await Assert.ThrowsAsync<PoolOutcomeUnknownException>(async () => await _pool.FreePagesAsync(address, 1));
        Assert.Contains(address.ToString(), e.Message);
        Assert.Contains("rcmp.client.timeout", e.Message);
    }

    [Fact]
    public async Task APageThatIsGoneAfterAFreeOfUnknownOutcomeMayHaveBeenFreedByIt()
    {
        var address = await _pool.AllocatePagesAsync(1);
        _control.Answer = request => request is FreePages
            ? FakeControlPlane.Done(request, _control.Count<FreePages>() == 1 ? RequestStatus.OutcomeUnknown : RequestStatus.PageNotFound)
            : FakeControlPlane.Done(request);
        await Assert.ThrowsAsync<PoolOutcomeUnknownException>(async () => await _pool.FreePagesAsync(address, 1));
        Assert.Equal(2, _control.Count<FreePages>());
    }

    [Fact]
    public async Task AFreeOfManyPagesGoesOnBehindThoseThatItMayHaveFreedItself()
    {
        const int Pages = 1100;
        using var rack = new HandDrivenRack(regionBytes: 16 << 20, frames: Pages);
        var pages = new PageServer(rack);
        var control = new FakeControlPlane { Answer = pages.Answer };
        await using var pool = rack.Connect(control, Options);
        var address = await pool.AllocatePagesAsync(Pages);
        await pool.FreePagesAsync(address, 1);
        var asked = control.Count<FreePages>();
        control.Answer = request => request is FreePages && control.Count<FreePages>() == asked + 1 ? FakeControlPlane.Done(request, RequestStatus.OutcomeUnknown) : pages.Answer(request);
        var e = await Assert.ThrowsAsync<PoolOutcomeUnknownException>(async () => await pool.FreePagesAsync(address, Pages));
        Assert.Contains($"{Pages - 1} of {Pages} pages were freed", e.Message);
        Assert.Equal(0, pages.PagesInUse);
    }

    [Fact]
    public async Task AFreeOfManyPagesGoesOnBehindThoseThatAreNotThere()
    {
        const int Pages = 1100;
        using var rack = new HandDrivenRack(regionBytes: 16 << 20, frames: Pages);
        var pages = new PageServer(rack);
        await using var pool = rack.Connect(new FakeControlPlane { Answer = pages.Answer }, Options);
        var address = await pool.AllocatePagesAsync(Pages);
        await pool.FreePagesAsync(address, 600);
        var e = await Assert.ThrowsAsync<PageNotFoundException>(async () => await pool.FreePagesAsync(address, Pages));
        Assert.Contains(address.ToString(), e.Message);
        Assert.Equal(0, pages.PagesInUse);
    }

    [Fact]
    public async Task AnAllocationThatCannotBeAcknowledgedIsFreedHoweverLongThatTakes()
    {
        _control.Answer = request => request switch
        {
            AcknowledgeAllocation => FakeControlPlane.Done(request, RequestStatus.Unavailable),
            FreePages when _control.Count<FreePages>() < 100 => FakeControlPlane.Done(request, RequestStatus.Unavailable),
            _ => _pages.Answer(request),
        };
        var e = await Assert.ThrowsAsync<PoolException>(async () => await _pool.AllocatePagesAsync(2));
        Assert.True(e.IsTransient);
        await Eventually.TrueAsync(() => _pages.PagesInUse == 0, "the pages to be freed");
    }

    [Fact]
    public async Task AnAllocationThatWasCancelledIsFreedWhenItsAnswerComes()
    {
        using var release = new ManualResetEventSlim();
        _control.Answer = request =>
        {
            if (request is AllocatePages && _control.Count<AllocatePages>() == 1)
                release.Wait(5000);
            return _pages.Answer(request);
        };
        using var cancelled = new CancellationTokenSource();
        var allocation = _pool.AllocatePagesAsync(4, null, cancelled.Token).AsTask();
        await Eventually.TrueAsync(() => _control.Count<AllocatePages>() == 1, "the request");
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => allocation);
        release.Set();
        await Eventually.TrueAsync(() => _control.Requests.OfType<FreePages>().Any(static free => free.Count == 4), "the pages to be freed");
    }

    [Fact]
    public async Task ExhaustionSaysWhatWasAskedAndChangesNothing()
    {
        var e = await Assert.ThrowsAsync<PoolExhaustedException>(async () => await _pool.AllocatePagesAsync(1_000_000));
        Assert.Contains("1000000 pages", e.Message);
        Assert.Equal(0, _pages.PagesInUse);
    }

    [Fact]
    public async Task LocateTellsWhatTheDirectoryKnows()
    {
        _control.Answer = static request => request is LocatePage locate
            ? new PageLocated(locate.Request, locate.Page, new RackId(2), new Epoch(7), "stable", ValueList<RackHeatValue>.Of(new RackHeatValue(new RackId(1), 3.5)), "stayed")
            : FakeControlPlane.Done(request);
        var location = await _pool.LocateAsync(_rack.Address(3, 17));
        Assert.Equal((_rack.Address(3), new RackId(2), 7L, "stable", "stayed"), (location.Address, location.Owner, location.Epoch, location.Phase, location.LastDecision));
        Assert.Equal(new RackHeat(new RackId(1), 3.5), Assert.Single(location.Heat));
    }
}
