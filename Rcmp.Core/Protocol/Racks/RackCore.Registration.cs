using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>Registration at the master, and the roster.</summary>
internal sealed partial class RackCore
{
    private string _nodeAddress = "";
    private string? _notRegisteredBecause = "no master has answered yet";
    private HashSet<RackId> _forgotten = [];

    // Until a master has accepted it, a rack that comes back may have been removed meanwhile, and its rows mean nothing: shards get no answer.
    private bool _wasRegistered;
    private bool _toGreet = true;
    private long _loadReported;
    private bool _loadReportDue;
    private bool _draining;

    private bool IsForgotten(RackId rack) => _forgotten.Contains(rack);

    private bool TakesNothing => _draining || IsForgotten(Self.Rack);

    private long RoomLeft => TakesNothing ? 0 : long.Max(0, _free.Count - _reserve);

    private void OnNodeJoined(NodeJoined e)
    {
        _nodeAddress = e.NodeAddress;
        // Who joins anew knows no shard's place.
        _toGreet = true;
        SendRegistration();
    }

    private void SendRegistration()
    {
        if (_nodeAddress.Length == 0) return;
        var state = _store.State;
        _loadReported = _free.Count;
        _fx.SendToMaster(new RegisterRack(
            _options.RegionId, state.Rack, state.Generation, _nodeAddress, _options.Settings, Roster.Version, Roster.Entries, _store.FrameCount, RoomLeft,
            _frames.Count));
        _timers.Set(
            new TimerKey(TimerKind.Register, 0), _now + (_notRegisteredBecause is null ? _options.RegisterIntervalNs : _options.ResendMaxNs / 2));
    }

    private void ReportLoadIfChanged()
    {
        if (Self.Rack.IsNone) return;
        if (long.Abs(_free.Count - _loadReported) > long.Max(4, _store.FrameCount / 32)) ReportLoad();
        else if (!_loadReportDue)
        {
            // The master counts what it has offered as taken: it must hear of small changes too, only not of each.
            _loadReportDue = true;
            _timers.Set(new TimerKey(TimerKind.Load, 0), _now + _options.ResendMinNs);
        }
    }

    private void ReportLoad()
    {
        _loadReportDue = false;
        _timers.Cancel(new TimerKey(TimerKind.Load, 0));
        _loadReported = _free.Count;
        _fx.SendToMaster(new RackLoad(Self, _store.FrameCount, RoomLeft, _frames.Count));
    }

    private bool IsNumberConfirmed()
    {
        var rack = _store.State.Rack;
        return !rack.IsNone && Roster.Entries.Any(e => e.Rack == rack && e.RegionId == _options.RegionId);
    }

    private void BecomeRegistered()
    {
        Self = new RackIncarnation(_store.State.Rack, _store.State.Generation);
        _forgotten = [.. Roster.Entries.Where(e => e.Forgotten).Select(e => e.Rack)];
        _fx.Registered(Self.Rack);
        _fx.RosterKnown(Roster);
        FreePagesOfForgotten();
    }

    private void OnRackRegistered(RackRegistered m)
    {
        if (m.RegionId != _options.RegionId || m.Generation != _store.State.Generation) return;
        if (_store.State.Rack.IsNone)
        {
            // Stored before it is used; used only once the master has seen that it is stored, so that no two regions ever share it.
            _store.SaveState(_store.State with { Rack = m.Rack });
            SendRegistration();
            return;
        }

        if (_store.State.Rack != m.Rack) return;
        _notRegisteredBecause = null;
        _wasRegistered = true;
        if (_toGreet) _timers.Set(new TimerKey(TimerKind.Greet, 0), _now + _options.GreetDelayNs);
        _toGreet = false;
        OnRosterChanged(m.Roster);
    }

    /// <summary>A word to every shard: they run before they are needed, and this node has learnt where each of them is while somebody could tell. Without masters nobody may.</summary>
    private void GreetDirectory()
    {
        for (var shard = 0; shard < _options.Settings.Shards; shard++)
            _fx.SendToShard(new ShardId(shard), new RowsPending(new ShardId(shard), Self, ValueList<RowReport>.Empty));
    }

    private void OnRegistrationRefused(RegistrationRefused m)
    {
        if (m.RegionId != _options.RegionId || m.Generation != _store.State.Generation) return;
        if (_notRegisteredBecause != m.Why)
            _fx.Log(m.Problem == RegistrationProblem.Waiting ? RackLogLevel.Information : RackLogLevel.Error, $"Not registered: {m.Why}");
        _notRegisteredBecause = m.Why;
        if (m.Problem == RegistrationProblem.NumberTaken && Self.Rack.IsNone)
        {
            _store.SaveState(_store.State with { Rack = RackId.None });
            SendRegistration();
        }
    }

    private void OnRosterChanged(RosterChanged m)
    {
        var merged = RosterMerge.Merge(Roster, m);
        if (merged == Roster && !Self.Rack.IsNone) return;
        if (!merged.Entries.Equals(Roster.Entries)) _store.SaveState(_store.State with { Roster = merged.Entries });
        Roster = merged;
        if (Self.Rack.IsNone)
        {
            if (IsNumberConfirmed()) BecomeRegistered();
            return;
        }

        _fx.RosterKnown(merged);
        var removalKept = false;
        foreach (var entry in merged.Entries)
        {
            if (entry.Forgotten && _forgotten.Add(entry.Rack))
            {
                removalKept = true;
                if (entry.Rack == Self.Rack)
                    _fx.Log(RackLogLevel.Error, $"An operator removed rack {Self.Rack} from the pool: recreate its region (rcmp region create --force) to join again.");
            }

            var over = entry.Forgotten;
            if (_owners.TryGetValue(entry.Rack, out var owner) && (over || entry.Generation.CompareTo(owner.Id.Owner.Generation) > 0))
                KillLink(owner, confirmed: true);
            foreach (var dead in _deadLinks.Values.Where(d => d.Id.Owner.Rack == entry.Rack && !d.ConfirmedDead).ToArray())
            {
                if (over || entry.Generation.CompareTo(dead.Id.Owner.Generation) > 0) ConfirmDead(dead);
            }

            if (_holders.TryGetValue(entry.Rack, out var holder) && (over || entry.Generation.CompareTo(holder.Id.Holder.Generation) > 0))
                FenceLink(holder);
        }

        FreePagesOfForgotten();
        // Whoever gave the order waits to hear that the removal is stored.
        if (removalKept) SendRegistration();
    }

    private void OnEmptyRack(EmptyRack m)
    {
        if (m.Rack.Rack != Self.Rack || Self.Rack.IsNone) return;
        _draining = true;
        WantRoom();
        LeaveIfDrained();
    }

    /// <summary>An empty rack that is being drained removes itself from the roster, durably, and the master hears of it by the roster of its registration. What a master believed of
    /// its pages would be out of date, and this rack's order to take nothing is forgotten with its process.</summary>
    private void LeaveIfDrained()
    {
        // An acknowledgement under way is waited for: the others free what is not acknowledged when this rack leaves.
        if (!_draining || _frames.Count > 0 || _placements.Count > 0 || _settling.Values.Any(job => job.Parts.Exists(p => p.Keep)) || !_forgotten.Add(Self.Rack)) return;
        Roster = Roster with { Entries = ValueList<RosterEntry>.Of(Roster.Entries.Select(e => e.Rack == Self.Rack ? e with { Forgotten = true } : e)) };
        _store.SaveState(_store.State with { Roster = Roster.Entries });
        _fx.Log(RackLogLevel.Information, $"Rack {Self.Rack} is empty and leaves the pool.");
        _fx.RosterKnown(Roster);
        SendRegistration();
    }
}
