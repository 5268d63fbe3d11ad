using Rcmp.Protocol.Messages;

namespace Rcmp.Runtime;

/// <summary>What a client tells a rack's daemon to get a session.</summary>
/// <param name="PoolId">The pool it expects, or null to take the rack's.</param>
/// <param name="ClientName">For logs and status.</param>
/// <param name="ProcessId">For status alone; liveness is the session file's lock.</param>
/// <param name="FormatVersion">The region format the client knows.</param>
internal sealed record SessionRequest(Guid? PoolId, string ClientName, int ProcessId, uint FormatVersion);

/// <summary>A session as the daemon gives it.</summary>
/// <param name="Token">Names it for the client's life.</param>
/// <param name="Index">The session record in the region.</param>
/// <param name="LockPath">The session file, which the client locks for its life before it touches a guard slot.</param>
/// <param name="RegionPath">The region.</param>
/// <param name="RegionId">Which the client compares with the superblock it maps.</param>
/// <param name="PoolId">The pool.</param>
/// <param name="PageSize">Bytes per page.</param>
/// <param name="Rack">The rack.</param>
internal sealed record SessionGrant(
    SessionToken Token, int Index, string LockPath, string RegionPath, Guid RegionId, Guid PoolId, int PageSize, RackId Rack);

/// <summary>What a client asks of its rack's daemon: over Akka, or directly in an embedded pool. Replies complete on dedicated threads,
/// never on the thread pool alone: every thread of that may be waiting in a synchronous call.</summary>
internal interface IControlPlane : IAsyncDisposable
{
    PoolState State { get; }

    event Action<PoolState>? StateChanged;

    /// <summary>Sends a request and awaits its reply. Fails with <see cref="PoolNotConnectedException"/> if there is no session within the
    /// timeout, with <see cref="TimeoutException"/> if the request may have been carried out but the answer did not come.</summary>
    Task<ISessionReply> AskAsync(ISessionRequest request, TimeSpan timeout, CancellationToken ct);

    /// <summary>Sends without awaiting: a lost one costs nothing but heat or a late reclaim.</summary>
    void Tell(ISessionRequest request);
}
