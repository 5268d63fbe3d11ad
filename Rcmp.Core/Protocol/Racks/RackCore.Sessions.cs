using System.Collections;
using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>What sessions ask for, besides memory: frees, pins, locations.</summary>
internal sealed partial class RackCore
{
    private const int RepliesRemembered = 4096;
    private const int FreesAtOnce = 64;
    private const int HalfDoneRemembered = 64;

    /// <summary>So that a client that has less patience than rcmp.request-timeout hears who holds its page up. It asks again.</summary>
    private const long BringAnsweredWithinNs = 1_000_000_000;

    private readonly RecentMap<(SessionToken Session, RequestId Request), ISessionReply> _replies = new(RepliesRemembered);
    private readonly Dictionary<ulong, FreeItem> _freeItems = [];
    private readonly Dictionary<(PageId Page, RequestId Request), ulong> _freeIds = [];
    private readonly Dictionary<PageId, ulong> _ownFrees = [];
    private readonly Dictionary<RequestId, FreeJob> _freeJobs = [];
    private readonly RecentMap<(SessionToken Session, RequestId Request), FreeJob> _freesHalfDone = new(HalfDoneRemembered);
    private readonly Dictionary<PageId, BringJob> _brings = [];
    private readonly Dictionary<RequestId, (LocatePage Order, long DeadlineNs)> _locates = [];
    private ulong _lastFree;

    private sealed class FreeJob(FreePages order)
    {
        public FreePages Order { get; } = order;

        public long Next { get; set; }

        public int Outstanding { get; set; }

        public long Completed { get; set; }

        public RequestStatus Status { get; private set; }

        public string Why { get; private set; } = "";

        public long DeadlineNs { get; set; }

        /// <summary>By the place in the order: what a repeat of it leaves out.</summary>
        public BitArray Freed { get; } = new((int)order.Count);

        /// <summary>The term under which a page's free was first sent that was not answered: it may have been carried out.</summary>
        public Dictionary<PageId, Term> Unanswered { get; } = [];

        /// <summary>Some pages were not begun, or nobody answered: a repeat goes on with them.</summary>
        public bool IsHalfDone { get; private set; }

        public void Begin(long deadlineNs) => (Next, Status, Why, DeadlineNs, IsHalfDone) = (0, RequestStatus.Ok, "", deadlineNs, false);

        /// <summary>Of several reasons the one that says least of what became of the pages.</summary>
        public void Fail(RequestStatus status, string why, bool isHalfDone)
        {
            IsHalfDone |= isHalfDone;
            if (Weight(status) > Weight(Status)) (Status, Why) = (status, why);
        }

        private static int Weight(RequestStatus status) => status switch
        {
            RequestStatus.Ok => 0,
            RequestStatus.PageNotFound => 1,
            RequestStatus.Unavailable => 3,
            RequestStatus.OutcomeUnknown => 4,
            _ => 2,
        };
    }

    private sealed class FreeItem(PageId page, RequestId request, FreeJob? job)
    {
        public PageId Page { get; } = page;

        public RequestId Request { get; } = request;

        public FreeJob? Job { get; } = job;

        /// <summary>The shard's term when the request was first sent.</summary>
        public Term FirstTerm { get; init; }

        public int Tries { get; set; }
    }

    private sealed class BringJob
    {
        public List<(BringPage Order, long DeadlineNs)> Waiters { get; } = [];

        public string Why { get; set; } = "the directory has not answered";

        public int Tries { get; set; }
    }

    private void OnSessionRequest(ISessionRequest m)
    {
        if (_replies.TryGet((m.Session, m.Request), out var before))
        {
            _fx.SendToSession(m.Session, before);
            return;
        }

        if (Self.Rack.IsNone)
        {
            Done(m, RequestStatus.Unavailable, $"This rack is not registered yet: {_notRegisteredBecause}.", remember: false);
            return;
        }

        if (_ended.TryGet(m.Session, out _) && m is not CloseSession)
        {
            Done(m, RequestStatus.SessionUnknown, "The session has ended.", remember: false);
            return;
        }

        switch (m)
        {
            case ResolveMiss r: OnResolveMiss(r); break;
            case AllocatePages r: OnAllocatePages(r); break;
            case AcknowledgeAllocation r: OnAcknowledgeAllocation(r); break;
            case FreePages r: OnFreePages(r); break;
            case BringPage r: OnBringPage(r); break;
            case LocatePage r: OnLocatePage(r); break;
            case ReportConnection r: DestroyAtOwner(r.LinkNumber, [r.Connection], r); break;
            case CloseSession r: EndSession(r.Session, r); break;
            default: Done(m, RequestStatus.Invalid, $"A rack has no use for {m.GetType().Name}.", remember: false); break;
        }
    }

    private void Done(ISessionRequest m, RequestStatus status, string why, long completed = 0, bool remember = true)
    {
        var reply = new RequestDone(m.Request, status, why, completed);
        if (remember && m is FreePages) _replies.Add((m.Session, m.Request), reply);
        _fx.SendToSession(m.Session, reply);
    }

    private void Reply(ISessionRequest m, ISessionReply reply)
    {
        _replies.Add((m.Session, m.Request), reply);
        _fx.SendToSession(m.Session, reply);
    }

    private void OnFreePages(FreePages m)
    {
        if (_freeJobs.ContainsKey(m.Request) || IsTooMany(m, m.Count, "freed")) return;
        if (!_freesHalfDone.TryGet((m.Session, m.Request), out var job) || job.Order != m) job = new FreeJob(m);
        job.Begin(_now + _options.RequestTimeoutNs);
        _freeJobs[m.Request] = job;
        Advance(job);
    }

    private void Advance(FreeJob job)
    {
        while (job.Next < job.Order.Count && job.Outstanding < FreesAtOnce)
        {
            if (job.DeadlineNs <= _now)
            {
                // Nothing is begun that is over at once: each would end here, inside of the one before.
                job.Fail(RequestStatus.Unavailable, "the directory did not answer within rcmp.request-timeout", isHalfDone: true);
                job.Next = job.Order.Count;
                break;
            }

            var next = job.Next++;
            if (job.Freed[(int)next]) continue;
            job.Outstanding++;
            BeginFree(job.Order.First.Plus(next), job.Order.Request, job);
        }

        if (job.Outstanding > 0) return;
        _freeJobs.Remove(job.Order.Request);
        if (job.IsHalfDone) _freesHalfDone.Add((job.Order.Session, job.Order.Request), job);
        Done(job.Order, job.Status, job.Why, job.Completed, remember: !job.IsHalfDone);
    }

    private ulong BeginFree(PageId page, RequestId request, FreeJob? job)
    {
        var id = ++_lastFree;
        var before = default(Term);
        var isRepeat = job is not null && job.Unanswered.TryGetValue(page, out before);
        _freeItems[id] = new FreeItem(page, request, job) { FirstTerm = isRepeat ? before : _terms.GetValueOrDefault(ShardOf(page)), Tries = isRepeat ? 1 : 0 };
        _freeIds[(page, request)] = id;
        ResendFree(id);
        return id;
    }

    /// <summary>Frees a page of this rack that nobody wants any more, through its shard like every other.</summary>
    private void FreeOwn(PageId page)
    {
        if (!_ownFrees.ContainsKey(page)) _ownFrees[page] = BeginFree(page, new RequestId(_random()), null);
    }

    private void ResendFree(ulong id)
    {
        if (!_freeItems.TryGetValue(id, out var item)) return;
        if (item.Job is { } job && job.DeadlineNs <= _now)
        {
            EndFree(id, RequestStatus.OutcomeUnknown, $"whether {Name(item.Page)} was freed is not known: the directory did not answer within rcmp.request-timeout", isHalfDone: true);
            return;
        }

        if (item.Job is null && !_frames.ContainsKey(item.Page))
        {
            EndFree(id, RequestStatus.Ok, "");
            return;
        }

        _fx.SendToShard(ShardOf(item.Page), new FreeRequest(ShardOf(item.Page), Self, item.Page, item.Request));
        _timers.Set(new TimerKey(TimerKind.Free, id), _now + Backoff(item.Tries++));
    }

    private void OnFreeAnswered(FreeAnswered m)
    {
        if (m.Asker != Self || !_freeIds.TryGetValue((m.Page, m.Request), out var id)) return;
        var item = _freeItems[id];
        if (m.Status == RequestStatus.Unavailable && (item.Job is null || item.Job.DeadlineNs > _now)) return;

        // An incarnation of the shard that was lost meanwhile may have carried the request out, and its frame been used again since.
        var replaced = item.FirstTerm != default && item.FirstTerm != _terms.GetValueOrDefault(ShardOf(m.Page));
        if (m.Status == RequestStatus.PageNotFound && item.Tries > 1 && replaced)
            EndFree(id, RequestStatus.OutcomeUnknown, $"{Name(m.Page)} is not there any more: freed by this request, or before it");
        else EndFree(id, m.Status, m.Why);
    }

    private void EndFree(ulong id, RequestStatus status, string why, bool isHalfDone = false)
    {
        if (!_freeItems.Remove(id, out var item)) return;
        _freeIds.Remove((item.Page, item.Request));
        _timers.Cancel(new TimerKey(TimerKind.Free, id));
        if (item.Job is not { } job)
        {
            _ownFrees.Remove(item.Page);
            return;
        }

        job.Outstanding--;
        if (item.Tries > 0 && (isHalfDone || status == RequestStatus.Unavailable)) job.Unanswered.TryAdd(item.Page, item.FirstTerm);
        if (status == RequestStatus.Ok)
        {
            // The directory is there: a large range takes as long as it takes.
            job.Completed++;
            job.Freed[(int)(item.Page.Value - job.Order.First.Value)] = true;
            job.DeadlineNs = _now + _options.RequestTimeoutNs;
        }
        else
        {
            job.Fail(status, why, isHalfDone || status == RequestStatus.Unavailable);
        }

        Advance(job);
    }

    private void OnBringPage(BringPage m)
    {
        if (OpenPage(m.Page))
        {
            Done(m, RequestStatus.Ok, "");
            return;
        }

        var isNew = !_brings.TryGetValue(m.Page, out var job);
        if (isNew) _brings[m.Page] = job = new BringJob();
        if (!job!.Waiters.Exists(w => w.Order == m)) job.Waiters.Add((m, _now + long.Min(_options.RequestTimeoutNs, BringAnsweredWithinNs)));
        if (isNew) ResendBring(m.Page);
    }

    private void ResendBring(PageId page)
    {
        if (!_brings.TryGetValue(page, out var job)) return;
        if (OpenPage(page))
        {
            EndBring(page, RequestStatus.Ok, "");
            return;
        }

        foreach (var (order, _) in job.Waiters.Where(w => w.DeadlineNs <= _now).ToArray())
            Done(order, RequestStatus.Unavailable, $"{Name(page)} could not be brought here yet: {job.Why}.");
        job.Waiters.RemoveAll(w => w.DeadlineNs <= _now);
        if (job.Waiters.Count == 0)
        {
            _brings.Remove(page);
            return;
        }

        _fx.SendToShard(ShardOf(page), new BringRequest(ShardOf(page), Self, page));
        _timers.Set(new TimerKey(TimerKind.Bring, page.Value), _now + Backoff(job.Tries++));
    }

    private void OnBringAnswered(BringAnswered m)
    {
        if (m.Asker != Self || !_brings.TryGetValue(m.Page, out var job)) return;
        job.Why = m.Why;
        if (m.Status == RequestStatus.Ok) ResendBring(m.Page);
        else if (m.Status == RequestStatus.PageNotFound) EndBring(m.Page, m.Status, $"{Name(m.Page)} was never allocated, or was freed.");
    }

    private void EndBring(PageId page, RequestStatus status, string why)
    {
        if (!_brings.Remove(page, out var job)) return;
        _timers.Cancel(new TimerKey(TimerKind.Bring, page.Value));
        foreach (var (order, _) in job.Waiters) Done(order, status, why);
    }

    private void OnLocatePage(LocatePage m)
    {
        _locates[m.Request] = (m, _now + _options.RequestTimeoutNs);
        ResendLocate(m.Request);
    }

    private void ResendLocate(RequestId request)
    {
        if (!_locates.TryGetValue(request, out var locate)) return;
        if (locate.DeadlineNs <= _now)
        {
            _locates.Remove(request);
            Done(locate.Order, RequestStatus.Unavailable, $"The directory did not say within rcmp.request-timeout where {Name(locate.Order.Page)} is.");
            return;
        }

        var shard = ShardOf(locate.Order.Page);
        _fx.SendToShard(shard, new LocateRequest(shard, Self, locate.Order.Session, request, locate.Order.Page));
        _timers.Set(new TimerKey(TimerKind.Locate, request.Value), _now + _options.ResendMaxNs);
    }

    private void OnLocateAnswered(LocateAnswered m)
    {
        if (m.Asker != Self || !_locates.Remove(m.Request, out var locate)) return;
        _timers.Cancel(new TimerKey(TimerKind.Locate, m.Request.Value));
        if (m.Status != RequestStatus.Ok) Done(locate.Order, m.Status, m.Why);
        else _fx.SendToSession(m.Session, new PageLocated(m.Request, m.Page, m.Owner, m.Epoch, m.Phase, m.Heat, m.LastDecision));
    }
}
