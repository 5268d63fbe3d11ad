using Rcmp.DataPath;
using Rcmp.Protocol;
using Rcmp.Regions;
using Rcmp.Tests.Fabric;

namespace Rcmp.Tests.DataPath;

/// <summary>Whoever cancels a read gets its memory back when nothing can write there any more, and not before.</summary>
public sealed class CancellationTests : IDisposable
{
    private const int RequestBytes = 64;
    private const int TagOffset = 40;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>A read that gave up when it was told to would have done so long before.</summary>
    private static readonly TimeSpan Unanswered = TimeSpan.FromMilliseconds(300);

    private readonly HandDrivenRack _rack = new();
    private readonly FakeOwner _owner = new();
    private readonly FakeControlPlane _control = new();
    private readonly CancellationTokenSource _cancel = new();
    private readonly byte[] _buffer = [1, 1, 1, 1, 1, 1, 1, 1];
    private readonly PoolClient _pool;
    private readonly GAddr _address;

    public CancellationTests()
    {
        var owner = new RackIncarnation(new RackId(2), new Generation(1));
        var slot = _rack.Store.TryPublishLink(new LinkRecord(1, new LinkId(owner, _rack.Incarnation, 1), Guid.NewGuid(), _owner.Address));
        var page = _rack.Geometry.MakePage(owner.Rack, 1);
        _rack.Set(page, Location.Remote(slot, new FrameIndex(3), new Epoch(1)));
        _address = _rack.Geometry.AddressOf(page, 0);
        _pool = _rack.Connect(_control, new PoolClientOptions { Timeout = Patience, OperationDeadline = Patience, ConnectTimeout = Patience });
    }

    public void Dispose()
    {
        // First, or a test that has failed would wait for an answer here.
        _owner.Dispose();
        _pool.Dispose();
        _rack.Dispose();
        _cancel.Dispose();
    }

    [Fact]
    public async Task AReadIsCancelledWhenItsConnectionIsGoneAndNotBefore()
    {
        var read = _pool.ReadAsync(_address, _buffer, _cancel.Token).AsTask();
        await Task.Run(ReceiveRequest);
        await CancelInVainAsync(read);
        _owner.Close();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.WaitAsync(Patience));
        Assert.All(_buffer, static b => Assert.Equal(1, b));
    }

    [Fact]
    public async Task AnAnswerThatComesAfterTheCallerHasCancelledStillFindsItsBuffer()
    {
        var read = _pool.ReadAsync(_address, _buffer, _cancel.Token).AsTask();
        var request = await Task.Run(ReceiveRequest);
        await CancelInVainAsync(read);
        _owner.Send([.. request.AsSpan(TagOffset, 4), .. new byte[12], .. Enumerable.Repeat((byte)2, _buffer.Length)]);
        // Carried out after all: what is there is what the page has.
        await read.WaitAsync(Patience);
        Assert.All(_buffer, static b => Assert.Equal(2, b));
    }

    [Fact]
    public async Task AReadThatWaitsForItsPagesAddressIsCancelledAtOnce()
    {
        // Nothing is on the wire: the daemon does not answer, and nobody writes into the buffer.
        _control.Answer = static _ => null;
        var read = _pool.ReadAsync(_rack.Address(9), _buffer, _cancel.Token).AsTask();
        await Eventually.TrueAsync(() => _control.Requests.Count > 0, "the question where the page is");
        await _cancel.CancelAsync();
        var e = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.WaitAsync(Patience / 3));
        Assert.Equal(_cancel.Token, e.CancellationToken);
    }

    private byte[] ReceiveRequest()
    {
        _owner.Welcome();
        return _owner.Receive(RequestBytes);
    }

    private async Task CancelInVainAsync(Task read)
    {
        await _cancel.CancelAsync();
        Assert.NotSame(read, await Task.WhenAny(read, Task.Delay(Unanswered)));
    }
}
