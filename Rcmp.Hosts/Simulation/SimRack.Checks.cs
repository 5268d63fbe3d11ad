using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation;

/// <summary>The rules that every single write of a daemon must keep.</summary>
internal sealed partial class SimRack
{
    private void CheckRow(FrameIndex frame, FrameRow old, FrameRow next)
    {
        if (old.State == RowState.Free || next.State != RowState.Resident || old.Page != next.Page)
        {
            // The frame changes hands, or is about to: nobody may be at work on it.
            CheckUnused(frame, old, next);
        }

        if (next.State is RowState.Leaving or RowState.Incoming && old.State != next.State && next.Attempt.Term < Store.State.Terms.GetValueOrDefault(new ShardId(0)))
            _world.Violated($"rack {Id} carried out an order of term {next.Attempt.Term} on {next.Page}, although it had promised a higher one");
        if (old.State == RowState.Resident && next.State != RowState.Resident && old.Unsettled)
            _world.Violated($"{old.Page} left rack {Id} although the move that brought it is not settled");
        // It is removed when a rack that stays has stored that; until then it may come back, and pages may move there.
        if (next.State != RowState.Free && IsForgotten) _world.OnTakenByForgotten(next.Page);
        if (next.State == RowState.Resident && old.State == RowState.Free && !IsForgotten) _world.OnBorn(next.Page);
        if (next.State == RowState.Resident && old.State != RowState.Resident && !IsForgotten) _world.OnResident(this, next.Page);
    }

    private void CheckUnused(FrameIndex frame, in FrameRow old, in FrameRow next)
    {
        if (old.State == RowState.Incoming) return;
        foreach (var client in Clients)
        {
            if (client.IsAbout(frame)) _world.Violated($"frame {frame} of rack {Id} turns from {old.State} {old.Page} into {next.State} {next.Page} under a client's guard");
        }

        if (_world.FindOperation(this, frame) is { } operation)
            _world.Violated($"frame {frame} of rack {Id} turns from {old.State} {old.Page} into {next.State} under a one-sided operation over {operation.Connection.Link}");
        if (old.State != RowState.Resident) return;
        if (Store.Lookup(old.Page).Kind == LocationKind.Resident) _world.Violated($"{old.Page} leaves frame {frame} of rack {Id} while its entry is open");
        foreach (var holder in _world.Racks.Values)
        {
            if (holder == this || holder.Store.Lookup(old.Page) is not { Kind: LocationKind.Remote } location) continue;
            if (holder.Store.ReadLink(location.LinkSlot) is { } link && link.Id.Owner.Rack == Id && Accepts(link))
                _world.Violated($"{old.Page} leaves rack {Id} while rack {holder.Id} has a valid reference to it");
        }
    }

    private void CheckEntry(PageId page, Location location)
    {
        if (location.Kind == LocationKind.Resident)
        {
            var row = Store.ReadRow(location.Frame);
            if (row.State != RowState.Resident || row.Page != page) _world.Violated($"the entry of {page} in rack {Id} names frame {location.Frame}, which is {row}");
        }
        else if (location.Kind == LocationKind.Remote)
        {
            if (Store.Lookup(page).Kind != LocationKind.Absent) _world.Violated($"rack {Id} installs a reference to {page} over an entry that is {Store.Lookup(page).Kind}");
            for (uint i = 0; i < Store.FrameCount; i++)
            {
                if (Store.ReadRow(new FrameIndex(i)) is { State: not RowState.Free } row && row.Page == page)
                    _world.Violated($"rack {Id} installs a reference to {page} although it has a row of it: {row}");
            }
        }
    }
}
