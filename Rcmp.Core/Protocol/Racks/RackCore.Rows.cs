using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>Rows and entries: the only code that changes them.</summary>
internal sealed partial class RackCore
{
    private readonly Dictionary<PageId, FrameIndex> _frames = [];
    private readonly Queue<FrameIndex> _free = new();
    private readonly Dictionary<PageId, RequestId> _freedBy = [];
    private readonly SortedSet<PageId> _unsettledRows = [];
    private readonly Dictionary<SessionToken, HashSet<PageId>> _sessionPages = [];
    private readonly Dictionary<PageId, ulong> _releasing = [];
    private readonly Dictionary<ulong, PageId> _releaseTickets = [];
    private long _resident;
    private long _leaving;
    private long _incoming;
    private long _unsettled;

    private void LoadRows()
    {
        for (uint i = 0; i < _store.FrameCount; i++)
        {
            var frame = new FrameIndex(i);
            var row = _store.ReadRow(frame);
            if (row.State == RowState.Free)
            {
                _free.Enqueue(frame);
                if (!row.Page.IsNone && row.Request != default) _freedBy[row.Page] = row.Request;
                continue;
            }

            if (!_frames.TryAdd(row.Page, frame))
            {
                _fx.Fatal($"Page {Name(row.Page)} has two rows in this region, frames {_frames[row.Page]} and {frame}: run 'rcmp region check'.");
                return;
            }

            Count(row, 1);
        }

        foreach (var (page, frame) in _frames)
        {
            var row = _store.ReadRow(frame);
            if (row.State == RowState.Resident) OpenPage(page);
            RememberAllocation(row);
        }
    }

    private bool TryRow(PageId page, out FrameIndex frame, out FrameRow row)
    {
        if (_frames.TryGetValue(page, out frame))
        {
            row = _store.ReadRow(frame);
            return true;
        }

        row = default;
        return false;
    }

    private bool IsResident(PageId page) => TryRow(page, out _, out var row) && row.State == RowState.Resident;

    private RowReport Report(PageId page) => TryRow(page, out var frame, out var row)
        ? new RowReport(page, row.State, frame, row.Epoch, row.Attempt, row.Peer, row.Unsettled, default)
        : RowReport.None(page) with { FreedBy = _freedBy.GetValueOrDefault(page) };

    private void ChangeRow(FrameIndex frame, in FrameRow expected, in FrameRow next)
    {
        if (!_store.TryChangeRow(frame, expected, next))
        {
            _fx.Fatal($"The row of frame {frame} changed under its only writer: expected {expected}, found {_store.ReadRow(frame)}.");
            return;
        }

        if (expected.State != RowState.Free) Count(expected, -1);
        if (next.State != RowState.Free) Count(next, 1);
        if (expected.State == RowState.Free && next.State != RowState.Free)
        {
            _freedBy.Remove(expected.Page);
            _freedBy.Remove(next.Page);
            _frames.Add(next.Page, frame);
        }
        else if (expected.State != RowState.Free && next.State == RowState.Free)
        {
            _frames.Remove(expected.Page);
            if (next.Request != default) _freedBy[next.Page] = next.Request;
            _free.Enqueue(frame);
        }
    }

    private void Count(in FrameRow row, int sign)
    {
        switch (row.State)
        {
            case RowState.Resident: _resident += sign; break;
            case RowState.Leaving: _leaving += sign; break;
            case RowState.Incoming: _incoming += sign; break;
        }

        if (row.Unsettled) _unsettled += sign;
        if (row.State != RowState.Resident || row.Unsettled)
        {
            if (sign > 0) _unsettledRows.Add(row.Page);
            else _unsettledRows.Remove(row.Page);
        }

        if (row.Session.IsNone) return;
        if (sign > 0)
        {
            if (!_sessionPages.TryGetValue(row.Session, out var pages)) _sessionPages[row.Session] = pages = [];
            pages.Add(row.Page);
        }
        else if (_sessionPages.TryGetValue(row.Session, out var pages))
        {
            pages.Remove(row.Page);
            if (pages.Count == 0) _sessionPages.Remove(row.Session);
        }
    }

    /// <summary>A free row keeps the page it had, and which request freed it, so that a repeat of that request is answered "done".</summary>
    private void FreeRow(FrameIndex frame, in FrameRow row, RequestId request)
    {
        ChangeRow(frame, row, new FrameRow(RowState.Free, row.Epoch, row.Page, default, default, default, request, false, false));
        WantRoom();
        LeaveIfDrained();
    }

    /// <summary>Makes the entry of a resident page say so. False if the table has no room for it now: then a miss tries again.</summary>
    private bool OpenPage(PageId page)
    {
        if (!TryRow(page, out var frame, out var row) || row.State != RowState.Resident || _takings.ContainsKey(page)) return false;
        var location = Location.Resident(frame, row.Epoch);
        if (_store.Lookup(page) != location && !TryPlace(page, location)) return false;
        CompleteMiss(page, RequestStatus.Ok, "");
        return true;
    }

    /// <summary>Sets the location of a page, and if its probe range is full evicts a cold remote entry, so that a later try succeeds.</summary>
    private bool TryPlace(PageId page, Location location)
    {
        if (SetEntry(page, location)) return true;
        PageId? victim = null;
        foreach (var (candidate, at) in _store.YieldingEntriesNear(page))
        {
            if (at.Kind == LocationKind.Absent)
            {
                // Most are being given up already; an earlier start may have left one that a guard still named.
                if (!_frames.ContainsKey(candidate) && !_misses.ContainsKey(candidate)) ReleaseEntry(candidate);
                continue;
            }

            if (_revoking.ContainsKey(candidate)) continue;
            victim = candidate;
            if (!_store.TestAndClearReference(candidate)) break;
        }

        if (victim is { } cold)
        {
            EvictReference(cold);
        }

        return false;
    }

    private bool SetEntry(PageId page, Location location)
    {
        // An entry that is used again must be quiesced again before its key goes.
        if (location.Kind != LocationKind.Absent) _releasing.Remove(page);
        return _store.TrySetLocation(page, location);
    }

    /// <summary>Gives up the entry's key once no guard names the page.</summary>
    private void ReleaseEntry(PageId page)
    {
        if (_releasing.ContainsKey(page)) return;
        var ticket = NewTicket();
        _releasing[page] = ticket;
        _releaseTickets[ticket] = page;
        _fx.Quiesce(ticket, page, _options.QuiesceBudgetNs, remoteOnly: false);
    }

    private void RetryEntryRelease(PageId page)
    {
        if (!_releasing.Remove(page, out _)) return;
        if (MayReleaseEntry(page)) ReleaseEntry(page);
    }

    private bool MayReleaseEntry(PageId page) => _store.Lookup(page).Kind == LocationKind.Absent && !_frames.ContainsKey(page);

    private bool OnReleaseQuiesced(QuiesceEnded e)
    {
        if (!_releaseTickets.Remove(e.Ticket, out var page)) return false;
        if (_releasing.GetValueOrDefault(page) != e.Ticket) return true;
        if (e.Quiet && e.Connections.Count == 0)
        {
            _releasing.Remove(page);
            if (MayReleaseEntry(page)) _store.ReleaseEntry(page);
        }
        else
        {
            _timers.Set(new TimerKey(TimerKind.EntryRelease, page.Value), _now + _options.BackoffMaxNs);
        }

        return true;
    }
}
