using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>Room: the reserve is refilled by moving the coldest pages to racks that have room.</summary>
internal sealed partial class RackCore
{
    private const int ClockStepsMax = 8192;

    private readonly Dictionary<PageId, Eviction> _evictions = [];
    private readonly RecentMap<PageId, long> _evictNotBefore = new(4096);
    private RequestId _roomRequest;
    private int _roomTries;
    private bool _roomWanted;
    private uint _clockHand;

    private sealed class Eviction(RackId to, long deadlineNs)
    {
        public RackId To { get; } = to;

        public long DeadlineNs { get; } = deadlineNs;

        public int Tries { get; set; }
    }

    private void WantRoom()
    {
        ReportLoadIfChanged();
        if (_roomWanted || RoomMissing() <= 0) return;
        _roomWanted = true;
        _roomTries = 0;
        _timers.Set(new TimerKey(TimerKind.Room, 0), _now);
    }

    private long RoomMissing() => long.Min(
        _draining ? _resident - _evictions.Count : _reserve - _free.Count - _evictions.Count,
        _options.EvictionsMax - _evictions.Count);

    private void RefillReserve()
    {
        var missing = RoomMissing();
        _roomWanted = missing > 0 && _resident > 0 && !Self.Rack.IsNone;
        if (!_roomWanted) return;
        _roomRequest = new RequestId(_random());
        _fx.SendToMaster(new AskRoom(Self, _roomRequest, missing));
        _timers.Set(new TimerKey(TimerKind.Room, 0), _now + Backoff(_roomTries++));
    }

    private void OnRoomOffered(RoomOffered m)
    {
        if (m.Rack != Self || Self.Rack.IsNone) return;
        if (_allocations.TryGetValue(m.Request, out var job))
        {
            OnRoomForAllocation(job, m);
            return;
        }

        if (m.Request != _roomRequest) return;
        _roomRequest = default;
        foreach (var room in m.Rooms)
        {
            if (room.Rack == Self.Rack) continue;
            for (var i = 0; i < room.Pages && RoomMissing() > 0; i++)
            {
                if (FindColdPage() is not { } page) return;
                _evictions[page] = new Eviction(room.Rack, _now + _options.RequestTimeoutNs);
                ResendEviction(page);
            }
        }
    }

    /// <summary>CLOCK: the hand clears reference bits and takes the first page whose bit was clear since its last turn.</summary>
    private PageId? FindColdPage()
    {
        for (var step = 0; step < int.Min(2 * _store.FrameCount, ClockStepsMax); step++)
        {
            var row = _store.ReadRow(new FrameIndex(_clockHand));
            _clockHand = (_clockHand + 1) % (uint)_store.FrameCount;
            if (row.State != RowState.Resident || row.Unsettled || IsUnacknowledged(row)) continue;
            var page = row.Page;
            if (_takings.ContainsKey(page) || _evictions.ContainsKey(page)) continue;
            if (_evictNotBefore.TryGet(page, out var notBefore) && notBefore > _now) continue;
            // All must go, used or not.
            if (_draining || !_store.TestAndClearReference(page)) return page;
        }

        return null;
    }

    // A page that has just arrived is not cold, although nobody has touched it here.
    private void ForgetReference(PageId page) => _evictNotBefore.Add(page, _now + _options.BackoffMinNs);

    private void ResendEviction(PageId page)
    {
        if (!_evictions.TryGetValue(page, out var eviction)) return;
        if (eviction.DeadlineNs <= _now || !_frames.ContainsKey(page))
        {
            EndEviction(page);
            return;
        }

        _fx.SendToShard(ShardOf(page), new EvictRequest(ShardOf(page), Self, page, eviction.To));
        _timers.Set(new TimerKey(TimerKind.Evict, page.Value), _now + Backoff(eviction.Tries++));
    }

    private void OnEvictAnswered(EvictAnswered m)
    {
        if (m.Owner != Self || !_evictions.ContainsKey(m.Page)) return;
        if (!m.Moved) _evictNotBefore.Add(m.Page, _now + _options.BackoffMaxNs / 4);
        EndEviction(m.Page);
        // While pages do go there is no reason to pause; a question for each of them would be too many.
        if (!m.Moved || !_roomWanted || _evictions.Count > _options.EvictionsMax / 2) return;
        _roomTries = 0;
        _timers.Set(new TimerKey(TimerKind.Room, 0), _now);
    }

    private void EndEviction(PageId page)
    {
        _evictions.Remove(page);
        _timers.Cancel(new TimerKey(TimerKind.Evict, page.Value));
        WantRoom();
    }
}
