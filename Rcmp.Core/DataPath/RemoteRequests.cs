using System.Diagnostics;
using System.Runtime.CompilerServices;
using Rcmp.Fabric;
using Rcmp.Regions;

namespace Rcmp.DataPath;

/// <summary>How a remote request began.</summary>
internal enum RequestStart
{
    /// <summary>Its guard is set and its location known: send it.</summary>
    Guarded,
    /// <summary>The page is not any more where the connection leads to; there is no guard. Look it up again.</summary>
    Elsewhere,
    /// <summary>No token or no guard slot is left.</summary>
    NoRoom,
}

/// <summary>What a remote request is, from its guard to its end: for those of a <see cref="RemoteRun"/> and for one that goes alone. Serves all threads of a client.</summary>
internal sealed unsafe class RemoteRequests(PoolClient client, LinkTable links, ClientView view, PoolClientOptions options, PoolClientCounters totals)
{
    public const string NoAnswer = "no answer within rcmp.fabric.deadline";
    public const string NoSlot = "a guard slot (rcmp.region.guard-slots)";
    private const string NoLink = "the link to the page's rack";

    public long SpinNs { get; } = options.SpinNs;

    public long DeadlineNs { get; } = (long)options.OperationDeadline.TotalNanoseconds;

    /// <summary>Carries one access out by itself, with nothing that only many need: the first round of an operation, which goes on from here if there must be a second.
    /// Allocates nothing if all is well.</summary>
    /// <param name="access">Done, or as a <see cref="RemoteRun"/> would have left it.</param>
    /// <param name="obstacle">What kept it from completing, as far as there is something to say.</param>
    /// <param name="startedAt">When this began.</param>
    /// <returns>False if nothing has been tried, since that would have been to wait for a connection.</returns>
    [SkipLocalsInit]
    public bool RunAlone(ref PageAccess access, out string? obstacle, out long startedAt)
    {
        obstacle = null;
        startedAt = Stopwatch.GetTimestamp();
        if (links.Find(access.LinkSlot) is not { } home)
        {
            obstacle = NoLink;
            return access.NeedsResolve = true;
        }

        // Before any guard is set: connections are never opened under one.
        if (home.Take(TimeSpan.Zero, options.Timeout, out var hasFailed) is not { } connection)
        {
            obstacle = home.LastError;
            return access.NeedsResolve = hasFailed;
        }

        // How long it took to open is not the page's heat.
        var sentAt = connection.IsNew ? Stopwatch.GetTimestamp() : startedAt;
        var isBroken = false;
        var hasAbandoned = false;
        try
        {
            var start = TryBegin(connection, ref access, 0, out var token, out var location);
            if (start == RequestStart.Guarded)
            {
                Unsafe.SkipInit(out FabricRequest request);
                Unsafe.SkipInit(out FabricCompletion completion);
                Fill(ref request, ref access, token, location);
                var count = connection.Fabric.Exchange(
                    new ReadOnlySpan<FabricRequest>(in request), out _, new Span<FabricCompletion>(ref completion), SpinNs, DeadlineNs);
                // Nothing was in flight, and nothing could be sent.
                isBroken = count == 0;
                if (isBroken)
                    completion = new FabricCompletion((ulong)token, FabricStatus.NotSent, 0);
                var ns = NsSince(sentAt);
                hasAbandoned = !Complete(connection, completion, ref access, ns, out obstacle);
                if (access.State == AccessState.Done)
                    CountDone(access.Op, 1, ns);
                if (completion.Status == FabricStatus.DeadlinePassed)
                    home.DoesNotAnswer(NoAnswer);
            }
            else if (start == RequestStart.NoRoom)
            {
                obstacle = NoSlot;
            }
        }
        finally
        {
            // Whoever takes it next looks whether it is usable; after an answer there is no reason to doubt it.
            if (access.State == AccessState.Done)
                home.Return(connection);
            else
                Leave(home, connection, isBroken || hasAbandoned, hasAbandoned);
        }

        return true;
    }

    /// <summary>Sets the guard of a request, then loads the location: only then is it safe to use. If it is not what the connection was chosen for, nothing is to be
    /// sent.</summary>
    /// <param name="connection">Taken before any guard was set.</param>
    /// <param name="access">Where it goes.</param>
    /// <param name="index">Which of its operation's accesses it is.</param>
    /// <param name="token">To end the request with.</param>
    /// <param name="location">Where the page is.</param>
    public RequestStart TryBegin(ClientConnection connection, ref PageAccess access, int index, out int token, out Location location)
    {
        location = Location.Absent;
        token = connection.TryBegin(index);
        if (token < 0)
            return RequestStart.NoRoom;
        var page = access.Address >> view.PageShift;
        client.SetGuard(connection.SlotOf(token), page);
        if (!client.IsClosed)
            location = client.LoadLocation(page, out access.Entry);
        var isExpected = access.LinkSlot == LinkTable.SelfLink
            ? location.Kind == LocationKind.Resident
            : location.Kind == LocationKind.Remote && location.LinkSlot == connection.LinkSlot;
        if (isExpected && view.ReadLinkNumber(connection.LinkSlot) == connection.Link.Number)
            return RequestStart.Guarded;
        connection.End(token);
        return RequestStart.Elsewhere;
    }

    /// <summary>Makes the request of a guarded access, which is in flight from here on.</summary>
    public void Fill(ref FabricRequest request, ref PageAccess access, int token, Location location)
    {
        request.Op = access.Op;
        request.EpochLow = location.EpochLow;
        request.Token = (ulong)token;
        request.Page = new PageId(access.Address >> view.PageShift);
        request.Frame = location.Frame;
        request.Offset = (uint)(access.Address & ((1UL << view.PageShift) - 1));
        request.Length = access.Length;
        request.Buffer = access.Buffer;
        request.Operand = access.Operand;
        request.Comparand = access.Comparand;
        access.State = AccessState.InFlight;
    }

    /// <summary>Ends a request as its completion says. What is done is to be told to <see cref="CountDone"/>.</summary>
    /// <param name="connection">Where it went.</param>
    /// <param name="completion">Its end.</param>
    /// <param name="access">What it was for.</param>
    /// <param name="ns">How long it took.</param>
    /// <param name="obstacle">What kept it from completing, as far as there is something to say.</param>
    /// <returns>False if the connection is lost and the request's guard stays: nobody knows whether it is still carried out.</returns>
    public bool Complete(ClientConnection connection, in FabricCompletion completion, ref PageAccess access, long ns, out string? obstacle)
    {
        obstacle = null;
        var token = (int)completion.Token;
        if (completion.Status is FabricStatus.ConnectionLost or FabricStatus.DeadlinePassed)
        {
            connection.Abandon(token);
            access.State = access.IsRepeatable ? AccessState.Pending : AccessState.Unknown;
            obstacle = $"rack {connection.Link.Id.Owner.Rack} at {connection.Link.Address}: "
                + (completion.Status == FabricStatus.ConnectionLost ? "the connection was lost" : NoAnswer);
            return false;
        }

        if (completion.Status == FabricStatus.Ok)
        {
            // The daemon takes growing slots for a sign of life, and samples heat only then.
            connection.SlotOf(token)->Hits++;
            // While the guard is set: the entry may become another page's afterwards.
            client.CountHeat(access, ns);
            connection.End(token);
            access.Result = completion.Result;
            access.State = AccessState.Done;
            return true;
        }

        connection.End(token);
        access.State = AccessState.Pending;
        switch (completion.Status)
        {
            case FabricStatus.NotSent:
                break;
            case FabricStatus.Retry:
                totals.CountRetry();
                obstacle = "the page's move";
                break;
            default:
                totals.CountRetry();
                obstacle = $"a new reference to the page, since its rack answers {completion.Status}";
                access.NeedsResolve = true;
                break;
        }

        return true;
    }

    /// <summary>Counts accesses that are done, those of one exchange together.</summary>
    public void CountDone(FabricOp op, int count, long ns) => totals.CountRemote(op, count, ns);

    /// <summary>Gives a connection back, or has it destroyed if it is of no use any more.</summary>
    public void Leave(LinkConnections home, ClientConnection connection, bool isBroken, bool hasAbandoned)
    {
        // In flight is only what an exception left: nobody would collect it any more.
        for (var token = 0; connection.InFlight > 0 && token < connection.Window; token++)
        {
            if (connection.SlotOf(token) == null || Volatile.Read(ref connection.SlotOf(token)->Page) == 0)
                continue;
            connection.Abandon(token);
            isBroken = hasAbandoned = true;
        }

        if (isBroken || !connection.Fabric.IsUsable)
            links.Break(home, connection, hasAbandoned);
        else
            home.Return(connection);
    }

    private static long NsSince(long timestamp) => (Stopwatch.GetTimestamp() - timestamp) * (1_000_000_000 / Stopwatch.Frequency);
}
