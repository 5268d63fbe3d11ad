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
}

/// <summary>A one-sided increment that may be on its way to the owner.</summary>
internal sealed class SimOperation
{
    public required PageId Page { get; init; }

    public required FrameIndex Frame { get; init; }

    public required RackId Owner { get; init; }

    public required ulong Connection { get; init; }

    public bool Executed { get; set; }
}

/// <summary>One thread of one client: increments words of pages with the steps of the real data path, each a step of its own.</summary>
internal sealed class SimClient(SimWorld world, SimRack rack, SessionToken session)
{
    private enum Step
    {
        Idle,
        Guarded,
        Copying,
        RemoteGuarded,
        Posted,
        Missed,
    }

    private Step _step;
    private PageId _page;
    private Location _location;
    private SimOperation? _operation;
    private RequestId _request;
    private long _missedNs;
    private SimConnection? _connection;

    public SessionToken Session { get; } = session;

    public bool Dead { get; set; }

    public long StoppedUntilNs { get; set; }

    public SimSlot Slot { get; private set; } = new();

    /// <summary>Set by the last operation that ended well.</summary>
    public PageId? Completed { get; set; }

    public string? Failure { get; set; }

    public bool IsIdle => _step == Step.Idle;

    public void Begin(PageId page)
    {
        _page = page;
        Completed = null;
        Failure = null;
        Guard();
    }

    public void Run()
    {
        if (Dead || StoppedUntilNs > world.NowNs) return;
        switch (_step)
        {
            case Step.Guarded: Look(); break;
            case Step.Copying: CopyHere(); break;
            case Step.RemoteGuarded: Post(); break;
            case Step.Posted: Complete(); break;
            case Step.Missed when world.NowNs - _missedNs > SimWorld.ClientPatienceNs: End("no answer to the miss"); break;
        }
    }

    public void OnReply(ISessionReply reply)
    {
        if (Dead || reply.Request != _request || _step != Step.Missed) return;
        if (reply is RequestDone { Status: RequestStatus.Ok }) Guard();
        else End(reply.ToString()!);
    }

    /// <summary>The owner has confirmed that the connection is gone.</summary>
    public void Release(Func<ulong, bool> isReleased)
    {
        if (Slot.Connection == 0 || !isReleased(Slot.Connection)) return;
        if (_operation is { } operation && !Dead && _step == Step.Posted) world.OutcomeUnknown(operation);
        Slot.Page = PageId.None;
        Slot.Connection = 0;
        _operation = null;
        if (_step is Step.Posted or Step.RemoteGuarded) End("the connection was lost");
    }

    private void Guard()
    {
        if (Slot.Connection != 0)
        {
            // Still held by an operation whose end is not known: another slot.
            world.Abandon(rack, this, Slot);
            Slot = new SimSlot();
        }

        Slot.Page = _page;
        _step = Step.Guarded;
    }

    private void Look()
    {
        _location = rack.Store.Lookup(_page);
        switch (_location.Kind)
        {
            case LocationKind.Resident:
                _step = Step.Copying;
                break;
            case LocationKind.Remote when rack.Store.ReadLink(_location.LinkSlot) is { } link && Connect(link) is { } connection:
                // The connection is chosen before the guard.
                Slot.Page = PageId.None;
                _connection = connection;
                Slot.Connection = connection.Name;
                Slot.LinkNumber = connection.LinkNumber;
                Slot.Page = _page;
                _step = Step.RemoteGuarded;
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
        return world.Connect(rack, link);
    }

    private void CopyHere()
    {
        world.Increment(rack, _page, _location.Frame, "a client of the owner");
        rack.Store.Touch(_page, 0);
        Slot.Page = PageId.None;
        End(null);
    }

    private void Post()
    {
        _location = rack.Store.Lookup(_page);
        var link = _location.Kind == LocationKind.Remote ? rack.Store.ReadLink(_location.LinkSlot) : null;
        if (link is null || link.Number != _connection!.LinkNumber || _connection.Broken)
        {
            // Nothing was sent under this guard: it may be cleared.
            Slot.Page = PageId.None;
            Slot.Connection = 0;
            Miss();
            return;
        }

        _operation = new SimOperation { Page = _page, Frame = _location.Frame, Owner = link.Id.Owner.Rack, Connection = _connection.Name };
        world.Post(_operation);
        _step = Step.Posted;
    }

    private void Complete()
    {
        if (_operation!.Executed)
        {
            rack.Store.Touch(_page, 100);
            Slot.Page = PageId.None;
            Slot.Connection = 0;
            _operation = null;
            End(null);
        }
        else if (_connection!.Broken)
        {
            world.OutcomeUnknown(_operation);
            rack.Tell(new ReportConnection(Session, world.NewRequest(), _connection.LinkNumber, _connection.Name));
            world.Abandon(rack, this, Slot);
            Slot = new SimSlot();
            _operation = null;
            End("the connection was lost");
        }
    }

    private void Miss()
    {
        _step = Step.Missed;
        _missedNs = world.NowNs;
        _request = world.NewRequest();
        rack.Tell(new ResolveMiss(Session, _request, _page, 3));
    }

    private void End(string? failure)
    {
        if (failure is null) Completed = _page;
        Failure = failure;
        _step = Step.Idle;
    }
}
