namespace Rcmp.Regions;

internal sealed unsafe partial class SessionTable
{
    /// <summary>A record of the previous start: kept if its client lives, buried if not.</summary>
    private void Adopt(int index)
    {
        var header = _region.SessionAt(index);
        var token = new SessionToken(header->Token);
        if (header->State == (uint)SessionSlotState.Free && token.IsNone)
        {
            // Nobody's, but not as it was left: what else is there is damage.
            if ((header->SlotsUsed | header->ProcessId | header->UsesFence) == 0)
                return;
            _region.SlotSpan(index).Clear();
            Free(index);
            return;
        }

        var record = new SessionRecord(index, token, LockPathOf(index, token), SessionSlotState.Active, header->ProcessId) { Since = _clock.GetTimestamp() };
        _records[index] = record;
        _guards.Track(index);
        var wasDead = header->State == (uint)SessionSlotState.Dead;
        if (!wasDead && header->Boot == Boot && Probe(record) is null)
        {
            Volatile.Write(ref header->State, (uint)SessionSlotState.Active);
            return;
        }

        if (_records[index]!.State != SessionSlotState.Dead)
            Bury(record);
        // Its pages may not have been freed before the old daemon ended: it is reported (again).
        if (!token.IsNone)
            _deadAtStart.Add(_records[index]!);
    }
}
