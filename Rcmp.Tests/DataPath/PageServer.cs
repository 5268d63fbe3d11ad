using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Tests.DataPath;

/// <summary>As much of a daemon as allocation needs: gives out frames of a hand-driven rack, one page each, and takes them back.</summary>
internal sealed class PageServer(HandDrivenRack rack)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, int> _frames = [];
    private readonly Dictionary<ulong, ISessionReply> _answered = [];
    private readonly Stack<int> _free = new(Enumerable.Range(0, rack.Store.FrameCount).Reverse());
    private ulong _sequence = 1;

    public int PagesInUse
    {
        get
        {
            lock (_lock)
                return _frames.Count;
        }
    }

    public ISessionReply Answer(ISessionRequest request)
    {
        lock (_lock)
        {
            // A repeat is answered as the first time.
            if (!_answered.TryGetValue(request.Request.Value, out var reply))
                _answered[request.Request.Value] = reply = Carry(request);
            return reply;
        }
    }

    private ISessionReply Carry(ISessionRequest request) => request switch
    {
        AllocatePages allocate => Allocate(allocate),
        FreePages free => Free(free),
        ResolveMiss miss when _frames.ContainsKey(miss.Page.Value) => FakeControlPlane.Done(request),
        _ => FakeControlPlane.NotFound(request),
    };

    private ISessionReply Allocate(AllocatePages request)
    {
        if (request.Count > _free.Count)
            return FakeControlPlane.Done(request, RequestStatus.Exhausted, $"{_free.Count} frames are free.");
        var first = rack.Page(_sequence);
        for (long i = 0; i < request.Count; i++)
        {
            var frame = _free.Pop();
            rack.Store.ClearFrame(new FrameIndex((uint)frame));
            rack.Place(first.Plus(i), frame);
            _frames[first.Plus(i).Value] = frame;
        }

        _sequence += (ulong)request.Count;
        return new PagesAllocated(request.Request, first);
    }

    private RequestDone Free(FreePages request)
    {
        PageId? missing = null;
        long freed = 0;
        for (long i = 0; i < request.Count; i++)
        {
            var page = request.First.Plus(i);
            if (!_frames.Remove(page.Value, out var frame))
            {
                missing ??= page;
                continue;
            }

            freed++;
            rack.TakeAway(page, Location.Absent);
            rack.Store.ReleaseEntry(page);
            _free.Push(frame);
        }

        return missing is { } gone
            ? FakeControlPlane.Done(request, RequestStatus.PageNotFound, $"{rack.Geometry.AddressOf(gone)} was never allocated, or was freed", freed)
            : FakeControlPlane.Done(request, completed: freed);
    }
}
