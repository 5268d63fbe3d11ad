using System.Diagnostics;
using Rcmp.Fabric;
using Rcmp.Protocol.Messages;

namespace Rcmp.DataPath;

/// <summary>A read, write or atomic that is more than a rack hit. Goes on in steps that never wait for a page, so that a caller's thread may block between them, and a
/// pool thread may do something else. One thread at a time; between the steps nothing touches the caller's memory.</summary>
internal sealed unsafe class PageOperation
{
    // So many are looked up before the first is sent, and the last must be back before the next are looked up.
    private const int AccessesMax = 512;
    private const int AccessesMin = 4;
    private const int MissesMax = 32;
    /// <summary>A range goes over the fabric in pieces: while one is copied at this end, the next is on its way, and the one after it is copied at the other.</summary>
    private const int PieceBytes = 128 << 10;

    private readonly PoolClient _client;
    private readonly PoolClientOptions _options;
    private readonly MissTable _missTable;
    private readonly RemoteRun _remoteRun;
    private readonly List<(ulong Address, Task<MissOutcome> Answer)> _misses = [];
    private PageAccess[] _accesses = new PageAccess[AccessesMin];
    private int[] _remote = new int[AccessesMin];
    private int _count;
    private FabricOp _op;
    private long _progressAt;
    private int _idleRounds;
    private bool _wasTried;
    private string? _obstacle;
    private ulong _obstacleAddress;

    /// <param name="client">Whose it is.</param>
    /// <param name="place">See <see cref="Place"/>.</param>
    public PageOperation(PoolClient client, int place)
    {
        (_client, Place) = (client, place);
        (_options, _missTable, _remoteRun) = client.OperationParts();
    }

    /// <summary>Where the client keeps it for the next use.</summary>
    public int Place { get; }

    /// <summary>The ranges of a read or write.</summary>
    public RangeParts Parts { get; } = new();

    /// <summary>Begins reads or writes of ranges, which are added to <see cref="Parts"/>.</summary>
    public void Begin(FabricOp op)
    {
        (_op, _count) = (op, 0);
        Parts.Clear();
        (_idleRounds, _wasTried, _obstacle) = (0, false, null);
        _progressAt = Stopwatch.GetTimestamp();
        Answers = Task.CompletedTask;
        _misses.Clear();
    }

    /// <summary>Begins a read or write of one range.</summary>
    public void Begin(FabricOp op, in RangePart part)
    {
        Begin(op);
        Parts.Add(part);
    }

    /// <summary>Begins an atomic.</summary>
    public void Begin(in PageAccess atomic)
    {
        Begin(atomic.Op);
        _accesses[_count++] = atomic;
    }

    /// <summary>Begins with what <see cref="RemoteRequests.RunAlone"/> has left: as if the first round were over, if it was one.</summary>
    /// <param name="access">All there is to do.</param>
    /// <param name="wasTried">It was tried, and its state says how that ended.</param>
    /// <param name="obstacle">What was in the way then.</param>
    /// <param name="startedAt">When the first round began.</param>
    public void Begin(in PageAccess access, bool wasTried, string? obstacle, long startedAt)
    {
        Begin(access.Op);
        // A part without a rest: messages speak of a range.
        if (access.Op is FabricOp.Read or FabricOp.Write)
            Parts.Add(new RangePart());
        _accesses[_count++] = access;
        (_wasTried, _progressAt) = (wasTried, startedAt);
        if (obstacle is not null)
            Note(obstacle, access.Address);
    }

    /// <summary>What an atomic found.</summary>
    public ulong Result { get; private set; }

    /// <summary>After <see cref="StepResult.Answers"/>: completes when they are there, or cannot be had. To be waited for no longer than <see cref="Patience"/>: others may wait for
    /// the same answers, and have asked later.</summary>
    public Task Answers { get; private set; } = Task.CompletedTask;

    /// <summary>How many steps in a row have brought nothing.</summary>
    public int IdleRounds => _idleRounds;

    /// <exception cref="PageNotFoundException">A page does not exist.</exception>
    /// <exception cref="PageUnavailableException">Nothing has gone on for the client's timeout.</exception>
    /// <exception cref="PoolOutcomeUnknownException">A write or atomic was sent and its answer lost.</exception>
    public StepResult Step()
    {
        JudgeMisses();
        while (true)
        {
            if (_count == 0 && !Refill())
                return StepResult.Done;
            var done = TryRound();
            RemoveEnded();
            if (done > 0)
            {
                _idleRounds = 0;
                _obstacle = null;
                _progressAt = Stopwatch.GetTimestamp();
            }

            if (_count == 0)
                continue;
            // The first time without a pause; afterwards the daemon is not asked over and over.
            if (_idleRounds % 2 == 0 && AskForMissing())
            {
                _idleRounds++;
                return StepResult.Answers;
            }

            if (done > 0)
                continue;
            CheckPatience();
            _idleRounds++;
            return StepResult.Pause;
        }
    }

    private int TryRound()
    {
        if (_wasTried)
        {
            // Not even if the client has been closed meanwhile: what was sent must be reported first.
            _wasTried = false;
            return 0;
        }

        _client.ThrowIfClosed();
        return TryAll();
    }

    private int TryAll()
    {
        var accesses = _accesses.AsSpan(0, _count);
        var done = 0;
        var remote = 0;
        var lastPage = ulong.MaxValue;
        for (var i = 0; i < accesses.Length; i++)
        {
            ref var access = ref accesses[i];
            var page = access.Address >> _client.PageShift;
            if (page == lastPage)
            {
                // As the one before it; where it is then is looked up under its own guard anyway.
                access.LinkSlot = accesses[i - 1].LinkSlot;
                _remote[remote++] = i;
                continue;
            }

            var found = _client.TryAccess(ref access);
            lastPage = found == LookupResult.Remote ? page : ulong.MaxValue;
            switch (found)
            {
                case LookupResult.Done:
                    done++;
                    break;
                case LookupResult.Remote:
                    _remote[remote++] = i;
                    break;
                case LookupResult.Moving:
                    Note("the page's move", access.Address);
                    break;
                default:
                    access.NeedsResolve = true;
                    break;
            }
        }

        if (remote == 0)
            return done;
        _remoteRun.Run(accesses, _remote.AsSpan(0, remote), Patience);
        if (_remoteRun.Obstacle is { } obstacle)
            Note(obstacle, accesses[_remote[0]].Address);
        return done + _remoteRun.Completed;
    }

    private void RemoveEnded()
    {
        ulong? unknown = null;
        var kept = 0;
        for (var i = 0; i < _count; i++)
        {
            ref var access = ref _accesses[i];
            if (access.State == AccessState.Done)
                Result = access.Result;
            else if (access.State == AccessState.Unknown)
                unknown ??= access.Address;
            else
                _accesses[kept++] = access;
        }

        _count = kept;
        if (unknown is { } address)
            throw new PoolOutcomeUnknownException(
                $"{_op} at {new GAddr(address)} was sent, and its answer was lost ({_obstacle}): it may have been carried out or not, and is not repeated.{PartlyDone}");
    }

    /// <summary>Asks the daemon for the pages that are not reachable: a run of pages takes one message.</summary>
    private bool AskForMissing()
    {
        var accesses = _accesses.AsSpan(0, _count);
        ulong coveredFrom = 1;
        ulong coveredTo = 0;
        for (var i = 0; i < accesses.Length; i++)
        {
            ref var access = ref accesses[i];
            if (!access.NeedsResolve || _misses.Count >= MissesMax)
                continue;
            access.NeedsResolve = false;
            var page = access.Address >> _client.PageShift;
            if (page >= coveredFrom && page <= coveredTo)
                continue;
            var following = Following(accesses, i);
            var block = (ulong)_options.Neighbours + 1;
            coveredFrom = page;
            coveredTo = Math.Max(page + (ulong)following, page - page % block + block - 1);
            _misses.Add((access.Address, _missTable.ResolveAsync(new PageId(page), following)));
        }

        if (_misses.Count == 0)
            return false;
        Answers = _misses.Count == 1 ? _misses[0].Answer : Task.WhenAll(_misses.Select(static miss => miss.Answer));
        return true;
    }

    /// <summary>How many pages the ranges go on behind an access without a gap, as far as one question may ask for them.</summary>
    private int Following(ReadOnlySpan<PageAccess> accesses, int from)
    {
        var shift = _client.PageShift;
        var last = from;
        while (last + 1 < accesses.Length && accesses[last + 1].Address >> shift <= (accesses[last].Address >> shift) + 1 && accesses[last + 1].Address > accesses[last].Address)
            last++;
        var end = accesses[last].Address + accesses[last].Length;
        if (last == accesses.Length - 1)
            end += (ulong)Parts.LengthAt(end);
        var pages = (end - 1 >> shift) - (accesses[from].Address >> shift);
        return (int)Math.Min(pages, (ulong)Math.Max(_options.NeighboursMax, _options.Neighbours));
    }

    private void JudgeMisses()
    {
        foreach (var (address, answer) in _misses)
        {
            if (!answer.IsCompletedSuccessfully)
                continue;
            var outcome = answer.Result;
            if (outcome.Status == RequestStatus.PageNotFound)
                throw new PageNotFoundException($"There is no page at {new GAddr(address)}: it was never allocated, or has been freed. {outcome.Message}{PartlyDone}");
            if (outcome.Status == RequestStatus.Ok)
                continue;
            Note(outcome.Message, address);
            if (Stopwatch.GetElapsedTime(_progressAt) >= _options.Timeout)
                throw Unavailable(outcome.Error);
        }

        _misses.Clear();
    }

    private bool Refill()
    {
        // Aligned, so that no word is in two pieces.
        var boundary = Math.Min(1UL << _client.PageShift, PieceBytes);
        while (_count < AccessesMax && Parts.TryTake(boundary, out var piece))
        {
            if (_count == _accesses.Length)
                Grow();
            _accesses[_count++] = new PageAccess { Op = _op, Address = piece.Address, Buffer = piece.Buffer, Length = (uint)piece.Length };
        }

        return _count > 0;
    }

    private void Grow()
    {
        Array.Resize(ref _accesses, 4 * _accesses.Length);
        Array.Resize(ref _remote, _accesses.Length);
    }

    /// <summary>How long there is still to wait, unless something goes on.</summary>
    public TimeSpan Patience
    {
        get
        {
            var left = _options.Timeout - Stopwatch.GetElapsedTime(_progressAt);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    private void Note(string obstacle, ulong address)
    {
        _obstacle = obstacle;
        _obstacleAddress = address;
    }

    private void CheckPatience()
    {
        if (Patience == TimeSpan.Zero)
            throw Unavailable(null);
    }

    private PageUnavailableException Unavailable(Exception? error) => new(
        $"{_op} at {new GAddr(_obstacle is null ? _accesses[0].Address : _obstacleAddress)} could not be carried out: waited for {_obstacle ?? "the page to become reachable"} "
        + $"(rcmp.client.timeout = {_options.Timeout.TotalSeconds:0.###}s).{PartlyDone}", error);

    private string PartlyDone => _op is FabricOp.Read or FabricOp.Write && Parts.Count > 0
        ? _op == FabricOp.Write ? " The range may be partly written." : " The range may be partly read."
        : "";
}
