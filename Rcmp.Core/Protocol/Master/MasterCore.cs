using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>The master's state machine: registration, numbers, roster, placement. Soft state: racks register again after a fail-over.</summary>
internal sealed class MasterCore(MasterOptions options)
{
    private readonly Dictionary<RackId, Member> _members = [];
    private readonly Dictionary<Guid, RackId> _promised = [];
    private readonly Dictionary<RackId, DrainRack> _drains = [];

    /// <summary>Removals that a rack which stays has stored: they outlive this master.</summary>
    private readonly HashSet<RackId> _keptRemovals = [];
    private readonly Dictionary<RackId, List<(string ReplyTo, AdminAnswered Answer)>> _removalsToAnswer = [];
    private PoolSettings? _settings = options.Settings;
    private long _startedNs = long.MinValue;

    private sealed class Member
    {
        public Generation Generation { get; set; }

        public long FramesTotal { get; set; }

        public long FramesFree { get; set; }

        public long PagesUsed { get; set; }

        public long HeardNs { get; set; }

        public SwapPolicy? Policy { get; set; }
    }

    /// <summary>The roster as known.</summary>
    public RosterChanged Roster { get; private set; } = new(0, ValueList<RosterEntry>.Empty);

    /// <summary>A message has arrived.</summary>
    public void Handle(IPoolProtocol message, long nowNs, IMasterEffects effects)
    {
        if (_startedNs == long.MinValue) _startedNs = nowNs;
        switch (message)
        {
            case RegisterRack m: OnRegisterRack(m, nowNs, effects); break;
            case RackLoad m: OnRackLoad(m, nowNs); break;
            case AskRoom m: OnAskRoom(m, nowNs, effects); break;
            case ForgetRack m: OnForgetRack(m, effects); break;
            case DrainRack m: OnDrainRack(m, effects); break;
            case RosterChanged m: Roster = RosterMerge.Merge(Roster, m); break;
            default: effects.Log(RackLogLevel.Warning, $"The master has no use for {message.GetType().Name}."); break;
        }
    }

    private void OnRegisterRack(RegisterRack m, long nowNs, IMasterEffects effects)
    {
        if (_settings is { } settings && Mismatch(settings, m.Settings) is { } mismatch)
        {
            Refuse(m, RegistrationProblem.Mismatch, mismatch, effects);
            return;
        }

        _settings ??= m.Settings;
        var before = Roster;
        Roster = RosterMerge.Merge(Roster, new RosterChanged(m.RosterVersion, m.Roster));
        NoteDrained(m, before, effects);
        NoteKeptRemovals(m, effects);
        var number = m.Rack;
        if (!number.IsNone)
        {
            if (!AcceptNumber(m, effects)) return;
        }
        else if (Roster.Entries.FirstOrDefault(e => e.RegionId == m.RegionId) is { } known)
        {
            number = known.Rack;
        }
        else if (!TryAssign(m, nowNs, effects, out number))
        {
            return;
        }

        if (!m.Rack.IsNone) Admit(m, nowNs, effects);
        if (!Roster.Entries.Equals(before.Entries)) Publish(effects);
        effects.SendToNode(m.NodeAddress, new RackRegistered(m.RegionId, number, m.Generation, Roster));
    }

    /// <summary>A drained rack says by its roster that it has left.</summary>
    private void NoteDrained(RegisterRack m, RosterChanged before, IMasterEffects effects)
    {
        if (!IsRemoved(Roster, m.Rack)) return;
        _members.Remove(m.Rack);
        if (!IsRemoved(before, m.Rack)) Publish(effects);
        if (_drains.Remove(m.Rack, out var drain)) AnswerDrained(drain, effects);
    }

    private static bool IsRemoved(RosterChanged roster, RackId rack) => roster.Entries.Any(e => e.Rack == rack && e.Forgotten);

    private void AnswerDrained(DrainRack drain, IMasterEffects effects) =>
        AnswerRemoval(drain.Rack, drain.ReplyTo, new AdminAnswered(drain.Request, true, $"rack {drain.Rack} is empty and removed"), effects);

    private void NoteKeptRemovals(RegisterRack m, IMasterEffects effects)
    {
        foreach (var entry in m.Roster)
        {
            if (!entry.Forgotten || entry.Rack == m.Rack) continue;
            _keptRemovals.Add(entry.Rack);
            if (!_removalsToAnswer.Remove(entry.Rack, out var waiting)) continue;
            foreach (var (replyTo, answer) in waiting) effects.SendToNode(replyTo, answer);
        }
    }

    /// <summary>Answers when a rack that stays has stored the removal: this master may be gone in the next moment, and whoever gave the order clears the region away.</summary>
    private void AnswerRemoval(RackId rack, string replyTo, AdminAnswered answer, IMasterEffects effects)
    {
        if (_keptRemovals.Contains(rack) || Roster.Entries.All(e => e.Forgotten))
        {
            effects.SendToNode(replyTo, answer);
            return;
        }

        if (_members.Count == 0)
        {
            effects.SendToNode(replyTo, answer with { Ok = false, Message = $"no other rack is there that could remember that rack {rack} is removed: start one, and repeat this" });
            return;
        }

        if (!_removalsToAnswer.TryGetValue(rack, out var waiting)) _removalsToAnswer[rack] = waiting = [];
        waiting.RemoveAll(w => w.Answer.Request == answer.Request);
        waiting.Add((replyTo, answer));
    }

    private static string? Mismatch(PoolSettings pool, PoolSettings rack)
    {
        if (pool.PoolId != rack.PoolId) return $"the pool id is {pool.PoolId}, the rack has {rack.PoolId} (rcmp.pool.id)";
        if (pool.PageSize != rack.PageSize) return $"the pool's page size is {pool.PageSize}, the rack has {rack.PageSize} (rcmp.pool.page-size)";
        if (pool.Shards != rack.Shards) return $"the pool has {pool.Shards} directory shards, the rack {rack.Shards} (rcmp.directory.shards)";
        return pool.FormatVersion != rack.FormatVersion
            ? $"the pool's region format is {pool.FormatVersion}, the rack has {rack.FormatVersion}: recreate its region"
            : null;
    }

    private bool AcceptNumber(RegisterRack m, IMasterEffects effects)
    {
        var entry = Roster.Entries.FirstOrDefault(e => e.Rack == m.Rack);
        if (entry is not null && entry.RegionId != m.RegionId)
        {
            Refuse(m, RegistrationProblem.NumberTaken, $"region number {m.Rack} belongs to region {entry.RegionId}, not to {m.RegionId}", effects);
            return false;
        }

        if (_promised.FirstOrDefault(p => p.Value == m.Rack) is { Value.IsNone: false } promise && promise.Key != m.RegionId && entry is null)
        {
            Refuse(m, RegistrationProblem.NumberTaken, $"region number {m.Rack} was given to region {promise.Key}", effects);
            return false;
        }

        if (entry is { Forgotten: true })
        {
            Refuse(m, RegistrationProblem.Forgotten, $"rack {m.Rack} was removed from the pool: recreate its region to join as a new one", effects);
            return false;
        }

        if (entry is not null && entry.Generation.CompareTo(m.Generation) > 0)
        {
            Refuse(m, RegistrationProblem.OldGeneration, $"rack {m.Rack} has registered with generation {entry.Generation}, this is {m.Generation}", effects);
            return false;
        }

        return true;
    }

    private bool TryAssign(RegisterRack m, long nowNs, IMasterEffects effects, out RackId number)
    {
        if (_promised.TryGetValue(m.RegionId, out number)) return true;
        var silent = Roster.Entries.Where(e => !e.Forgotten && !_members.ContainsKey(e.Rack)).Select(e => e.Rack).ToList();
        if (silent.Count > 0)
        {
            var racks = string.Join(", ", silent);
            Refuse(m, RegistrationProblem.Waiting, $"waiting for rack {racks} before a new number is given out (or 'rcmp rack forget')", effects);
            return false;
        }

        // A master that has just started knows of no rack yet: those that exist get the time to say so.
        if (nowNs - _startedNs < options.GraceNs)
        {
            Refuse(m, RegistrationProblem.Waiting, "the master has just started and waits for racks that it does not know yet", effects);
            return false;
        }

        var highest = int.Max(Roster.Entries.Count == 0 ? 0 : Roster.Entries.Max(e => e.Rack.Value), _promised.Count == 0 ? 0 : _promised.Values.Max().Value);
        if (highest >= RackId.Max)
        {
            Refuse(m, RegistrationProblem.RosterFull, $"all {RackId.Max} region numbers of the pool were given out. See docs/failures/limits.md.", effects);
            return false;
        }

        _promised[m.RegionId] = number = new RackId((ushort)(highest + 1));
        effects.Log(RackLogLevel.Information, $"Region {m.RegionId} at {m.NodeAddress} gets number {number}.");
        return true;
    }

    private void Admit(RegisterRack m, long nowNs, IMasterEffects effects)
    {
        if (!_members.TryGetValue(m.Rack, out var member)) _members[m.Rack] = member = new Member();
        (member.Generation, member.HeardNs) = (m.Generation, nowNs);
        (member.FramesTotal, member.FramesFree, member.PagesUsed) = (m.FramesTotal, m.FramesFree, m.PagesUsed);
        WarnOfPolicy(m, member, effects);
        _promised.Remove(m.RegionId);
        var entry = new RosterEntry(m.Rack, m.RegionId, m.Generation, m.NodeAddress, false);
        if (!Roster.Entries.Contains(entry)) SetEntry(entry);
        ContinueDrain(m.Rack, effects);
    }

    /// <summary>Once for each policy that a rack comes with: it registers again and again. No reason to refuse it: no data is at stake.</summary>
    private void WarnOfPolicy(RegisterRack m, Member member, IMasterEffects effects)
    {
        var before = member.Policy;
        member.Policy = m.Settings.Policy;
        if (m.Settings.Policy is not { } policy || policy == before || _settings?.Policy is not { } pool || policy == pool) return;
        effects.Log(
            RackLogLevel.Warning,
            $"Rack {m.Rack} at {m.NodeAddress} has another rcmp.swap.policy than this master, {NameOf(policy)} instead of {NameOf(pool)}: "
            + "whose policy moves a page depends on the node where its directory shard runs. Give all masters and racks the same.");
    }

    /// <summary>As a configuration has it.</summary>
    private static string NameOf(SwapPolicy policy) => policy switch
    {
        SwapPolicy.DirectIo => "direct-io",
        SwapPolicy.RdmaOnly => "rdma-only",
        _ => policy.ToString().ToLowerInvariant(),
    };

    private void SetEntry(RosterEntry entry)
    {
        var entries = Roster.Entries.Where(e => e.Rack != entry.Rack).Append(entry).OrderBy(e => e.Rack);
        Roster = Roster with { Entries = ValueList<RosterEntry>.Of(entries) };
    }

    private void Publish(IMasterEffects effects)
    {
        Roster = Roster with { Version = Roster.Version + 1 };
        effects.Broadcast(Roster);
    }

    private static void Refuse(RegisterRack m, RegistrationProblem problem, string why, IMasterEffects effects) =>
        effects.SendToNode(m.NodeAddress, new RegistrationRefused(m.RegionId, m.Generation, problem, why));

    private void OnRackLoad(RackLoad m, long nowNs)
    {
        if (!_members.TryGetValue(m.Rack.Rack, out var member) || member.Generation != m.Rack.Generation) return;
        member.HeardNs = nowNs;
        (member.FramesTotal, member.FramesFree, member.PagesUsed) = (m.FramesTotal, m.FramesFree, m.PagesUsed);
    }

    private void OnAskRoom(AskRoom m, long nowNs, IMasterEffects effects)
    {
        if (Roster.Entries.FirstOrDefault(e => e.Rack == m.Rack.Rack) is not { NodeAddress.Length: > 0 } asker) return;
        var rooms = new List<RackRoom>();
        var missing = m.Count;
        foreach (var (rack, member) in _members.OrderByDescending(p => p.Value.FramesFree).ThenBy(p => p.Key))
        {
            if (rack == m.Rack.Rack || member.FramesFree <= 0 || missing <= 0 || _drains.ContainsKey(rack) || nowNs - member.HeardNs > options.SilenceNs) continue;
            if (Roster.Entries.FirstOrDefault(e => e.Rack == rack) is not { Forgotten: false }) continue;
            var pages = long.Min(missing, member.FramesFree);
            rooms.Add(new RackRoom(rack, pages));
            missing -= pages;

            // Until the rack reports again, what was offered counts as taken: two askers are not sent to the same frames.
            member.FramesFree -= pages;
        }

        effects.SendToNode(asker.NodeAddress, new RoomOffered(m.Rack, m.Request, ValueList<RackRoom>.Of(rooms)));
    }

    private void OnForgetRack(ForgetRack m, IMasterEffects effects)
    {
        var entry = Roster.Entries.FirstOrDefault(e => e.Rack == m.Rack);
        if (entry is null)
        {
            effects.SendToNode(m.ReplyTo, new AdminAnswered(m.Request, false, $"there is no rack {m.Rack} in the roster"));
            return;
        }

        Forget(entry, effects);
        AnswerRemoval(m.Rack, m.ReplyTo, new AdminAnswered(m.Request, true, $"rack {m.Rack} is removed; pages that were only there are gone"), effects);
    }

    private void Forget(RosterEntry entry, IMasterEffects effects)
    {
        _members.Remove(entry.Rack);
        _drains.Remove(entry.Rack);
        if (entry.Forgotten) return;
        SetEntry(entry with { Forgotten = true });
        Publish(effects);
        if (entry.NodeAddress.Length > 0) effects.SendToNode(entry.NodeAddress, Roster);
    }

    private void OnDrainRack(DrainRack m, IMasterEffects effects)
    {
        if (IsRemoved(Roster, m.Rack))
        {
            AnswerDrained(m, effects);
            return;
        }

        if (!_members.ContainsKey(m.Rack))
        {
            effects.SendToNode(m.ReplyTo, new AdminAnswered(m.Request, false, $"rack {m.Rack} is not there: start it, or use 'rcmp rack forget'"));
            return;
        }

        _drains[m.Rack] = m;
        ContinueDrain(m.Rack, effects);
    }

    private void ContinueDrain(RackId rack, IMasterEffects effects)
    {
        if (!_drains.ContainsKey(rack) || Roster.Entries.FirstOrDefault(e => e.Rack == rack) is not { } entry) return;
        effects.SendToNode(entry.NodeAddress, new EmptyRack(new RackIncarnation(rack, entry.Generation)));
    }
}
