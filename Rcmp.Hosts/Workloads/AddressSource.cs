namespace Rcmp.Hosts.Workloads;

/// <summary>Where a thread's next operation goes. Uniform and sequential walk over all payload-sized slots; a skewed distribution chooses the page,
/// and a slot in it evenly: pages are what moves.</summary>
internal sealed class AddressSource
{
    private readonly GAddr _first;
    private readonly long _pageSize;
    private readonly long _stride;
    private readonly long _slotsPerPage;
    private readonly KeyDistribution _keys;
    private readonly bool _byPage;
    private readonly long _units;
    private Scatter _scatter;
    private ulong _hotSet;
    private SplitMix _random;

    public AddressSource(WorkloadSpec spec, int pageSize, int thread, ulong seed)
    {
        _first = spec.Address;
        _pageSize = pageSize;
        // A payload above a page takes whole pages, so that no two overlap.
        _stride = spec.Payload <= pageSize ? spec.Payload : (spec.Payload + pageSize - 1L) / pageSize * pageSize;
        _slotsPerPage = Math.Max(1, pageSize / spec.Payload);
        var units = spec.Payload <= pageSize ? spec.Pages : spec.Pages * pageSize / _stride;
        _byPage = spec.Distribution == KeyDistribution.Zipf;
        _keys = KeyDistribution.Create(spec.Distribution, _byPage ? units : units * _slotsPerPage, spec.Theta, seed, thread, spec.Threads);
        _units = units;
        _hotSet = spec.HotSet;
        _scatter = new Scatter(units, _hotSet);
        _random = new SplitMix(seed ^ 0x5DEECE66D);
    }

    public GAddr Next()
    {
        var key = _keys.Next();
        if (_byPage) return At(_scatter[key], _random.Below(_slotsPerPage));
        return At(key / _slotsPerPage, key % _slotsPerPage);
    }

    /// <summary>Other pages are hot from now on; every source of the workload takes the same ones.</summary>
    public void MoveHotSet() => _scatter = new Scatter(_units, ++_hotSet);

    private GAddr At(long unit, long slot) => _first + (unit * Math.Max(_pageSize, _stride) + slot * _stride);
}
