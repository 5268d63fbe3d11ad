using System.Security.Cryptography;
using Rcmp.Native;

namespace Rcmp.Regions;

/// <summary>A session record as the daemon gave it out.</summary>
internal sealed record SessionRecord(int Index, SessionToken Token, string LockPath, SessionSlotState State, uint ProcessId)
{
    /// <summary>When it was given out, by the table's clock.</summary>
    internal long Since { get; init; }

    /// <summary>Its client has said goodbye: its death is no news.</summary>
    internal bool Closed { get; init; }
}

/// <summary>The daemon's view of the session records. What clients can write is not trusted: records are kept here, the region's headers serve the next start. Thread-safe.</summary>
internal sealed unsafe partial class SessionTable
{
    private static readonly TimeSpan OpeningMax = TimeSpan.FromSeconds(30);
    /// <summary>Of a client whose process is there, as long as nobody else needs its record: it may have been stopped, or its machine is slow.</summary>
    private static readonly TimeSpan LiveOpeningMax = TimeSpan.FromMinutes(5);
    private static readonly ulong Boot = ReadBoot();
    private readonly Lock _lock = new();
    private readonly Region _region;
    private readonly GuardTable _guards;
    private readonly string _directory;
    private readonly TimeProvider _clock;
    private readonly SessionRecord?[] _records;
    private readonly List<SessionRecord> _deadAtStart = [];

    /// <summary>Takes over the records of sessions whose clients live on from a previous start of the daemon.</summary>
    /// <param name="region">Opened as daemon.</param>
    /// <param name="guards">Its guards.</param>
    /// <param name="runtimeDirectory">For session files; the same at every start on this region.</param>
    /// <param name="clock">For tests.</param>
    public SessionTable(Region region, GuardTable guards, string runtimeDirectory, TimeProvider? clock = null)
    {
        _clock = clock ?? TimeProvider.System;
        _region = region;
        _guards = guards;
        _directory = Path.GetFullPath(runtimeDirectory);
        _records = new SessionRecord?[region.Layout.SessionCount];
        Directory.CreateDirectory(_directory);
        for (var index = 1; index < _records.Length; index++)
            Adopt(index);
    }

    /// <summary>All that are not free, dead ones that wait for an owner's confirmation too.</summary>
    public IReadOnlyList<SessionRecord> Sessions
    {
        get
        {
            lock (_lock)
                return [.. _records.OfType<SessionRecord>()];
        }
    }

    /// <summary>A record and its session file; null if all are taken.</summary>
    public SessionRecord? TryAllocate(uint processId)
    {
        lock (_lock)
        {
            var index = Array.IndexOf(_records, null, 1);
            if (index < 0)
                return null;
            var token = NewToken();
            var record = new SessionRecord(index, token, LockPathOf(index, token), SessionSlotState.Opening, processId) { Since = _clock.GetTimestamp() };
            using (SystemCalls.FileDescriptor.TryOpen(record.LockPath, true, true, out var errno)
                ?? throw new RegionResourceException($"The session file {record.LockPath} cannot be created: {SystemErrors.Describe(errno)}. Its folder stands beside the region: make room there, or change rcmp.region.path."))
            {
            }

            var header = _region.SessionAt(index);
            header->UsesFence = 0;
            header->ProcessId = processId;
            header->Boot = Boot;
            Volatile.Write(ref header->SlotsUsed, 0);
            header->Token = token.Value;
            Volatile.Write(ref header->State, (uint)SessionSlotState.Opening);
            _guards.Track(index);
            _records[index] = record;
            return record;
        }
    }

    public SessionRecord? Find(SessionToken token)
    {
        lock (_lock)
            return Array.Find(_records, record => record is not null && record.Token == token);
    }

    /// <summary>Tries every session's lock. Those it gets are dead: their local slots are clear, their remote ones wait for <see cref="ReclaimDead"/>. Each is returned once.</summary>
    public IReadOnlyList<SessionRecord> FindDead()
    {
        lock (_lock)
        {
            var dead = new List<SessionRecord>(_deadAtStart);
            _deadAtStart.Clear();
            foreach (var record in _records)
            {
                if (record is { State: SessionSlotState.Opening or SessionSlotState.Active } && Probe(record) is { } gone && !gone.Closed)
                    dead.Add(gone);
            }

            return dead;
        }
    }

    /// <summary>The session's client has left properly: its record comes back once its lock is free, without being reported.</summary>
    public void Close(SessionToken token)
    {
        lock (_lock)
        {
            if (Find(token) is { State: not SessionSlotState.Dead } record)
                _records[record.Index] = record with { Closed = true };
        }
    }

    /// <summary>Gives back records of dead sessions that have no slot in use any more. Call after connections were cleared.</summary>
    public int ReclaimDead()
    {
        lock (_lock)
        {
            var reclaimed = 0;
            foreach (var record in _records)
            {
                if (record is not { State: SessionSlotState.Dead } || !_guards.TryUntrack(record.Index))
                    continue;
                Free(record.Index);
                _records[record.Index] = null;
                reclaimed++;
            }

            return reclaimed;
        }
    }

    /// <summary>At the daemon's proper end: the folder of session files goes, unless a client still lives or somebody else put something there.</summary>
    public void RemoveDirectoryIfUnused()
    {
        lock (_lock)
        {
            foreach (var record in _records)
            {
                if (record is { State: SessionSlotState.Opening or SessionSlotState.Active }) Probe(record);
            }

            if (Array.Exists(_records, record => record is { State: SessionSlotState.Opening or SessionSlotState.Active })) return;
            if (Directory.Exists(_directory) && !Directory.EnumerateFileSystemEntries(_directory).Any()) Directory.Delete(_directory);
        }
    }

    /// <summary>The record if its client is gone.</summary>
    private SessionRecord? Probe(SessionRecord record)
    {
        using var file = SystemCalls.FileDescriptor.TryOpen(record.LockPath, true, false, out _);
        // Without its file (somebody tidied up) the session's end shows by its process alone.
        var isFree = file is null ? !MayLive(record.ProcessId) : SystemCalls.TryLock(file.Number) >= 0;
        if (!isFree)
        {
            if (record.State == SessionSlotState.Opening)
                Activate(record);
            return null;
        }

        // The client has not come to lock it yet; one that came and went has said so in the header.
        if (record is { State: SessionSlotState.Opening, Closed: false } && _region.SessionAt(record.Index)->State == (uint)SessionSlotState.Opening
            && _clock.GetElapsedTime(record.Since) is var waited && (waited < OpeningMax || (waited < LiveOpeningMax && HasRoom && MayLive(record.ProcessId))))
            return null;
        return Bury(record);
    }

    // 0 and negative numbers are groups of processes to the kernel, some of which always exist; a client may have written anything there.
    private static bool MayLive(uint processId) => processId is > 0 and <= int.MaxValue && SystemCalls.ProcessExists((int)processId) != 0;

    /// <summary>At least half of the records are free.</summary>
    private bool HasRoom => _records.Count(static record => record is null) > _records.Length / 2;

    private void Activate(SessionRecord record)
    {
        _records[record.Index] = record with { State = SessionSlotState.Active };
        Volatile.Write(ref _region.SessionAt(record.Index)->State, (uint)SessionSlotState.Active);
    }

    /// <summary>While the lock is held: a client that comes late sees that the file it then locks has no name any more.</summary>
    private SessionRecord Bury(SessionRecord record)
    {
        File.Delete(record.LockPath);
        _guards.BuryLocal(record.Index);
        Volatile.Write(ref _region.SessionAt(record.Index)->State, (uint)SessionSlotState.Dead);
        var dead = record with { State = SessionSlotState.Dead };
        _records[record.Index] = dead;
        return dead;
    }

    private void Free(int index)
    {
        var header = _region.SessionAt(index);
        Volatile.Write(ref header->State, (uint)SessionSlotState.Free);
        header->Token = 0;
        header->ProcessId = 0;
        header->UsesFence = 0;
        Volatile.Write(ref header->SlotsUsed, 0);
    }

    private string LockPathOf(int index, SessionToken token) => Path.Combine(_directory, $"session-{index}-{token}.lock");

    private static SessionToken NewToken()
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        return new SessionToken(BitConverter.ToUInt64(bytes) | 1);
    }

    private static ulong ReadBoot()
    {
        const string path = "/proc/sys/kernel/random/boot_id";
        return File.Exists(path) ? System.IO.Hashing.XxHash3.HashToUInt64(File.ReadAllBytes(path)) | 1 : 1;
    }
}
