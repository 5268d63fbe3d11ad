using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>The directory of a slice of the page ids: owner, epoch, phase and heat of each page that more than one rack cares about. A
/// state machine without clock, threads or I/O. Nothing of it is durable: what it knows it has asked of the racks.</summary>
internal sealed partial class DirectoryShard
{
    private readonly ShardId _shard;
    private readonly uint _incarnation;
    private readonly DirectoryOptions _options;
    private readonly Func<ulong> _random;
    private readonly Dictionary<PageId, Page> _pages = [];
    private readonly SortedDictionary<RackId, RackView> _racks = [];
    private readonly Dictionary<(RackId Rack, PageId Page, AttemptId Attempt), int> _drops = [];
    private readonly RecentMap<PageId, RequestId> _freed = new(1 << 14);
    private readonly DeadlineQueue<TimerKey> _timers = new();
    private RosterChanged _roster = new(0, ValueList<RosterEntry>.Empty);
    private readonly HashSet<RackId> _forgotten = [];
    private Term _term;
    private Term _seen;
    private ulong _attempts;
    private int _refusals;
    private long _reignSinceNs;
    private bool _reigning;
    private long _moveCostNs;
    private int _moves;
    private int _closed;
    private long _closedSinceNs;
    private IShardEffects _fx = null!;
    private long _now;

    /// <param name="shard">Which slice.</param>
    /// <param name="incarnation">Random, for the term.</param>
    /// <param name="options">Settings.</param>
    /// <param name="random">64 random bits, for jitter.</param>
    public DirectoryShard(ShardId shard, uint incarnation, DirectoryOptions options, Func<ulong> random)
    {
        _shard = shard;
        _incarnation = incarnation;
        _options = options;
        _random = random;
        _moveCostNs = options.MoveCostInitialNs;
    }

    private enum TimerKind
    {
        Page,
        AskRows,
        Reign,
        Drop,
    }

    private readonly record struct TimerKey(TimerKind Kind, ulong Id, AttemptId Attempt = default, RackId Rack = default);

    /// <summary>When <see cref="Tick"/> is due; <see cref="long.MaxValue"/> if never.</summary>
    public long NextDeadlineNs => _timers.NextNs;

    /// <summary>The term of this reign.</summary>
    public Term Term => _term;

    /// <summary>A message has arrived; the first must be a <see cref="RosterChanged"/>, from this node's own knowledge.</summary>
    public void Handle(IPoolProtocol message, long nowNs, IShardEffects effects)
    {
        _now = nowNs;
        _fx = effects;
        if (message is RosterChanged roster) OnRosterChanged(roster);
        else if (message is TermRefused refused) OnTermRefused(refused);
        else if (_reigning) Dispatch(message);
    }

    /// <summary>Deadlines are checked.</summary>
    public void Tick(long nowNs, IShardEffects effects)
    {
        _now = nowNs;
        _fx = effects;
        while (_timers.TryTake(_now, out var key))
        {
            switch (key.Kind)
            {
                case TimerKind.Page: OnPageTimer(new PageId(key.Id)); break;
                case TimerKind.AskRows: SendAskRows(new RackId((ushort)key.Id)); break;
                case TimerKind.Reign: BeginReign(); break;
                case TimerKind.Drop: SendDrop(key.Rack, new PageId(key.Id), key.Attempt); break;
            }
        }
    }

    private void Dispatch(IPoolProtocol message)
    {
        switch (message)
        {
            case RowsAnswered m: OnRowsAnswered(m); break;
            case RowsPending m: OnRowsPending(m); break;
            case OrderAnswered m: OnOrderAnswered(m); break;
            case ResolvePages m: OnResolvePages(m); break;
            case FreeRequest m: OnFreeRequest(m); break;
            case BringRequest m: OnBringRequest(m); break;
            case EvictRequest m: OnEvictRequest(m); break;
            case LocateRequest m: OnLocateRequest(m); break;
            case HeatReport m: OnHeatReport(m); break;
            case ConfirmFree m: OnConfirmFree(m); break;
            default: _fx.Log(RackLogLevel.Warning, $"A directory shard has no use for {message.GetType().Name}."); break;
        }
    }

    /// <summary>A term above all terms seen; everything known under an earlier one is asked anew.</summary>
    private void BeginReign()
    {
        _term = Term.Above(_seen, _incarnation);
        _seen = _term;
        _reigning = true;
        _reignSinceNs = _now;
        _attempts = 0;
        _moves = 0;
        _closed = 0;
        _pages.Clear();
        _drops.Clear();
        _timers.Clear();
        foreach (var (rack, view) in _racks)
        {
            view.Promised = false;
            view.Reported = false;
            view.After = PageId.None;
            view.Tries = 0;
            SendAskRows(rack);
        }
    }

    private void OnTermRefused(TermRefused m)
    {
        Learn(m.Rack);
        if (m.Promised > _seen) _seen = m.Promised;
        if (!_reigning || m.Refused != _term || m.Promised <= _term) return;

        // Another incarnation lives, or lived. The first refusal only tells the number to pass; after that the two of them
        // must not drive each other up without end.
        _reigning = false;
        _timers.Clear();
        _pages.Clear();
        var wait = _refusals++ == 0 ? 0 : (long)(_random() % (ulong)(_options.ResendMinNs << int.Min(_refusals, 6)));
        _timers.Set(new TimerKey(TimerKind.Reign, 0), _now + wait);
    }

    private void OnRosterChanged(RosterChanged m)
    {
        var merged = RosterMerge.Merge(_roster, m);
        if (merged.Entries.Count == 0 || (merged == _roster && _term != default)) return;
        _roster = merged;
        foreach (var entry in merged.Entries)
        {
            if (entry.Forgotten) ForgetRack(entry.Rack);
            else Learn(new RackIncarnation(entry.Rack, entry.Generation));
        }

        if (_term == default) BeginReign();
    }

    /// <summary>A rack may be new to the shard, or in a new generation: then what was under way with it is sent again.</summary>
    private void Learn(RackIncarnation rack)
    {
        if (_forgotten.Contains(rack.Rack)) return;
        if (!_racks.TryGetValue(rack.Rack, out var view))
        {
            _racks[rack.Rack] = new RackView { Generation = rack.Generation };
            if (_reigning) SendAskRows(rack.Rack);
            return;
        }

        if (view.Generation.CompareTo(rack.Generation) >= 0) return;
        view.Generation = rack.Generation;
        if (!_reigning) return;
        if (!view.Reported) SendAskRows(rack.Rack);
        foreach (var page in _pages.Values)
        {
            page.Heat.RemoveAll(h => h.Rack == rack.Rack);
            if (page.Phase != PagePhase.Stable) _timers.Set(new TimerKey(TimerKind.Page, page.Id.Value), _now);
        }
    }

    private void ForgetRack(RackId rack)
    {
        _forgotten.Add(rack);
        if (!_racks.Remove(rack) || !_reigning) return;
        foreach (var page in _pages.Values.ToArray())
        {
            page.Heat.RemoveAll(h => h.Rack == rack);
            var involved = page.Owner == rack || page.Move?.From == rack || page.Move?.To == rack || (page.Phase == PagePhase.Looking && page.Lookup is not null);
            if (!involved) continue;

            // What the remaining racks have decides; a settled resident elsewhere stays what it is.
            EndMove(page);
            page.Free = null;
            LookFor(page, all: true);
        }
    }

    private void SendAskRows(RackId rack)
    {
        if (!_racks.TryGetValue(rack, out var view) || view.Reported) return;
        _fx.SendToRack(rack, new AskRows(_shard, _term, rack, view.After));
        _timers.Set(new TimerKey(TimerKind.AskRows, rack.Value), _now + Backoff(view.Tries++));
    }

    private void OnRowsAnswered(RowsAnswered m)
    {
        Learn(m.Rack);
        if (m.Term != _term) return;
        foreach (var removed in m.Removed) ForgetRack(removed);
        if (!_racks.TryGetValue(m.Rack.Rack, out var view)) return;
        view.Promised = true;
        foreach (var row in m.Rows) OnRowInTransition(m.Rack.Rack, row);
        if (!view.Reported && m.After == view.After)
        {
            view.Tries = 0;
            view.Reported = m.Last;
            if (m.Rows.Count > 0) view.After = m.Rows[^1].Page;
            if (m.Last) _timers.Cancel(new TimerKey(TimerKind.AskRows, m.Rack.Rack.Value));
            else SendAskRows(m.Rack.Rack);
        }

        if (!m.Last) return;
        // One that has answered may be all that there is to see of a reign that another incarnation is just ending.
        if (_now - _reignSinceNs > _options.ResendMaxNs || _racks.Values.All(v => v.Reported)) _refusals = 0;
        foreach (var page in _pages.Values)
        {
            if (page.Phase == PagePhase.Looking) _timers.Set(new TimerKey(TimerKind.Page, page.Id.Value), _now);
        }
    }

    private void OnRowsPending(RowsPending m)
    {
        Learn(m.Rack);
        if (!IsCurrent(m.Rack)) return;
        foreach (var row in m.Rows) OnRowInTransition(m.Rack.Rack, row);
    }

    private bool IsCurrent(RackIncarnation rack) =>
        _racks.TryGetValue(rack.Rack, out var view) && view.Generation == rack.Generation && view.Promised;

    private bool Is(ProtocolMutation mutation) => _options.Mutation == mutation;

    private long Backoff(int tries) => long.Min(_options.ResendMinNs << int.Min(tries, 20), _options.ResendMaxNs);

    private Page PageOf(PageId id)
    {
        if (!_pages.TryGetValue(id, out var page)) _pages[id] = page = new Page(id);
        return page;
    }

    private bool TrySend(RackId rack, OrderKind order, Page page, AttemptId attempt, Move? move = null, RequestId request = default)
    {
        if (!_racks.TryGetValue(rack, out var view) || !view.Promised) return false;
        var peer = default(RackIncarnation);
        if (move is not null)
        {
            var other = rack == move.From ? move.To : move.From;
            peer = new RackIncarnation(other, _racks.TryGetValue(other, out var otherView) ? otherView.Generation : default);
        }

        _fx.SendToRack(rack, new PageOrder(
            _shard, _term, new RackIncarnation(rack, view.Generation), order, page.Id, attempt, move?.Epoch ?? page.Epoch, peer, move?.Source ?? default,
            move?.Reason ?? MoveReason.Heat, request));
        return true;
    }

    /// <summary>Has a rack drop an incoming row of a move that is over; repeated until it has said so.</summary>
    private void Drop(RackId rack, PageId page, AttemptId attempt)
    {
        if (_drops.TryAdd((rack, page, attempt), 0)) SendDrop(rack, page, attempt);
    }

    private void SendDrop(RackId rack, PageId id, AttemptId attempt)
    {
        if (!_drops.TryGetValue((rack, id, attempt), out var tries)) return;
        if (!_racks.TryGetValue(rack, out var view))
        {
            _drops.Remove((rack, id, attempt));
            return;
        }

        _drops[(rack, id, attempt)] = tries + 1;
        if (view.Promised)
        {
            _fx.SendToRack(rack, new PageOrder(
                _shard, _term, new RackIncarnation(rack, view.Generation), OrderKind.Drop, id, attempt, default, default, default, default, default));
        }

        _timers.Set(new TimerKey(TimerKind.Drop, id.Value, attempt, rack), _now + Backoff(tries));
    }
}
