using BenchmarkDotNet.Attributes;
using Rcmp.DataPath;

namespace Rcmp.Benchmarks;

/// <summary>64 bytes of a page in the rack: what each layer adds to the one before it.</summary>
public class HitLayers
{
    private HitRange _range = null!;

    /// <summary>Fits no cache, or nearly fits one.</summary>
    [Params(1024, 16)]
    public int MiB { get; set; }

    [GlobalSetup]
    public void Start() => _range = new HitRange((long)MiB << 20, 64);

    [GlobalCleanup]
    public void End() => _range.Dispose();

    [Benchmark(Baseline = true, OperationsPerInvoke = HitBenchmark.BatchReads)]
    public void PlainCopy() => _range.Layers.PlainCopies();

    [Benchmark(OperationsPerInvoke = HitBenchmark.BatchReads)]
    public void VectorCopyInLine() => _range.Layers.VectorCopies();

    [Benchmark(OperationsPerInvoke = HitBenchmark.BatchReads)]
    public void GuardedCopyInLine() => _range.Layers.GuardedCopies();

    [Benchmark(OperationsPerInvoke = HitBenchmark.BatchReads)]
    public void RangeRead() => _range.Layers.RangeReads();

    [Benchmark(OperationsPerInvoke = HitBenchmark.BatchReads)]
    public void RangeWrite() => _range.Layers.RangeWrites();
}

/// <summary>Words of 8 bytes of pages in the rack.</summary>
public class WordLayers
{
    private HitRange _range = null!;

    [GlobalSetup]
    public void Start() => _range = new HitRange(1L << 30, sizeof(ulong));

    [GlobalCleanup]
    public void End() => _range.Dispose();

    [Benchmark(Baseline = true, OperationsPerInvoke = HitBenchmark.BatchReads)]
    public ulong PlainLoad() => _range.Layers.PlainLoads();

    [Benchmark(OperationsPerInvoke = HitBenchmark.BatchReads)]
    public ulong TypedRead() => _range.Layers.TypedReads();

    [Benchmark(OperationsPerInvoke = HitBenchmark.BatchReads)]
    public void RangeRead() => _range.Layers.RangeReads();
}
