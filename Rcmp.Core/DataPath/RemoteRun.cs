using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rcmp.Fabric;
using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>Carries the remote accesses of one round out, pipelined over all links that are involved.</summary>
internal sealed unsafe class RemoteRun(PoolClient client, LinkTable links, ClientView view, PoolClientOptions options, PoolClientCounters totals)
{
    private const string NoAnswer = "no answer within rcmp.fabric.deadline";

    // Kept from one run to the next, the first ones being in use.
    private readonly List<RemoteLane> _lanes = [];
    private int _open;

    /// <summary>Completed accesses of the round.</summary>
    public int Completed { get; private set; }

    /// <summary>When the last of them came.</summary>
    public long LastAt { get; private set; }

    /// <summary>What kept accesses from completing, for the message.</summary>
    public string? Obstacle { get; private set; }

    /// <param name="accesses">The accesses of the operation.</param>
    /// <param name="remote">Which of them are remote.</param>
    /// <param name="patience">How long to wait for a connection.</param>
    public void Run(Span<PageAccess> accesses, ReadOnlySpan<int> remote, TimeSpan patience)
    {
        Completed = 0;
        Obstacle = null;
        try
        {
            OpenLanes(accesses, remote, patience);
            LastAt = Stopwatch.GetTimestamp();
            while (PostAll(accesses))
            {
                foreach (var lane in Lanes)
                {
                    if (lane.Connection.InFlight > 0)
                        Await(lane, accesses);
                }
            }
        }
        finally
        {
            foreach (var lane in Lanes)
                Leave(lane);
            _open = 0;
        }
    }

    private Span<RemoteLane> Lanes => CollectionsMarshal.AsSpan(_lanes)[.._open];

    /// <summary>Before any guard is set: connections are never opened under one.</summary>
    private void OpenLanes(Span<PageAccess> accesses, ReadOnlySpan<int> remote, TimeSpan patience)
    {
        foreach (var index in remote)
        {
            ref var access = ref accesses[index];
            var lane = LaneOf(access.LinkSlot);
            if (lane is null)
            {
                if (links.Find(access.LinkSlot) is not { } home)
                {
                    Obstacle ??= "the link to the page's rack";
                    access.NeedsResolve = true;
                    continue;
                }

                // Only the first may wait for a connection: two threads that wait while they hold one might wait for each other.
                if (home.Take(_open == 0 ? patience : TimeSpan.Zero, out var hasFailed) is not { } connection)
                {
                    Obstacle ??= home.LastError ?? "a connection to the page's rack (rcmp.client.connections-per-link)";
                    access.NeedsResolve |= hasFailed;
                    continue;
                }

                if (_open == _lanes.Count)
                    _lanes.Add(new RemoteLane());
                lane = _lanes[_open++];
                lane.Begin(access.LinkSlot, home, connection);
            }

            lane.Add(index);
        }
    }

    private RemoteLane? LaneOf(int linkSlot)
    {
        foreach (var lane in Lanes)
        {
            if (lane.Key == linkSlot)
                return lane;
        }

        return null;
    }

    /// <summary>Prepares what goes into the windows. False when nothing is in flight any more.</summary>
    private bool PostAll(Span<PageAccess> accesses)
    {
        var busy = false;
        foreach (var lane in Lanes)
        {
            // Half a window at a time: requests that travel one by one cost a message each, and the other half keeps the owner busy.
            if (!lane.Broken && lane.HasWaiting && lane.Connection.InFlight <= lane.Connection.Window / 2)
            {
                lane.Connection.Reserve(lane.WaitingCount);
                while (lane.HasWaiting && TryPrepare(lane, ref accesses[lane.NextWaiting], lane.NextWaiting))
                    lane.DropWaiting();
            }

            busy |= lane.Connection.InFlight > 0;
        }

        if (_open > 1)
        {
            // All of them at work before the first is waited for.
            foreach (var lane in Lanes)
            {
                if (lane.Connection.InFlight > 0)
                    lane.Send();
            }
        }

        return busy;
    }

    /// <summary>False if it must wait for a completion (or for good, if nothing is in flight). True if it goes with the next ones, or is not to go over this connection.</summary>
    private bool TryPrepare(RemoteLane lane, ref PageAccess access, int index)
    {
        var connection = lane.Connection;
        var token = connection.TryBegin(index);
        if (token < 0)
        {
            Obstacle ??= "a guard slot (rcmp.region.guard-slots)";
            return false;
        }

        var page = access.Address >> view.PageShift;
        client.SetGuard(connection.SlotOf(token), page);
        // Only now is the location safe to use. If it is not what the connection was chosen for, nothing is sent: begin again.
        var word = client.IsClosed ? Location.Absent : client.LoadLocation(page, out access.Entry);
        var isExpected = access.LinkSlot == LinkTable.SelfLink
            ? word.Kind == LocationKind.Resident
            : word.Kind == LocationKind.Remote && word.LinkSlot == connection.LinkSlot;
        if (!isExpected || view.ReadLinkNumber(connection.LinkSlot) != connection.Link.Number)
        {
            connection.End(token);
            return true;
        }

        ref var request = ref lane.Next();
        request.Op = access.Op;
        request.EpochLow = word.EpochLow;
        request.Token = (ulong)token;
        request.Page = new PageId(page);
        request.Frame = word.Frame;
        request.Offset = (uint)(access.Address & ((1UL << view.PageShift) - 1));
        request.Length = access.Length;
        request.Buffer = access.Buffer;
        request.Operand = access.Operand;
        request.Comparand = access.Comparand;
        access.State = AccessState.InFlight;
        return true;
    }

    [SkipLocalsInit]
    private void Await(RemoteLane lane, Span<PageAccess> accesses)
    {
        Span<FabricCompletion> completions = stackalloc FabricCompletion[ClientConnection.WindowMax];
        var count = lane.Exchange(completions, options.SpinNs, (long)options.OperationDeadline.TotalNanoseconds);
        var now = Stopwatch.GetTimestamp();
        var share = count == 0 ? 0 : (now - LastAt) * (1_000_000_000 / Stopwatch.Frequency) / count;
        LastAt = now;
        foreach (ref readonly var completion in completions[..count])
            Complete(lane, completion, accesses, share);
        if (count > 0)
            return;
        // Nothing was in flight, and nothing could be sent.
        lane.Broken = true;
        foreach (ref readonly var request in lane.Unsent)
            Complete(lane, new FabricCompletion(request.Token, FabricStatus.NotSent, 0), accesses, 0);
        lane.DropUnsent();
    }

    private void Complete(RemoteLane lane, in FabricCompletion completion, Span<PageAccess> accesses, long ns)
    {
        var token = (int)completion.Token;
        ref var access = ref accesses[lane.Connection.AccessOf(token)];
        if (completion.Status is FabricStatus.ConnectionLost or FabricStatus.DeadlinePassed)
        {
            lane.Connection.Abandon(token);
            lane.Broken = lane.HasAbandoned = true;
            access.State = access.IsRepeatable ? AccessState.Pending : AccessState.Unknown;
            Obstacle = $"rack {lane.Connection.Link.Id.Owner.Rack} at {lane.Connection.Link.Address}: "
                + (completion.Status == FabricStatus.ConnectionLost ? "the connection was lost" : NoAnswer);
            if (completion.Status == FabricStatus.DeadlinePassed)
                lane.Home.DoesNotAnswer(NoAnswer);
            return;
        }

        if (completion.Status == FabricStatus.Ok)
        {
            // The daemon takes growing slots for a sign of life, and samples heat only then.
            lane.Connection.SlotOf(token)->Hits++;
            client.CountRemote(access, ns);
        }

        lane.Connection.End(token);
        access.State = AccessState.Pending;
        switch (completion.Status)
        {
            case FabricStatus.Ok:
                access.Result = completion.Result;
                access.State = AccessState.Done;
                Completed++;
                break;
            case FabricStatus.NotSent:
                break;
            case FabricStatus.Retry:
                totals.CountRetry();
                Obstacle = "the page's move";
                break;
            default:
                totals.CountRetry();
                Obstacle = $"a new reference to the page, since its rack answers {completion.Status}";
                access.NeedsResolve = true;
                break;
        }
    }

    private void Leave(RemoteLane lane)
    {
        // In flight is only what an exception left: nobody would collect it any more.
        for (var token = 0; lane.Connection.InFlight > 0 && token < lane.Connection.Window; token++)
        {
            if (lane.Connection.SlotOf(token) == null || Volatile.Read(ref lane.Connection.SlotOf(token)->Page) == 0)
                continue;
            lane.Connection.Abandon(token);
            lane.Broken = lane.HasAbandoned = true;
        }

        if (lane.Broken || !lane.Connection.Fabric.IsUsable)
            links.Break(lane.Home, lane.Connection, lane.HasAbandoned);
        else
            lane.Home.Return(lane.Connection);
        lane.End();
    }
}
