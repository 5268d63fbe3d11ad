namespace Rcmp.Hosts.Simulation;

/// <summary>A stream of random numbers (SplitMix64). Every actor of a simulation has its own: what one does, or no longer does, does not change the luck of the others,
/// so that a schedule can be shortened piece by piece.</summary>
internal struct SimRandom(ulong state)
{
    private ulong _state = state;

    public static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    public static ulong Mix(ulong seed, ulong a, ulong b) => Mix(Mix(Mix(seed + 0x9E3779B97F4A7C15UL) ^ a) + (b * 0x9E3779B97F4A7C15UL));

    public ulong Next() => Mix(_state += 0x9E3779B97F4A7C15UL);

    public int Pick(int count) => (int)(Next() % (ulong)count);

    public bool OneIn(int n) => Pick(n) == 0;

    public long Between(long low, long high) => low + (long)(Next() % (ulong)(high - low + 1));
}
