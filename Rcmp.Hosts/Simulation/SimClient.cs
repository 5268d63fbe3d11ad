using Rcmp.Hosts.Linearizability;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Hosts.Simulation;

/// <summary>A guard slot as the region has it: it outlives its client.</summary>
internal sealed class SimSlot
{
    public PageId Page;
    public ulong Connection;
    public ulong LinkNumber;

    /// <summary>The store is still in its processor's buffer: the daemon sees the slot clear until a barrier.</summary>
    public bool Buffered;
}

/// <summary>An operation on one word.</summary>
internal sealed class SimAccess
{
    public PageId Page { get; init; }

    public int Word { get; init; }

    public WordOperation Kind { get; init; }

    public ulong Argument { get; init; }

    public ulong Comparand { get; init; }

    /// <summary>Of the history; −1 if it is not kept.</summary>
    public int Entry { get; set; } = -1;

    /// <summary>The page could not vanish when the operation began.</summary>
    public bool PageIsCertain { get; init; }

    public ulong Result { get; set; }
}

/// <summary>A one-sided operation that may be on its way to the owner.</summary>
internal sealed class SimOperation(SimClient client, SimAccess access, FrameIndex frame, SimRack owner, SimConnection connection)
{
    public SimClient Client { get; } = client;

    public SimAccess Access { get; } = access;

    public FrameIndex Frame { get; } = frame;

    public SimRack Owner { get; } = owner;

    public SimConnection Connection { get; } = connection;

    public bool Executed { get; set; }
}

/// <summary>One thread of one client, with the steps of the real data path: each is a step of its own, at any time after the one before.</summary>
internal sealed class SimClient
{
    private const long PollNs = 50_000;

    private readonly SimWorld _world;
    private readonly SimRack _rack;
    private SimRandom _random;
    private Step _step;
    private SimAccess? _access;
    private Location _location;
    private SimOperation? _operation;
    private RequestId _request;
    private SimConnection? _connection;
    private LinkRecord? _link;
    private long _stamp;
    private uint _operations;

    public SimClient(SimWorld world, SimRack rack, uint number)
    {
        _world = world;
        _rack = rack;
        Number = number;
        _random = new SimRandom(SimRandom.Mix(world.Seed, 0xC11E27, number));
        Session = new SessionToken(_random.Next() | 1);
    }

    private enum Step
    {
        Idle,
        Guarded,
        Copying,
        RemoteGuarded,
        Posted,
        Missed,
    }

    public uint Number { get; }

    public SessionToken Session { get; }

    public bool Dead { get; set; }

    /// <summary>Does what it is told, and nothing else.</summary>
    public bool Led { get; init; }

    public long StoppedUntilNs { get; set; }

    public SimSlot Slot { get; private set; } = new();

    /// <summary>Set by the last operation that ended well.</summary>
    public PageId? Completed { get; private set; }

    public string? Failure { get; private set; }

    public bool NotFound { get; private set; }

    public bool IsIdle => _step == Step.Idle;

    /// <summary>It has loaded the location, and its next step touches the frame.</summary>
    public bool IsAbout(FrameIndex frame) => !Dead && _step == Step.Copying && _location.Frame == frame;

    public void Start() => Wake(_random.Between(1_000, 20_000));

    public void Begin(SimAccess access)
    {
        _access = access;
        access.Entry = _world.History.Invoke(this, access);
        Completed = null;
        Failure = null;
        NotFound = false;
        Guard();
    }

    /// <summary>False if the event is void.</summary>
    public bool Run(long stamp)
    {
        if (Dead || stamp != _stamp) return false;
        if (StoppedUntilNs > _world.NowNs)
        {
            Wake(long.Min(StoppedUntilNs - _world.NowNs, PollNs));
            return false;
        }

        // A store that no barrier drains gets out by itself before long.
        if (Slot.Buffered && _random.OneIn(4)) Slot.Buffered = false;
        switch (_step)
        {
            case Step.Idle: return Think();
            case Step.Guarded: Look(); break;
            case Step.Copying: CopyHere(); break;
            case Step.RemoteGuarded: Post(); break;
            case Step.Posted: Complete(); break;
            case Step.Missed: End("no answer to the miss"); break;
        }

        return true;
    }

    public void OnReply(ISessionReply reply)
    {
        if (Dead || reply.Request != _request || _step != Step.Missed) return;
        if (reply is RequestDone { Status: RequestStatus.Ok })
        {
            Guard();
            return;
        }

        if (reply is RequestDone { Status: RequestStatus.PageNotFound }) NotFound = true;
        End(reply is RequestDone done ? $"{done.Status}: {done.Message}" : reply.ToString()!);
    }

    /// <summary>The answer to an operation, or the news that its connection is gone, is on its way.</summary>
    public void Notice(SimOperation operation)
    {
        if (_operation == operation) Wake(_world.Pace(ref _random, _world.OperationPace));
    }

    /// <summary>The owner has confirmed that the connection is gone.</summary>
    public static void Release(SimSlot slot)
    {
        slot.Page = PageId.None;
        slot.Connection = 0;
    }

    /// <summary>The barrier: what was stored before it is seen.</summary>
    public void Drain() => Slot.Buffered = false;

    private void Wake(long delayNs) => _world.Queue.Add(_world.NowNs + delayNs, SimEventKind.Client, this, null, ++_stamp);

    private void Go(Step step)
    {
        _step = step;
        Wake(_world.Pace(ref _random, _world.ClientPace));
    }

    private bool Think()
    {
        if (Led || _world.IsCalm) return false;
        var choice = new SimChoice(SimChoiceKind.Operation, Number, _operations++);
        var access = _world.NextAccess(_rack, ref _random);
        if (access is null || !_world.Schedule.Allows(choice))
        {
            Wake(_random.Between(2_000, 40_000));
            return false;
        }

        _world.Choose(choice, access, _rack, this);
        Begin(access);
        return true;
    }

    private void Guard()
    {
        if (Slot.Connection != 0)
        {
            // Still held by an operation whose end is not known: another slot.
            _rack.Abandon(Slot);
            Slot = new SimSlot();
        }

        Slot.Page = _access!.Page;
        Slot.Buffered = true;
        Go(Step.Guarded);
    }

    private void Look()
    {
        _location = _rack.Store.Lookup(_access!.Page);
        switch (_location.Kind)
        {
            case LocationKind.Resident:
                Go(Step.Copying);
                break;
            case LocationKind.Remote when _rack.Store.ReadLink(_location.LinkSlot) is { } link && Connect(link) is { } connection:
                // The connection is chosen before the guard.
                _connection = connection;
                if (_world.Leaves(ProtocolMutation.ConnectUnderGuard))
                {
                    _link = link;
                    Go(Step.RemoteGuarded);
                    break;
                }

                Slot.Page = PageId.None;
                Slot.Connection = connection.Name;
                Slot.LinkNumber = connection.LinkNumber;
                Slot.Page = _access.Page;
                Slot.Buffered = true;
                Go(Step.RemoteGuarded);
                break;
            default:
                Slot.Page = PageId.None;
                Miss();
                break;
        }
    }

    private SimConnection? Connect(LinkRecord link)
    {
        if (_connection is { Broken: false } open && open.LinkNumber == link.Number) return open;
        return _world.Connect(link, ref _random);
    }

    private void CopyHere()
    {
        _world.Execute(_rack, _access!, _location.Frame, "a client of the owner");
        _rack.Store.Touch(_access!.Page, 0);
        Slot.Page = PageId.None;
        End(null);
    }

    private void Post()
    {
        if (_world.Leaves(ProtocolMutation.ConnectUnderGuard) && !_connection!.Broken)
        {
            Send(_link!);
            return;
        }

        _location = _rack.Store.Lookup(_access!.Page);
        var link = _location.Kind == LocationKind.Remote ? _rack.Store.ReadLink(_location.LinkSlot) : null;
        if (link is null || link.Number != _connection!.LinkNumber || _connection.Broken)
        {
            // Nothing was sent under this guard: it may be cleared.
            Release(Slot);
            Miss();
            return;
        }

        Send(link);
    }

    private void Send(LinkRecord link)
    {
        Slot.Connection = _connection!.Name;
        Slot.LinkNumber = link.Number;
        _operation = new SimOperation(this, _access!, _location.Frame, _world.Racks[link.Id.Owner.Rack], _connection);
        _step = Step.Posted;
        _stamp++;
        _world.Post(_operation, _world.PaceWithStragglers(ref _random, _world.OperationPace));
    }

    private void Complete()
    {
        var operation = _operation!;
        _operation = null;

        // An operation that was carried out may have lost its answer with its connection.
        if (operation.Executed && (!operation.Connection.Broken || _random.OneIn(2)))
        {
            _rack.Store.Touch(_access!.Page, 100);
            if (Slot.Connection == operation.Connection.Name) Release(Slot);
            End(null);
            return;
        }

        if (Slot.Connection == operation.Connection.Name)
        {
            _rack.Abandon(Slot);
            Slot = new SimSlot();
        }

        _rack.Tell(new ReportConnection(Session, _world.NewRequest(ref _random), operation.Connection.LinkNumber, operation.Connection.Name));
        if (_world.Leaves(ProtocolMutation.ResendAtomic))
        {
            Guard();
            return;
        }

        End("the connection was lost", unknown: true);
    }

    private void Miss()
    {
        _step = Step.Missed;
        _request = _world.NewRequest(ref _random);
        // Most of a world's pages are in a span of so many: now and then all of them are read ahead.
        _rack.Tell(new ResolveMiss(Session, _request, _access!.Page, 3, _random.OneIn(8) ? 2 : 0, 8));
        Wake(_random.Between(SimWorld.ClientPatienceNs / 4, SimWorld.ClientPatienceNs));
    }

    private void End(string? failure, bool unknown = false)
    {
        var access = _access!;
        if (failure is null)
        {
            Completed = access.Page;
            _world.History.Return(access.Entry, access.Result);
        }
        else if (!unknown)
        {
            _world.History.Refuse(access.Entry);
        }

        Failure = failure;
        if (NotFound) _world.OnNotFound(access, _rack);
        _step = Step.Idle;
        _access = null;
        Wake(_random.Between(2_000, 40_000));
    }
}
