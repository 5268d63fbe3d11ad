namespace Rcmp.Protocol.Messages;

/// <summary>Holder to owner: begin a new registration; an older one of this rack ends first.</summary>
/// <param name="Registration">Drawn by the holder; with both incarnations it names the link.</param>
internal sealed record RegisterHolder(RackIncarnation Owner, RackIncarnation Holder, ulong Registration) : IPoolProtocol;

/// <summary>Owner to holder: connections of this link are accepted, under this key at this address.</summary>
internal sealed record HolderRegistered(LinkId Link, Guid Key, string Address) : IPoolProtocol;

/// <summary>Owner to holder: the registration is over and all its connections are destroyed.</summary>
internal sealed record LinkEnded(LinkId Link) : IPoolProtocol;

/// <summary>Leave to reach one page.</summary>
internal readonly record struct PageGrant(PageId Page, FrameIndex Frame, Epoch Epoch);

/// <summary>Pages one after the other.</summary>
internal readonly record struct PageSpan(PageId First, int Count)
{
    /// <summary>The page behind the last one.</summary>
    public PageId End => First.Plus(Count);

    /// <summary>Both ends included.</summary>
    public static PageSpan Between(PageId first, PageId last) => new(first, (int)(last.Value - first.Value + 1));

    public bool Contains(PageId page) => page.Value - First.Value < (ulong)Count;
}

/// <summary>Leave to reach pages one after the other, in frames one after the other: most of a span is a single run.</summary>
internal readonly record struct GrantRun(PageId First, FrameIndex Frame, Epoch Epoch, int Count);

/// <summary>Owner to holder: references. <paramref name="Number"/> counts grants and revocations of the link.</summary>
/// <param name="Link">Of owner and holder.</param>
/// <param name="Number">Of this message.</param>
/// <param name="Pages">What was asked for by name.</param>
/// <param name="Runs">What is granted of the span.</param>
/// <param name="Span">Which span was asked for: what is missing of it was not granted.</param>
internal sealed record GrantPages(LinkId Link, ulong Number, ValueList<PageGrant> Pages, ValueList<GrantRun> Runs, PageSpan Span = default) : IPoolProtocol
{
    public GrantPages(LinkId link, ulong number, ValueList<PageGrant> pages)
        : this(link, number, pages, ValueList<GrantRun>.Empty)
    {
    }
}

/// <summary>Why pages were not resolved.</summary>
internal enum ResolveProblem
{
    None = 0,
    /// <summary>The asker has no registration at the owner.</summary>
    RegisterFirst = 1,
    /// <summary>The page is on its way, or its owner does not answer: ask again.</summary>
    Busy = 2,
    /// <summary>Every rack of the roster has answered, and none has the page.</summary>
    NoSuchPage = 3,
    /// <summary>A rack that may have the page does not answer.</summary>
    Unavailable = 4,
    /// <summary>The asker has the page itself.</summary>
    AskerIsOwner = 5,
}

/// <summary>To the asker, from an owner or a directory shard: these pages were not resolved.</summary>
/// <param name="Answerer">The owner; rack none if a directory shard answers.</param>
internal sealed record PagesUnresolved(
    RackIncarnation Answerer, RackIncarnation Asker, ValueList<PageId> Pages, ResolveProblem Problem, string Why) : IPoolProtocol;

/// <summary>Owner to holder: stop using the page.</summary>
internal sealed record RevokePage(LinkId Link, PageId Page, ulong Number) : IPoolProtocol;

/// <summary>Holder to owner: nobody here uses the page any more, but for operations on these connections.</summary>
internal sealed record RevokeAcknowledged(LinkId Link, PageId Page, ulong Number, ValueList<ulong> Connections) : IPoolProtocol;

/// <summary>Holder to owner: destroy these connections of mine.</summary>
internal sealed record DestroyConnectionsOrder(LinkId Link, ValueList<ulong> Connections) : IPoolProtocol;

/// <summary>Owner to holder: these connections are destroyed.</summary>
internal sealed record ConnectionsDestroyed(LinkId Link, ValueList<ulong> Connections) : IPoolProtocol;

/// <summary>Rack of birth to a rack with room: make rows for these pages.</summary>
internal sealed record HostPages(
    RackIncarnation From, RackIncarnation To, RequestId Request, SessionToken Session, bool SessionScoped, PageId First, long Count) : IPoolProtocol;

/// <summary>Answer to <see cref="HostPages"/>.</summary>
internal sealed record PagesHosted(RackIncarnation From, RackIncarnation To, RequestId Request, PageId First, long Count, bool Ok) : IPoolProtocol;

/// <summary>Rack of birth to the racks that host a part: the client has the address (<paramref name="Keep"/>), or the allocation failed.</summary>
internal sealed record SettleHosted(
    RackIncarnation From, RackId To, RequestId Request, SessionToken Session, PageId First, long Count, bool Keep) : IPoolProtocol;

/// <summary>Answer to <see cref="SettleHosted"/>: no page of the range here waits any more.</summary>
internal sealed record HostedSettled(RackIncarnation From, RackIncarnation To, RequestId Request, PageId First) : IPoolProtocol;

/// <summary>Rack of the session to all racks: the session has ended, free what it holds.</summary>
internal sealed record SessionEnded(RackIncarnation From, RackId To, SessionToken Session, ulong Number) : IPoolProtocol;

/// <summary>Answer to <see cref="SessionEnded"/>: nothing here belongs to the session any more.</summary>
internal sealed record SessionForgotten(RackIncarnation From, RackIncarnation To, SessionToken Session, ulong Number) : IPoolProtocol;
