using Rcmp.Hosts.Linearizability;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation;

/// <summary>A page as its users know it.</summary>
internal sealed class SimPage(PageId id, SessionToken session, bool scoped)
{
    public PageId Id { get; } = id;

    public SessionToken Session { get; } = session;

    public bool Scoped { get; } = scoped;

    /// <summary>The rack has confirmed that the allocation is acknowledged.</summary>
    public bool Acknowledged { get; set; }

    public bool FreeAsked { get; set; }

    public bool Freed { get; set; }

    /// <summary>An operator has removed the rack that had it.</summary>
    public bool Lost { get; set; }

    public ulong[] Words { get; } = new ulong[SimStore.FrameWords];
}

/// <summary>What is known of pages from outside, and the operations on them.</summary>
internal sealed partial class SimWorld
{
    private readonly Dictionary<PageId, SimPage> _byId = [];
    private readonly List<SimPage> _usable = [];
    private readonly HashSet<PageId> _born = [];
    private readonly HashSet<PageId> _bornAgain = [];
    private readonly HashSet<SessionToken> _ended = [];
    private readonly List<SimOperation> _operations = [];
    private readonly Dictionary<ulong, SimConnection> _alive = [];
    private readonly HashSet<(RackId Rack, PageId Page, AttemptId Attempt)> _badCopies = [];

    private bool IsCertain(SimPage page) =>
        !page.FreeAsked && !page.Lost && ((page.Acknowledged && !page.Scoped) || !_ended.Contains(page.Session));

    public void OnSessionEnds(SessionToken session)
    {
        _ended.Add(session);
        _usable.RemoveAll(p => p.Session == session && (p.Scoped || !p.Acknowledged));
    }

    public void OnNotFound(SimAccess access, SimRack rack)
    {
        var page = _byId[access.Page];
        // A drained rack has gone, and its clients' sessions with it, before the operator hears of it.
        var ended = (page.Scoped || !page.Acknowledged) && Racks.Values.Any(r => r.HasRemovedItself && r.Clients.Exists(c => c.Session == page.Session));
        if (access.PageIsCertain && !rack.IsForgotten && IsCertain(page) && !ended) Violated($"rack {rack.Id} said of {access.Page}, which exists, that it does not");
    }

    /// <summary>A page has gone where an operator has given up all pages.</summary>
    public void OnTakenByForgotten(PageId id)
    {
        if (_byId.TryGetValue(id, out var page)) Lose(page);
    }

    /// <summary>A page gets its first row. Whoever still has the id from a page before, in a world where ids come round, reaches this one from now on.</summary>
    public void OnBorn(PageId id)
    {
        if (!_born.Add(id)) _bornAgain.Add(id);
        if (!_byId.TryGetValue(id, out var before)) return;
        if (!_wraps || IsCertain(before)) Violated($"the id {id} was given out although it is in use");
        before.Freed = false;
        Array.Clear(before.Words);
        History.LeaveOut(id);
    }

    /// <summary>A row is about to become resident.</summary>
    public void OnResident(SimRack rack, PageId page)
    {
        foreach (var other in Racks.Values)
        {
            if (other == rack || other.IsForgotten) continue;
            for (uint i = 0; i < other.Store.FrameCount; i++)
            {
                if (other.Store.ReadRow(new FrameIndex(i)) is { State: RowState.Resident } row && row.Page == page)
                    Violated($"page {page} has two owners, racks {other.Id} and {rack.Id}");
            }
        }
    }

    public SimConnection? Connect(LinkRecord link, ref SimRandom random)
    {
        var owner = Racks[link.Id.Owner.Rack];
        if (!owner.Accepts(link) || IsCut(link.Id.Holder.Rack.Value, owner.Id.Value)) return null;
        var connection = new SimConnection(random.Next() | 1, link.Number, link.Id);
        owner.Accepted[connection.Name] = connection;
        _alive[connection.Name] = connection;
        return connection;
    }

    public bool TryGetAlive(ulong name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SimConnection? connection) => _alive.TryGetValue(name, out connection);

    public void OnBroken(SimConnection connection)
    {
        _alive.Remove(connection.Name);
        for (var i = _operations.Count - 1; i >= 0; i--)
        {
            var operation = _operations[i];
            if (operation.Connection != connection) continue;
            _operations.RemoveAt(i);
            operation.Client.Notice(operation);
        }
    }

    public void Post(SimOperation operation, long delayNs)
    {
        _operations.Add(operation);
        Queue.Add(NowNs + delayNs, SimEventKind.Operation, null, operation);
    }

    public SimOperation? FindOperation(SimRack owner, FrameIndex frame)
    {
        foreach (var operation in _operations)
        {
            if (operation.Owner == owner && operation.Frame == frame) return operation;
        }

        return null;
    }

    private bool RunOperation(SimOperation operation)
    {
        if (operation.Connection.Broken) return false;
        var holder = operation.Connection.Link.Holder.Rack.Value;
        if (IsCut(holder, operation.Owner.Id.Value))
        {
            // The bytes are on their way all the same.
            Queue.Add(_cuts[Channel(holder, operation.Owner.Id.Value)], SimEventKind.Operation, null, operation);
            return false;
        }

        _operations.Remove(operation);
        Execute(operation.Owner, operation.Access, operation.Frame, "a one-sided operation");
        operation.Executed = true;
        operation.Client.Notice(operation);
        return true;
    }

    private int Channel(int from, int to) => (from * (_options.Racks + 1)) + to;

    private bool IsCut(int from, int to) => NowNs < _cuts[Channel(from, to)];

    /// <summary>The operation itself. The frame must be the page's, and the word the one that the last operation left.</summary>
    public void Execute(SimRack rack, SimAccess access, FrameIndex frame, string by)
    {
        var row = rack.Store.ReadRow(frame);
        if (row.State != RowState.Resident || row.Page != access.Page) Violated($"a stray byte by {by}: {access.Page} in frame {frame} of rack {rack.Id}, which is {row}");
        ref var word = ref rack.Store.Memory[(frame.Value * SimStore.FrameWords) + access.Word];
        var page = _byId[access.Page];
        if (page.Freed) Violated($"{page.Id} was reached by {by} after it had been freed");
        if (word != page.Words[access.Word] && !page.Lost && !rack.IsForgotten)
            Violated($"a lost write: word {access.Word} of {page.Id} in rack {rack.Id} is {word}, the last operation left {page.Words[access.Word]}");
        access.Result = word;
        word = new WordEvent(0, 0, access.Kind, access.Argument, access.Comparand, 0, 0, 0).Apply(word);
        if (!rack.IsForgotten) page.Words[access.Word] = word;
        Operations++;
        if (_options.Trace) Trace($"{by}: {access.Kind} on word {access.Word} of {page.Id} in rack {rack.Id}: {access.Result} becomes {word}");
    }

    public SimAccess? NextAccess(SimRack rack, ref SimRandom random)
    {
        if (_usable.Count == 0) return null;

        // Skewed, and shifting, so that pages are hot somewhere and get hot elsewhere.
        var page = _usable[(int)((ulong)(rack.Id.Value + (NowNs / 400_000) + (random.OneIn(3) ? random.Pick(_usable.Count) : 0)) % (ulong)_usable.Count)];
        var word = random.OneIn(4) ? 1 : 0;
        var luck = random.Pick(20);
        var kind = luck < 9 ? WordOperation.FetchAdd : luck < 13 ? WordOperation.Read : luck < 15 ? WordOperation.Write
            : luck < 18 ? WordOperation.CompareExchange : WordOperation.Exchange;
        var expected = random.OneIn(3) ? random.Next() % 1000 : page.Words[word];
        return MakeAccess(page, word, kind, kind == WordOperation.FetchAdd ? 1 + (random.Next() % 3) : random.Next() % 1_000_000, expected);
    }

    private SimAccess MakeAccess(SimPage page, int word, WordOperation kind, ulong argument, ulong comparand) => new()
    {
        Page = page.Id, Word = word, Kind = kind, Argument = argument, Comparand = comparand, PageIsCertain = IsCertain(page),
    };

    public void Choose(SimChoice choice, SimAccess access, SimRack rack, SimClient client) => Schedule.Record(
        choice, NowNs, _options.Trace ? $"client {client.Number} of rack {rack.Id}: {access.Kind} on word {access.Word} of {access.Page}" : "");

    /// <summary>A copy has ended, and the owner's row was, or was not, still leaving on account of it.</summary>
    public void NoteCopy(RackId rack, PageId page, AttemptId attempt, bool intact)
    {
        if (intact) _badCopies.Remove((rack, page, attempt));
        else _badCopies.Add((rack, page, attempt));
    }

    public void CheckPulled(RackId rack, OrderAnswered done)
    {
        if (_badCopies.Contains((rack, done.Page, done.Attempt)))
            Violated($"rack {rack} calls its copy of {done.Page} complete, although the owner's row was not leaving for {done.Attempt} any more when it ended");
    }

    private void Allocate(SimRack rack, SimClient client, long count, bool scoped, ref SimRandom random)
    {
        var session = client.Session;
        Ask(rack, new AllocatePages(session, NewRequest(ref random), count, scoped), reply =>
        {
            if (reply is not PagesAllocated allocated || _ended.Contains(session)) return;
            for (var i = 0; i < count; i++) OnAllocated(new SimPage(allocated.First.Plus(i), session, scoped));
            Acknowledge(rack, session, allocated.First, count);
        });
    }

    private void OnAllocated(SimPage page)
    {
        if (_byId.TryGetValue(page.Id, out var before))
        {
            if (!_wraps || IsCertain(before)) Violated($"the id {page.Id} was given out although it is in use");
            _usable.Remove(before);
            History.LeaveOut(page.Id);
            before.Words.CopyTo(page.Words, 0);
        }

        // Ids come round within microseconds here, and not after 2^40 pages: a late free, or a late "no such page", may still mean the one before, told to anybody or not.
        if (_wraps && _bornAgain.Contains(page.Id)) page.FreeAsked = true;

        _byId[page.Id] = page;
        _usable.Add(page);
        // Its rack may have been removed before the address arrived.
        if (Racks.Values.Any(r => r.IsForgotten && HasRow(r, page.Id))) Lose(page);
    }

    // Answers get lost like everything else: asked again until it is known.
    private void Acknowledge(SimRack rack, SessionToken session, PageId first, long count) => Ask(
        rack, new AcknowledgeAllocation(session, NewRequest(ref _random), first, count), reply =>
        {
            if (reply is not RequestDone { Status: RequestStatus.Ok } || _ended.Contains(session)) return;
            for (var i = 0; i < count; i++)
            {
                if (_byId.TryGetValue(first.Plus(i), out var page) && page.Session == session) page.Acknowledged = true;
            }
        });

    private void AcknowledgeAgain()
    {
        foreach (var page in _byId.Values)
        {
            if (page.Acknowledged || page.FreeAsked || page.Lost || _ended.Contains(page.Session)) continue;
            var rack = Racks.Values.FirstOrDefault(r => r.Clients.Exists(c => c.Session == page.Session));
            if (rack is not null) Acknowledge(rack, page.Session, page.Id, 1);
        }
    }

    private void Free(SimRack rack, SimClient client, SimPage page, bool goOn, ref SimRandom random)
    {
        page.FreeAsked = true;
        if (!goOn) _usable.Remove(page);
        Ask(rack, new FreePages(client.Session, NewRequest(ref random), page.Id, 1), reply =>
        {
            _usable.Remove(page);
            if (reply is not RequestDone { Status: RequestStatus.Ok } || _byId[page.Id] != page) return;
            page.Freed = true;
            foreach (var other in Racks.Values)
            {
                for (uint i = 0; i < other.Store.FrameCount && !other.IsForgotten && !_wraps; i++)
                {
                    if (other.Store.ReadRow(new FrameIndex(i)) is { State: RowState.Resident } row && row.Page == page.Id)
                        Violated($"{page.Id} is in rack {other.Id} after it was freed");
                }
            }
        });
    }
}
