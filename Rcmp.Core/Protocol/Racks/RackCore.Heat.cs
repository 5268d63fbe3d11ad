using Rcmp.Protocol.Messages;
using Rcmp.Regions;

namespace Rcmp.Protocol;

/// <summary>Heat: the counters of pages that more than one rack is interested in, sampled a slice at a time.</summary>
internal sealed partial class RackCore
{
    private const double ReportFloor = 0.5;
    private const double ReportShare = 0.25;

    // Simulated with 4 and 64 racks, these two take three quarters of the reports and nine tenths of their bytes away, and one hit in two hundred: a page that is going to move gets
    // there in a few samples, and most of the others never do.
    private const double CoarseFloor = 4;
    private const long AdaptiveRemoteTimeNs = 100_000;
    private const uint AccessesMax = 1u << 31;
    private const uint RemoteTimeMax = 1u << 28;
    private const int RemoteTimeUnitNs = 64;

    private readonly Dictionary<PageId, int> _watched = [];
    private readonly List<HeatSample> _samples = [];
    private int _sampleHand;

    private struct HeatSample
    {
        public PageId Page;
        public AccessCounter Last;
        public long SampledNs;
        public double Heat;
        public double Reported;
        public long RemoteTimeNs;
    }

    /// <summary>Pages that nobody else reaches are not sampled: the directory has nothing to decide about them.</summary>
    private void WatchHeat(PageId page)
    {
        if (_watched.ContainsKey(page)) return;
        _watched[page] = _samples.Count;
        _samples.Add(new HeatSample { Page = page, Last = _store.ReadCounter(page), SampledNs = _now, Reported = double.NaN });
    }

    private void OnSampleHeat()
    {
        if (Self.Rack.IsNone) return;
        Dictionary<ShardId, List<PageHeatValue>>? reports = null;
        for (var i = int.Min(_samples.Count, _options.HeatSampleBatch); i > 0 && _samples.Count > 0; i--)
        {
            if (_sampleHand >= _samples.Count) _sampleHand = 0;
            var page = _samples[_sampleHand].Page;
            var kept = IsWatched(page);
            if (Sample(_sampleHand, kept, out var value))
            {
                reports ??= [];
                if (!reports.TryGetValue(ShardOf(page), out var list)) reports[ShardOf(page)] = list = [];
                list.Add(value);
            }

            if (kept) _sampleHand++;
            else Unwatch(_sampleHand);
        }

        if (reports is null) return;
        foreach (var (shard, list) in reports) _fx.SendToShard(shard, new HeatReport(shard, Self, ValueList<PageHeatValue>.Of(list)));
    }

    private void OnAskHeat(AskHeat m)
    {
        if (m.Owner != Self || !IsResident(m.Page)) return;
        WatchHeat(m.Page);
        Sample(_watched[m.Page], kept: true, out var value);
        _fx.SendToShard(m.Shard, new HeatReport(m.Shard, Self, ValueList<PageHeatValue>.Of(value)));
    }

    private bool IsWatched(PageId page) =>
        _frames.ContainsKey(page) ? _holdersOf.ContainsKey(page) : _store.Lookup(page).Kind is LocationKind.Remote or LocationKind.Moving;

    /// <summary>Brings the sample up to date: <c>heat · 2^(−Δt/half-life) + n</c>. True if its change is worth a report.</summary>
    private bool Sample(int index, bool kept, out PageHeatValue value)
    {
        ref var sample = ref System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_samples)[index];
        var counter = _store.ReadCounter(sample.Page);

        // Clients write the counters without synchronization, and an entry may have had another page: absurd steps count as none.
        var accesses = counter.Accesses - sample.Last.Accesses;
        var remote = counter.RemoteTime - sample.Last.RemoteTime;
        sample.Heat = HeatDecay.Next(sample.Heat, _now - sample.SampledNs, _options.HeatHalfLifeNs, accesses < AccessesMax ? accesses : 0);
        sample.RemoteTimeNs += remote < RemoteTimeMax ? (long)remote * RemoteTimeUnitNs : 0;
        sample.Last = counter;
        sample.SampledNs = _now;
        if (!kept) sample.Heat = 0;
        // Next to nothing is nothing: that a page has cooled down is said once, and the directory forgets what has no heat.
        value = new PageHeatValue(sample.Page, sample.Heat < ReportFloor ? 0 : sample.Heat, sample.RemoteTimeNs);

        // Most pages come along with another one and are not used: the directory takes a reader that is silent for a cold one, and asks an owner before it decides.
        if (!IsWorthAReport(sample)) return false;
        sample.Reported = sample.Heat;
        sample.RemoteTimeNs = 0;
        return true;
    }

    private bool IsWorthAReport(in HeatSample sample)
    {
        var isNew = double.IsNaN(sample.Reported);
        var reported = isNew ? 0 : sample.Reported;
        var change = double.Abs(sample.Heat - reported);
        // What has cooled down is said once, so that the directory can forget it.
        if (sample.Heat < ReportFloor && reported >= ReportFloor) return true;
        // Under adaptive it is time that decides, and heat between racks that share a page. Where no page moves, heat is for who asks where one is.
        if (_options.Policy is SwapPolicy.Adaptive or SwapPolicy.DirectIo or SwapPolicy.RdmaOnly)
            return (_options.Policy == SwapPolicy.Adaptive && sample.RemoteTimeNs >= AdaptiveRemoteTimeNs) || change > double.Max(CoarseFloor, ReportShare * reported);
        return sample.RemoteTimeNs > 0 || change > double.Max(ReportFloor, ReportShare * reported) || (isNew && sample.Heat > 0);
    }

    private void Unwatch(int index)
    {
        _watched.Remove(_samples[index].Page);
        var last = _samples.Count - 1;
        if (index != last)
        {
            _samples[index] = _samples[last];
            _watched[_samples[index].Page] = index;
        }

        _samples.RemoveAt(last);
    }

    /// <summary>For <c>status</c>.</summary>
    public RackCoreStatus Status() => new(
        Self, !Self.Rack.IsNone, _notRegisteredBecause, _store.FrameCount, RoomLeft, _reserve, _resident, _leaving, _incoming, _unsettled,
        _owners.Count, _holders.Count, _misses.Count, _samples.Sum(s => s.Heat), _draining, ValueList<HeldUpPage>.Of(HeldUpLately()))
    { MovedIn = _movedIn };
}
