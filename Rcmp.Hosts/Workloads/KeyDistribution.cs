namespace Rcmp.Hosts.Workloads;

/// <summary>Which of a number of keys comes next. One per thread.</summary>
internal abstract class KeyDistribution
{
    public const string Uniform = "uniform";
    public const string Zipf = "zipf";
    public const string Sequential = "sequential";

    public static readonly string[] Names = [Uniform, Zipf, Sequential];

    /// <summary>From 0 to the number of keys, exclusive.</summary>
    public abstract long Next();

    public static KeyDistribution Create(string name, long keys, double theta, ulong seed, int thread, int threads) => name switch
    {
        Uniform => new UniformKeys(keys, seed),
        Zipf => new ZipfKeys(keys, theta, seed),
        Sequential => new SequentialKeys(keys, keys / threads * thread),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "No such distribution."),
    };
}

internal sealed class UniformKeys(long keys, ulong seed) : KeyDistribution
{
    private SplitMix _random = new(seed);

    public override long Next() => _random.Below(keys);
}

internal sealed class SequentialKeys(long keys, long start) : KeyDistribution
{
    private long _next = start;

    public override long Next()
    {
        var key = _next;
        _next = key + 1 == keys ? 0 : key + 1;
        return key;
    }
}

/// <summary>Key k has weight 1/(k+1)^theta: rejection-inversion after Hörmann and Derflinger, exact for any theta above 0 and any number of keys.</summary>
internal sealed class ZipfKeys : KeyDistribution
{
    private readonly long _keys;
    private readonly double _theta;
    private readonly double _integralOfFirst;
    private readonly double _integralOfAll;
    private readonly double _shortcut;
    private SplitMix _random;

    public ZipfKeys(long keys, double theta, ulong seed)
    {
        _keys = keys;
        _theta = theta;
        _random = new SplitMix(seed);
        _integralOfFirst = Integral(1.5) - 1;
        _integralOfAll = Integral(keys + 0.5);
        _shortcut = 2 - IntegralInverse(Integral(2.5) - Weight(2));
    }

    public override long Next()
    {
        while (true)
        {
            var u = _integralOfAll + _random.Unit() * (_integralOfFirst - _integralOfAll);
            var x = IntegralInverse(u);
            var k = Math.Clamp((long)(x + 0.5), 1, _keys);
            if (k - x <= _shortcut || u >= Integral(k + 0.5) - Weight(k)) return k - 1;
        }
    }

    private double Weight(double x) => Math.Exp(-_theta * Math.Log(x));

    private double Integral(double x)
    {
        var log = Math.Log(x);
        return ExpMinus1Over((1 - _theta) * log) * log;
    }

    private double IntegralInverse(double x)
    {
        var t = Math.Max(x * (1 - _theta), -1);
        return Math.Exp(Log1PlusOver(t) * x);
    }

    // Both are 0/0 at theta = 1, where the series takes over.
    private static double ExpMinus1Over(double x) => Math.Abs(x) > 1e-8 ? (Math.Exp(x) - 1) / x : 1 + x * 0.5 * (1 + x / 3);

    private static double Log1PlusOver(double x) => Math.Abs(x) > 1e-8 ? Math.Log(1 + x) / x : 1 - x * (0.5 - x * (1.0 / 3));
}

/// <summary>A small fast generator with one word of state.</summary>
internal struct SplitMix(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15UL;
        var z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    public long Below(long bound) => (long)Math.BigMul(Next(), (ulong)bound, out _);

    /// <summary>From 0 to 1, exclusive.</summary>
    public double Unit() => (Next() >> 11) * (1.0 / (1UL << 53));
}

/// <summary>A fixed shuffle of 0 … count−1: rank 0 of a skewed distribution is not always the first page, and neighbours in rank are not neighbours in memory.</summary>
internal readonly struct Scatter
{
    private readonly long _count;
    private readonly long _factor;
    private readonly long _shift;

    public Scatter(long count, ulong seed)
    {
        _count = count;
        // Any factor without a common divisor permutes; one near the golden section spreads well.
        _factor = Math.Max(1, (long)(count * 0.6180339887));
        while (Divisor(_factor, count) != 1) _factor++;
        _shift = new SplitMix(seed).Below(count);
    }

    public long this[long rank] => (long)((Int128)rank * _factor % _count + _shift) % _count;

    private static long Divisor(long left, long right)
    {
        while (right != 0) (left, right) = (right, left % right);
        return left;
    }
}
