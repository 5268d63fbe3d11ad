namespace Rcmp.Protocol.Messages;

/// <summary>How a session's request ended.</summary>
internal enum RequestStatus
{
    Ok = 0,
    PageNotFound = 1,
    Unavailable = 2,
    Exhausted = 3,
    OutcomeUnknown = 4,
    Mismatch = 5,
    Invalid = 6,
    SessionUnknown = 7,
}

/// <summary>A request of a session to its rack's daemon. Every one is answered by a message with the same request id.</summary>
internal interface ISessionRequest : IPoolProtocol
{
    SessionToken Session { get; }

    RequestId Request { get; }
}

/// <summary>An answer to a session.</summary>
internal interface ISessionReply : IPoolProtocol
{
    RequestId Request { get; }
}

/// <summary>The entry is absent: make the page reachable, and others near it.</summary>
/// <param name="Session">Who asks.</param>
/// <param name="Request">The request's id.</param>
/// <param name="Page">What is waited for.</param>
/// <param name="Neighbours">How many others of the aligned block around it come along.</param>
/// <param name="Following">How many pages behind it the same call goes on to.</param>
/// <param name="NeighboursMax">How many pages may be read ahead of a run of misses.</param>
internal sealed record ResolveMiss(SessionToken Session, RequestId Request, PageId Page, int Neighbours, int Following = 0, int NeighboursMax = 0) : ISessionRequest;

/// <summary>Allocate pages with consecutive ids.</summary>
internal sealed record AllocatePages(SessionToken Session, RequestId Request, long Count, bool SessionScoped) : ISessionRequest;

/// <summary>The client has the address: pages that are not session-scoped no longer end with its session.</summary>
internal sealed record AcknowledgeAllocation(SessionToken Session, RequestId Request, PageId First, long Count) : ISessionRequest;

/// <summary>Free pages, page by page.</summary>
internal sealed record FreePages(SessionToken Session, RequestId Request, PageId First, long Count) : ISessionRequest;

/// <summary>Bring the page to this rack.</summary>
internal sealed record BringPage(SessionToken Session, RequestId Request, PageId Page) : ISessionRequest;

/// <summary>Where is the page?</summary>
internal sealed record LocatePage(SessionToken Session, RequestId Request, PageId Page) : ISessionRequest;

/// <summary>A connection of this client is broken or has an operation past its deadline: have the owner destroy it, so that its slots come free.</summary>
internal sealed record ReportConnection(SessionToken Session, RequestId Request, ulong LinkNumber, ulong Connection) : ISessionRequest;

/// <summary>The session ends: its scoped pages are freed.</summary>
internal sealed record CloseSession(SessionToken Session, RequestId Request) : ISessionRequest;

/// <summary>The plain answer: for a resolved miss "look again", for the others "done".</summary>
/// <param name="Request">The request answered.</param>
/// <param name="Status">How it ended.</param>
/// <param name="Message">What a user should read, if not ok.</param>
/// <param name="Completed">For <see cref="FreePages"/>: how many were freed.</param>
internal sealed record RequestDone(RequestId Request, RequestStatus Status, string Message, long Completed) : ISessionReply;

/// <summary>The pages are allocated.</summary>
internal sealed record PagesAllocated(RequestId Request, PageId First) : ISessionReply;

/// <summary>Answer to <see cref="LocatePage"/>. <paramref name="Heat"/> is per rack.</summary>
internal sealed record PageLocated(
    RequestId Request, PageId Page, RackId Owner, Epoch Epoch, string Phase, ValueList<RackHeatValue> Heat, string? LastDecision) : ISessionReply;

/// <summary>The heat of a page in one rack.</summary>
internal readonly record struct RackHeatValue(RackId Rack, double Heat);
