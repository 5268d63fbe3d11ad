using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>The rack's part of the protocol: owner of its pages, holder of references to others', allocator, puller. A state machine
/// without clock, threads or I/O: what it is told comes as messages and events, what it wants done leaves as effects. One caller at a time.</summary>
/// <remarks>Lives as long as the daemon's process: links, holders and numbers must outlive the actor systems that come and go.</remarks>
internal sealed partial class RackCore
{
    private readonly IRackStore _store;
    private readonly RackCoreOptions _options;
    private readonly Func<ulong> _random;
    private readonly int _reserve;
    private readonly DeadlineQueue<TimerKey> _timers = new();
    private readonly Dictionary<ShardId, Term> _terms = [];
    private IRackEffects _fx = null!;
    private long _now;
    private ulong _lastTicket;

    /// <param name="store">The region's tables; its state has this start's generation already.</param>
    /// <param name="options">Settings.</param>
    /// <param name="random">64 random bits.</param>
    public RackCore(IRackStore store, RackCoreOptions options, Func<ulong> random)
    {
        _store = store;
        _options = options;
        _random = random;

        // A region of a few frames keeps most of them for its clients.
        _reserve = int.Min(options.ReserveFrames, store.FrameCount / 3);
        var state = store.State;
        Self = new RackIncarnation(state.Rack, state.Generation);
        Roster = new RosterChanged(0, ValueList<RosterEntry>.Of(state.Roster));
        foreach (var (shard, term) in state.Terms) _terms[shard] = term;
    }

    private enum TimerKind
    {
        Register,
        HolderRevoke,
        HolderFence,
        OwnerLink,
        Miss,
        LinkQuiesce,
        Destroy,
        Pull,
        Host,
        HostedSettle,
        SessionEnd,
        Free,
        Bring,
        Locate,
        Room,
        Evict,
        PendingRows,
        EntryRelease,
        Confirm,
        Load,
        Place,
        Greet,
    }

    private readonly record struct TimerKey(TimerKind Kind, ulong Id);

    /// <summary>This rack in this generation; rack none before the first registration.</summary>
    public RackIncarnation Self { get; private set; }

    /// <summary>All regions of the pool, as last heard.</summary>
    public RosterChanged Roster { get; private set; }

    /// <summary>When <see cref="Tick"/> is due; <see cref="long.MaxValue"/> if never.</summary>
    public long NextDeadlineNs => _timers.NextNs;

    /// <summary>Rebuilds what the rows say. Once, before anything else.</summary>
    public void Start(long nowNs, IRackEffects effects)
    {
        Enter(nowNs, effects);
        LoadRows();
        LoadOldLinks();
        if (IsNumberConfirmed()) BecomeRegistered();
        _timers.Set(new TimerKey(TimerKind.PendingRows, 0), _now + _options.ResendMaxNs);
    }

    /// <summary>A message has arrived.</summary>
    public void Handle(IPoolProtocol message, long nowNs, IRackEffects effects)
    {
        Enter(nowNs, effects);
        switch (message)
        {
            case RackRegistered m: OnRackRegistered(m); break;
            case RegistrationRefused m: OnRegistrationRefused(m); break;
            case RosterChanged m: OnRosterChanged(m); break;
            case EmptyRack m: OnEmptyRack(m); break;
            case RoomOffered m: OnRoomOffered(m); break;
            case ISessionRequest m: OnSessionRequest(m); break;
            case var _ when Self.Rack.IsNone: break;
            case AskRows m: OnAskRows(m); break;
            case PageOrder m: OnPageOrder(m); break;
            case ForwardedResolve m: OnForwardedResolve(m); break;
            case AskHeat m: OnAskHeat(m); break;
            case RegisterHolder m: OnRegisterHolder(m); break;
            case HolderRegistered m: OnHolderRegistered(m); break;
            case LinkEnded m: OnLinkEnded(m.Link); break;
            case GrantPages m: OnGrantPages(m); break;
            case PagesUnresolved m: OnPagesUnresolved(m); break;
            case RevokePage m: OnRevokePage(m); break;
            case RevokeAcknowledged m: OnRevokeAcknowledged(m); break;
            case DestroyConnectionsOrder m: OnDestroyConnectionsOrder(m); break;
            case ConnectionsDestroyed m: OnConnectionsDestroyed(m); break;
            case HostPages m: OnHostPages(m); break;
            case PagesHosted m: OnPagesHosted(m); break;
            case SettleHosted m: OnSettleHosted(m); break;
            case HostedSettled m: OnHostedSettled(m); break;
            case SessionEnded m: OnSessionEnded(m); break;
            case SessionForgotten m: OnSessionForgotten(m); break;
            case FreeAnswered m: OnFreeAnswered(m); break;
            case BringAnswered m: OnBringAnswered(m); break;
            case EvictAnswered m: OnEvictAnswered(m); break;
            case LocateAnswered m: OnLocateAnswered(m); break;
            case FreeConfirmed m: OnFreeConfirmed(m); break;
            default: _fx.Log(RackLogLevel.Warning, $"A rack has no use for {message.GetType().Name}."); break;
        }
    }

    /// <summary>Something has happened in this process.</summary>
    public void Handle(IRackEvent happened, long nowNs, IRackEffects effects)
    {
        Enter(nowNs, effects);
        switch (happened)
        {
            case Tick: RunTimers(); break;
            case QuiesceEnded e: OnQuiesceEnded(e); break;
            case PullEnded e: OnPullEnded(e); break;
            case FenceEnded e: OnFenceEnded(e.Ticket); break;
            case SessionDied e: EndSession(e.Session, default); break;
            case SampleHeat: OnSampleHeat(); break;
            case FabricExposed e: OnFabricExposed(e); break;
            case NodeJoined e: OnNodeJoined(e); break;
            case ConnectionsOrphaned e: DestroyAtOwner(e.LinkNumber, e.Connections, null); break;
            default: _fx.Log(RackLogLevel.Warning, $"A rack has no use for {happened.GetType().Name}."); break;
        }
    }

    private void Enter(long nowNs, IRackEffects effects)
    {
        _now = nowNs;
        _fx = effects;
    }

    private void RunTimers()
    {
        while (_timers.TryTake(_now, out var key))
        {
            switch (key.Kind)
            {
                case TimerKind.Register: SendRegistration(); break;
                case TimerKind.HolderRevoke: ResendRevocations(new PageId(key.Id)); break;
                case TimerKind.HolderFence: FenceSilentHolders(new PageId(key.Id)); break;
                case TimerKind.OwnerLink: SendRegisterHolder(new RackId((ushort)key.Id)); break;
                case TimerKind.Miss: RetryMiss(new PageId(key.Id)); break;
                case TimerKind.LinkQuiesce: QuiesceDeadLink((int)key.Id); break;
                case TimerKind.Destroy: ResendDestroy(key.Id); break;
                case TimerKind.Pull: OnPullTimeout(new PageId(key.Id)); break;
                case TimerKind.Host: ResendHosting(new RequestId(key.Id)); break;
                case TimerKind.HostedSettle: ResendHostedSettlement(new RequestId(key.Id)); break;
                case TimerKind.SessionEnd: ResendSessionEnd(new SessionToken(key.Id)); break;
                case TimerKind.Free: ResendFree(key.Id); break;
                case TimerKind.Bring: ResendBring(new PageId(key.Id)); break;
                case TimerKind.Locate: ResendLocate(new RequestId(key.Id)); break;
                case TimerKind.Room: RefillReserve(); break;
                case TimerKind.Evict: ResendEviction(new PageId(key.Id)); break;
                case TimerKind.PendingRows: ReportPendingRows(); break;
                case TimerKind.EntryRelease: RetryEntryRelease(new PageId(key.Id)); break;
                case TimerKind.Confirm: ResendConfirm(); break;
                case TimerKind.Load: ReportLoad(); break;
                case TimerKind.Place: Place(key.Id); break;
                case TimerKind.Greet: GreetDirectory(); break;
            }
        }
    }

    private ulong NewTicket() => ++_lastTicket;

    private ShardId ShardOf(PageId page) => _store.Geometry.ShardOf(page, _options.Settings.Shards);

    private long Backoff(int tries) => long.Min(_options.ResendMinNs << int.Min(tries, 20), _options.ResendMaxNs);

    private string Name(PageId page) => _store.Geometry.AddressOf(page).ToString();

    private bool Is(ProtocolMutation mutation) => _options.Mutation == mutation;
}
