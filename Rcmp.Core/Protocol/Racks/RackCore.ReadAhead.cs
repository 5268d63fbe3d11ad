using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>The holder's side: pages that come along with a missed one, or ahead of a run of misses, and the room for them.</summary>
internal sealed partial class RackCore
{
    /// <summary>Entries that one miss looks at when it makes room.</summary>
    private const int TrimVisits = 4096;

    private readonly ReadAhead _readAhead = new();

    private void BeginMiss(ResolveMiss m)
    {
        var asked = m with
        {
            Neighbours = int.Clamp(m.Neighbours, 0, _options.NeighboursMax),
            Following = int.Clamp(m.Following, 0, _options.NeighboursMax),
            NeighboursMax = int.Clamp(m.NeighboursMax, 0, _options.NeighboursMax),
        };

        // Under policy swap a page must be asked for to move; and only a rack that is known to have pages near is asked for more of them.
        var link = LinkToBirthOf(m.Page);
        if (link is null) asked = asked with { NeighboursMax = 0 };
        var room = RoomForNeighbours();
        if (ReadAhead.BlockOf(asked).Count is var block && room < block) room += TrimReferences(block + asked.NeighboursMax);
        var plan = _readAhead.Plan(asked, room, IsReachable, _now, _options.ResendMinNs / 4);
        var miss = new Miss { Span = plan.Wanted, CountsOnReadAhead = plan.IsUnderWay };
        _misses[m.Page] = miss;
        miss.Waiters.Add((m, _now + _options.RequestTimeoutNs));
        if (plan.IsUnderWay)
        {
            _timers.Set(new TimerKey(TimerKind.Miss, m.Page.Value), _now + _options.ResendMinNs / 4);
            return;
        }

        SendMiss(m.Page, miss);
        if (link is not null && plan.Ahead.Count > 0)
            _fx.SendToRack(link.Id.Owner.Rack, new ForwardedResolve(ShardOf(plan.Ahead.First), default, link.Id.Owner, Self, ValueList<PageId>.Empty, plan.Ahead));
    }

    /// <summary>Most pages are where they were born: asked there first, the way is half as long. Grants are safe whoever asks for them, since the owner's row decides.</summary>
    private OwnerLink? LinkToBirthOf(PageId page)
    {
        var birth = _store.Geometry.BirthRackOf(page);
        return _options.Policy != SwapPolicy.Swap && _owners.TryGetValue(birth, out var link) && link.Record is not null && !IsForgotten(birth) ? link : null;
    }

    private bool IsReachable(PageId page) => _frames.ContainsKey(page) || _store.Lookup(page).Kind != LocationKind.Absent;

    private PageSpan WithoutReachableEnds(PageSpan span, PageId page)
    {
        if (!span.Contains(page)) return default;
        var (first, last) = (span.First, span.End.Plus(-1));
        while (first != page && IsReachable(first)) first = first.Plus(1);
        while (last != page && IsReachable(last)) last = last.Plus(-1);
        return first == last ? default : PageSpan.Between(first, last);
    }

    /// <summary>Who counted on the answer and is not in it asks by itself.</summary>
    private void OnReadAheadEnded(PageSpan span)
    {
        if (!_readAhead.Arrived(span)) return;
        foreach (var page in _misses.Where(m => m.Value.CountsOnReadAhead && span.Contains(m.Key)).Select(m => m.Key).ToArray()) AskAgain(page);
    }

    /// <summary>Neighbours take an eighth of the page table less than all of it: lookups take long in a full one, and what is missed needs room too.</summary>
    private long RoomForNeighbours() => _store.EntryCount / 8 * 7 - _frames.Count - _owners.Values.Sum(link => (long)link.Pages.Count);

    /// <summary>Gives up references that nobody has used since the hand came by last, some for each miss while the table is crowded. Returns how many.</summary>
    private int TrimReferences(int wanted)
    {
        var visits = 0;
        var given = 0;
        foreach (var (page, _) in _store.RemoteEntries())
        {
            if (given >= wanted || ++visits > TrimVisits) break;
            if (_revoking.ContainsKey(page) || _misses.ContainsKey(page) || _store.TestAndClearReference(page)) continue;
            EvictReference(page);
            given++;
        }

        return given;
    }

    /// <summary>Its owner goes on counting this rack as a holder: telling it would race with grants that are under way.</summary>
    private void EvictReference(PageId page)
    {
        var slot = _store.Lookup(page).LinkSlot;
        SetEntry(page, Location.Absent);
        ReleaseEntry(page);
        _owners.Values.FirstOrDefault(link => link.Slot == slot && link.Record is not null)?.Pages.Remove(page);
    }
}
