using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Rcmp.Benchmarks;

// In this process: the region is mapped once, and what is built is what users run. Each class goes from the ceiling down, its first line is the baseline.
var config = DefaultConfig.Instance
    .AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithWarmupCount(3).WithIterationCount(15))
    .AddDiagnoser(MemoryDiagnoser.Default)
    .AddColumn(StatisticColumn.Median)
    .WithArtifactsPath(Path.Combine(Path.GetTempPath(), "rcmp-benchmarks"));
BenchmarkSwitcher.FromTypes([typeof(HitLayers), typeof(WordLayers), typeof(RemoteLayers)]).Run(args.Length == 0 ? ["--filter", "*"] : args, config);
