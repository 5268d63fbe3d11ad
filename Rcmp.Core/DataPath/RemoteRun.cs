using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rcmp.Fabric;

namespace Rcmp.DataPath;

/// <summary>Carries the remote accesses of one round out, pipelined over all links that are involved.</summary>
internal sealed class RemoteRun(LinkTable links, RemoteRequests requests)
{
    private static readonly TimeSpan ConnectionWaitMax = TimeSpan.FromMilliseconds(50);

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
    /// <param name="patience">How much time the operation has.</param>
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
        var wait = patience < ConnectionWaitMax ? patience : ConnectionWaitMax;
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
                if (home.Take(_open == 0 ? wait : TimeSpan.Zero, patience, out var hasFailed) is not { } connection)
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
        switch (requests.TryBegin(lane.Connection, ref access, index, out var token, out var location))
        {
            case RequestStart.Guarded:
                requests.Fill(ref lane.Next(), ref access, token, location);
                return true;
            case RequestStart.Elsewhere:
                return true;
            default:
                Obstacle ??= RemoteRequests.NoSlot;
                return false;
        }
    }

    [SkipLocalsInit]
    private void Await(RemoteLane lane, Span<PageAccess> accesses)
    {
        Span<FabricCompletion> completions = stackalloc FabricCompletion[ClientConnection.WindowMax];
        var count = lane.Exchange(completions, requests.SpinNs, requests.DeadlineNs);
        var now = Stopwatch.GetTimestamp();
        var share = count == 0 ? 0 : (now - LastAt) * (1_000_000_000 / Stopwatch.Frequency) / count;
        LastAt = now;
        var before = Completed;
        foreach (ref readonly var completion in completions[..count])
            Complete(lane, completion, accesses, share);
        // All of an operation are of one kind.
        if (Completed > before)
            requests.CountDone(accesses[0].Op, Completed - before, share * (Completed - before));
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
        ref var access = ref accesses[lane.Connection.AccessOf((int)completion.Token)];
        if (!requests.Complete(lane.Connection, completion, ref access, ns, out var obstacle))
            lane.Broken = lane.HasAbandoned = true;
        if (completion.Status == FabricStatus.DeadlinePassed)
            lane.Home.DoesNotAnswer(RemoteRequests.NoAnswer);
        Obstacle = obstacle ?? Obstacle;
        if (access.State == AccessState.Done)
            Completed++;
    }

    private void Leave(RemoteLane lane)
    {
        requests.Leave(lane.Home, lane.Connection, lane.Broken, lane.HasAbandoned);
        lane.End();
    }
}
