using System.Collections.Concurrent;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Runtime;

internal sealed partial class RackHost
{
    /// <summary>The link to the rack itself has the last number of this start: the state machine counts from the first.</summary>
    private ulong SelfLinkNumber => ((Generation.Value + 1) << RackCore.LinkNumberShift) - 1;

    private const int ClientNameMax = 128;

    private readonly ConcurrentDictionary<SessionToken, SessionInfo> _clients = [];
    private readonly Dictionary<ulong, LinkRecord> _publishedLinks = [];

    /// <summary>Who has a session.</summary>
    internal sealed record SessionInfo(SessionToken Token, int Index, string ClientName, uint ProcessId, long OpenedNs, bool Ready);

    public IReadOnlyCollection<SessionInfo> Clients => [.. _clients.Values];

    public string RegionPath => _options.RegionPath;

    /// <summary>Gives a client a session record.</summary>
    /// <exception cref="PoolMismatchException">Another pool id or format version.</exception>
    /// <exception cref="PoolNotConnectedException">The rack has not registered yet.</exception>
    /// <exception cref="PoolExhaustedException">All session records are taken.</exception>
    public SessionGrant OpenSession(SessionRequest request)
    {
        var layout = _region.Layout;
        if (request.PoolId is { } pool && pool != layout.PoolId)
            throw new PoolMismatchException($"The client wants pool {pool}, but rack {Rack} belongs to pool {layout.PoolId}: correct rcmp.pool.id.");
        if (request.FormatVersion != RegionLayout.FormatVersion)
            throw new PoolMismatchException($"The client knows region format {request.FormatVersion}, the rack has {RegionLayout.FormatVersion}: use the same release.");
        if (Rack.IsNone) throw new PoolNotConnectedException("The rack has not registered with the master yet.");
        var record = TryAllocateSession((uint)request.ProcessId) ?? throw new PoolExhaustedException(
            $"All {layout.SessionCount - 1} sessions of rack {Rack} are taken (rcmp.region.sessions, fixed when the region is created). See docs/failures/limits.md.");
        var name = Printable.Line(request.ClientName, ClientNameMax);
        _clients[record.Token] = new SessionInfo(record.Token, record.Index, name, record.ProcessId, NowNs, Ready: false);
        RackLog.SessionOpened(_log, record.Token, name, request.ProcessId, record.Index);
        return Grant(record);
    }

    /// <summary>Records of dead sessions come back when their slots are clear, which may be after their pages were freed.</summary>
    private SessionRecord? TryAllocateSession(uint processId) =>
        _sessions.TryAllocate(processId) ?? (_sessions.ReclaimDead() > 0 ? _sessions.TryAllocate(processId) : null);

    /// <summary>The session of a client that lost its connection, its daemon or its actor system; null if it has ended.</summary>
    public SessionGrant? ResumeSession(SessionToken token) => _sessions.Find(token) is { State: SessionSlotState.Active } record ? Grant(record) : null;

    /// <summary>The client holds its session file's lock.</summary>
    public void SessionReady(SessionToken token)
    {
        if (_clients.TryGetValue(token, out var info)) _clients[token] = info with { Ready = true };
    }

    /// <summary>What the rack is doing, as of now.</summary>
    public Task<RackCoreStatus> StatusAsync()
    {
        var done = new TaskCompletionSource<RackCoreStatus>(TaskCreationOptions.RunContinuationsAsynchronously);
        // Named, since a lambda given for an object would become a function, which the machine does not run.
        Action work = () => done.TrySetResult(_core.Status());
        Enqueue(work);
        return done.Task;
    }

    internal void OnRegistered(RackId rack)
    {
        if (!_options.PublishSelfLink || _publishedLinks.ContainsKey(SelfLinkNumber)) return;
        var self = new RackIncarnation(rack, Generation);
        var link = new LinkRecord(SelfLinkNumber, new LinkId(self, self, RandomWord()), Key, _server.Address);
        _server.AcceptRegistration(link.Id);
        if (_store.TryPublishLink(link) >= 0) _publishedLinks[SelfLinkNumber] = link;
    }

    internal void OnSessionFreed(SessionToken session)
    {
        _clients.TryRemove(session, out _);
        _sessions.ReclaimDead();
    }

    private SessionGrant Grant(SessionRecord record) => new(
        record.Token, record.Index, record.LockPath, Path.GetFullPath(_options.RegionPath), _region.Layout.RegionId, _region.Layout.PoolId,
        _region.Layout.PageSize, Rack);

    private bool IsKnown(SessionToken session) => _sessions.Find(session) is not null;

    private void RefuseUnknown(ISessionRequest request) => _transport?.ToSession(request.Session, new RequestDone(
        request.Request, RequestStatus.SessionUnknown, $"Rack {Rack} does not know session {request.Session}: connect again.", 0));

    private void AdoptSessions()
    {
        foreach (var record in _sessions.Sessions.Where(session => session.State == SessionSlotState.Active))
            _clients[record.Token] = new SessionInfo(record.Token, record.Index, "(from an earlier start)", record.ProcessId, NowNs, Ready: true);
    }

    /// <summary>Looks for clients that are gone, and for connections that their guard slots still name.</summary>
    private void PollSessions()
    {
        foreach (var dead in _sessions.FindDead())
        {
            RackLog.SessionEnded(_log, dead.Token);
            Enqueue(new SessionDied(dead.Token));
        }

        if (SlotScan.FindOrphans(_region) is { } orphans)
        {
            foreach (var (link, connections) in orphans) Enqueue(new ConnectionsOrphaned(link, connections));
        }
    }
}
