using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Runtime;

namespace Rcmp.Cluster.Messages;

/// <summary>A client asks its rack's daemon for a session.</summary>
internal sealed record OpenSession(RequestId Request, SessionRequest Client) : IPoolProtocol;

/// <summary>The session.</summary>
internal sealed record SessionOpened(RequestId Request, SessionGrant Grant) : IPoolProtocol;

/// <summary>A client whose connection, daemon or daemon's actor system was lost comes back to its session.</summary>
internal sealed record AttachSession(RequestId Request, SessionToken Session) : IPoolProtocol;

/// <summary>The daemon has the session, and answers it from now on.</summary>
internal sealed record SessionAttached(RequestId Request, SessionToken Session) : IPoolProtocol;

/// <summary>No session: the reason.</summary>
internal sealed record SessionRefused(RequestId Request, RequestStatus Status, string Message) : IPoolProtocol;

/// <summary>Is the daemon there, and does it know where this client is? Sent by the client, always.</summary>
internal sealed record SessionPing(SessionToken Session, ulong Number) : IPoolProtocol;

/// <summary>Answer to a ping. If not <paramref name="Attached"/>, the client must attach.</summary>
internal sealed record SessionPong(SessionToken Session, ulong Number, bool Attached) : IPoolProtocol;
