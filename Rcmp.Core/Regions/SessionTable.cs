namespace Rcmp.Regions;

/// <summary>A session record as the daemon gave it out.</summary>
internal sealed record SessionRecord(int Index, SessionToken Token, string LockPath, SessionSlotState State, uint ProcessId);

/// <summary>The daemon's view of the session records. Thread-safe.</summary>
internal sealed unsafe class SessionTable : IDisposable
{
    /// <summary>Takes over the records of sessions whose clients live on from a previous start of the daemon.</summary>
    /// <param name="region">Opened as daemon.</param>
    /// <param name="guards">Its guards.</param>
    /// <param name="runtimeDirectory">For session files; the same at every start on this region.</param>
    public SessionTable(Region region, GuardTable guards, string runtimeDirectory) => throw new NotSupportedException();

    /// <summary>All that are not free, dead ones that wait for an owner's confirmation too.</summary>
    public IReadOnlyList<SessionRecord> Sessions => throw new NotSupportedException();

    /// <summary>A record and its session file; null if all are taken.</summary>
    public SessionRecord? TryAllocate(uint processId) => throw new NotSupportedException();

    public SessionRecord? Find(SessionToken token) => throw new NotSupportedException();

    /// <summary>Tries every session's lock. Those it gets are dead: their local slots are clear, their remote ones wait for <see cref="ReclaimDead"/>. Each is returned once.</summary>
    public IReadOnlyList<SessionRecord> FindDead() => throw new NotSupportedException();

    /// <summary>Ends a session that its client has left properly: like a dead one, once its lock is free.</summary>
    public void Close(SessionToken token) => throw new NotSupportedException();

    /// <summary>Gives back records of dead sessions that have no slot in use any more. Call after connections were cleared.</summary>
    public int ReclaimDead() => throw new NotSupportedException();

    public void Dispose() => throw new NotSupportedException();
}
