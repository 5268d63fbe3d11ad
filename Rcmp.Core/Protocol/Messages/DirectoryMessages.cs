using Rcmp.Regions;

namespace Rcmp.Protocol.Messages;

/// <summary>Asker to shard: where are these pages (the first of this shard)? Answered by the owner with <see cref="GrantPages"/>, or with <see cref="PagesUnresolved"/>.</summary>
/// <param name="Span">What the owner may grant along with them, as far as it has it.</param>
internal sealed record ResolvePages(ShardId Shard, RackIncarnation Asker, ValueList<PageId> Pages, PageSpan Span = default) : IWithShardId;

/// <summary>Shard to owner, or asker to the rack where the pages were born: grant these to the asker.</summary>
/// <param name="Term">Of the shard; none if the asker guesses: a rack that cannot grant the first page then passes the question on to the shard.</param>
/// <param name="Pages">What is waited for. None: the span is read ahead, and what cannot be granted of it is not worth a word.</param>
/// <param name="Span">What may be granted along with them.</param>
internal sealed record ForwardedResolve(
    ShardId Shard, Term Term, RackIncarnation Owner, RackIncarnation Asker, ValueList<PageId> Pages, PageSpan Span = default) : IPoolProtocol;

/// <summary>A row as a rack reports it to a shard.</summary>
internal readonly record struct RowReport(
    PageId Page, RowState State, FrameIndex Frame, Epoch Epoch, AttemptId Attempt, RackId Peer, bool Unsettled, RequestId FreedBy)
{
    public static RowReport None(PageId page) => new(page, RowState.Free, default, default, default, default, false, default);
}

/// <summary>Shard to rack: which rows of mine are neither free nor settled residents? Also the rack's promise to refuse lower terms.</summary>
/// <param name="After">Only pages above this one: the answer comes in chunks.</param>
internal sealed record AskRows(ShardId Shard, Term Term, RackId Rack, PageId After) : IPoolProtocol;

/// <summary>Answer to <see cref="AskRows"/>: a chunk, in order of page ids.</summary>
/// <param name="Removed">Racks that operators removed, as far as the rack knows: the shard may have started where nobody had heard of it.</param>
internal sealed record RowsAnswered(
    ShardId Shard, Term Term, RackIncarnation Rack, PageId After, bool Last, ValueList<RowReport> Rows, ValueList<RackId> Removed) : IWithShardId;

/// <summary>Rack to shard: these rows of yours are still neither free nor settled. Wakes a shard that nobody else asks; without rows it is a greeting that does just that.</summary>
internal sealed record RowsPending(ShardId Shard, RackIncarnation Rack, ValueList<RowReport> Rows) : IWithShardId;

/// <summary>Rack to shard: I promised a higher term, or am of another generation.</summary>
internal sealed record TermRefused(ShardId Shard, Term Refused, RackIncarnation Rack, Term Promised) : IWithShardId;

/// <summary>What a shard orders a rack to do with a row.</summary>
internal enum OrderKind
{
    None = 0,
    /// <summary>Only report the row.</summary>
    Report = 1,
    Leave = 2,
    Pull = 3,
    Commit = 4,
    Release = 5,
    Settle = 6,
    Reopen = 7,
    Drop = 8,
    Free = 9,
}

/// <summary>Why a page moves; an eviction may not use the target's reserve.</summary>
internal enum MoveReason
{
    Heat = 0,
    Eviction = 1,
    Pin = 2,
}

/// <summary>Shard to rack: an order about one row. Idempotent: a compare-and-set on the row, then <see cref="OrderAnswered"/>.</summary>
/// <param name="Rack">Another generation refuses.</param>
/// <param name="Attempt">Of the move; for frees the shard's own count.</param>
/// <param name="Epoch">Leave and free: the resident row's. Pull: the epoch that leaves.</param>
/// <param name="Peer">Leave: where to. Pull: where from (with its generation).</param>
/// <param name="Source">Pull: the owner's frame.</param>
/// <param name="Reason">Pull: why the page moves.</param>
/// <param name="Request">Free: who wants it.</param>
internal sealed record PageOrder(
    ShardId Shard, Term Term, RackIncarnation Rack, OrderKind Order, PageId Page, AttemptId Attempt, Epoch Epoch, RackIncarnation Peer,
    FrameIndex Source, MoveReason Reason, RequestId Request) : IPoolProtocol;

/// <summary>How an order ended.</summary>
internal enum OrderStatus
{
    /// <summary>Done, now or before.</summary>
    Done = 0,
    /// <summary>The row is another one: nothing was done.</summary>
    OtherRow = 1,
    /// <summary>A guard did not clear within the budget: the page is open again.</summary>
    NotQuiet = 2,
    /// <summary>Unsettled, or its allocation is not acknowledged.</summary>
    NotYet = 3,
    /// <summary>No frame for it.</summary>
    NoRoom = 4,
    /// <summary>The copy failed.</summary>
    Failed = 5,
}

/// <summary>Rack to shard: how the order ended, and the row as it is now.</summary>
/// <param name="DurationNs">Pull: what the copy took.</param>
internal sealed record OrderAnswered(
    ShardId Shard, Term Term, RackIncarnation Rack, OrderKind Order, PageId Page, AttemptId Attempt, OrderStatus Status, RowReport Row,
    long DurationNs, string Why) : IWithShardId;

/// <summary>Rack to shard: free the page.</summary>
internal sealed record FreeRequest(ShardId Shard, RackIncarnation Asker, PageId Page, RequestId Request) : IWithShardId;

/// <summary>Answer to <see cref="FreeRequest"/>.</summary>
internal sealed record FreeAnswered(RackIncarnation Asker, PageId Page, RequestId Request, RequestStatus Status, string Why) : IPoolProtocol;

/// <summary>Rack to shard: bring the page to me.</summary>
internal sealed record BringRequest(ShardId Shard, RackIncarnation Asker, PageId Page) : IWithShardId;

/// <summary>Answer to <see cref="BringRequest"/>.</summary>
internal sealed record BringAnswered(RackIncarnation Asker, PageId Page, RequestStatus Status, string Why) : IPoolProtocol;

/// <summary>Owner to shard: I need the frame; move the page there.</summary>
internal sealed record EvictRequest(ShardId Shard, RackIncarnation Owner, PageId Page, RackId To) : IWithShardId;

/// <summary>Answer to <see cref="EvictRequest"/> when the move has ended, or was not begun.</summary>
internal sealed record EvictAnswered(RackIncarnation Owner, PageId Page, bool Moved) : IPoolProtocol;

/// <summary>Rack to shard: tell all about the page.</summary>
internal sealed record LocateRequest(
    ShardId Shard, RackIncarnation Asker, SessionToken Session, RequestId Request, PageId Page) : IWithShardId;

/// <summary>Answer to <see cref="LocateRequest"/>.</summary>
internal sealed record LocateAnswered(
    RackIncarnation Asker, SessionToken Session, RequestId Request, RequestStatus Status, string Why, PageId Page, RackId Owner, Epoch Epoch,
    string Phase, ValueList<RackHeatValue> Heat, string LastDecision) : IPoolProtocol;

/// <summary>The heat of one page in the reporting rack, and the time spent on remote access to it since the last report.</summary>
internal readonly record struct PageHeatValue(PageId Page, double Heat, long RemoteTimeNs);

/// <summary>Rack to shard: pages whose heat changed enough.</summary>
internal sealed record HeatReport(ShardId Shard, RackIncarnation Rack, ValueList<PageHeatValue> Pages) : IWithShardId;

/// <summary>Shard to owner: how hot is the page with you? Answered by a <see cref="HeatReport"/>.</summary>
internal sealed record AskHeat(ShardId Shard, Term Term, RackIncarnation Owner, PageId Page) : IPoolProtocol;

/// <summary>Rack to shard, when its sequence has wrapped: is nobody using these ids?</summary>
internal sealed record ConfirmFree(ShardId Shard, RackIncarnation Asker, PageId Page) : IWithShardId;

/// <summary>Answer to <see cref="ConfirmFree"/>.</summary>
internal sealed record FreeConfirmed(RackIncarnation Asker, PageId Page, bool Free) : IPoolProtocol;
