using System.Diagnostics;
using Rcmp.Hosts.Chaos;
using Rcmp.Hosts.Linearizability;
using Rcmp.Tests.Embedded;

namespace Rcmp.Tests.Chaos;

/// <summary>The path of recorded histories, from a client's operations to the finding: it must be able to fail.</summary>
public sealed class HistoryWatchTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("rcmp-history-").FullName;
    private readonly List<string> _findings = [];

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task WhatTwoClientsDidAtATimeIsJudgedAndDeleted()
    {
        await using var pools = await EmbeddedPools.StartAsync(new EmbeddedPoolOptions { Racks = 2, RegionSize = 32 << 20, Policy = SwapPolicy.Swap });
        var plan = await PlanAsync(pools.Connect(0));
        using var journals = new Journals(_directory, 2);
        await Task.WhenAll(journals.All.Select((journal, i) => Task.Run(() => Steps(pools.Connect(i), plan, i, journal, 100))));

        var watch = Watch(plan, journals);
        watch.Look();
        Assert.Equal(0, watch.Histories);
        foreach (var journal in journals.All) journal.HistoryWindow = 1;
        watch.Look();
        Assert.Empty(_findings);
        Assert.Equal((8, 1600), (watch.Histories, watch.Operations));
        Assert.Empty(Directory.GetFiles(_directory, "*.txt"));
    }

    [Fact]
    public async Task AWordThatGoesBackIsAFindingThatNamesAFileWithAllOfIt()
    {
        await using var pools = await EmbeddedPools.StartAsync(new EmbeddedPoolOptions { RegionSize = 32 << 20 });
        var pool = pools.Connect(0);
        var plan = await PlanAsync(pool);
        using var journals = new Journals(_directory, 2);
        Steps(pool, plan, 0, journals.All[0], 40);
        // As if the last write to it had been lost: nobody wrote this down.
        var word = plan.Word(0, 3);
        pool.Write(word, pool.Read<ulong>(word) + 1_000_003);
        Steps(pool, plan, 1, journals.All[1], 40);

        var watch = Watch(plan, journals);
        watch.Finish();
        var finding = Assert.Single(_findings);
        Assert.Contains($"word {word} in window 0 is not linearizable", finding, StringComparison.Ordinal);
        var file = Directory.GetFiles(_directory, "kept-history-0.txt");
        Assert.Contains(Assert.Single(file), finding, StringComparison.Ordinal);
        var kept = HistoryRecorder.Load(file);
        Assert.Equal(watch.Operations, kept.Count);
        Assert.Equal((LinearizabilityVerdict.NotLinearizable, word.Value), LinearizabilityChecker.Check(kept) switch { var r => (r.Verdict, r.Key) });
    }

    [Fact]
    public async Task AWindowIsNotJudgedBeforeItsLastClientHasLeftIt()
    {
        await using var pools = await EmbeddedPools.StartAsync(new EmbeddedPoolOptions { RegionSize = 32 << 20 });
        var pool = pools.Connect(0);
        var plan = await PlanAsync(pool);
        using var journals = new Journals(_directory, 2);
        Steps(pool, plan, 0, journals.All[0], 1);
        Steps(pool, plan, 1, journals.All[1], 1);
        journals.All[0].HistoryWindow = 5;
        var watch = Watch(plan, journals);
        watch.Look();
        Assert.Equal(0, watch.Histories);
        // Its process was killed, and the next one begins later.
        journals.All[1].HistoryWindow = 4;
        watch.Look();
        Assert.Equal(16, watch.Operations);
    }

    [Fact]
    public void NoTwoWindowsShareAWordAndAllLieInTheirAreas()
    {
        const int Windows = 500;
        const int PageSize = 4096;
        var pages = HistoryPlan.PagesPerAreaFor(Windows, 3, PageSize);
        GAddr[] areas = [new(1ul << 32), new(2ul << 32), new(3ul << 32)];
        var plan = new HistoryPlan(areas, PageSize, pages, Windows, 3, 0, "");
        var words = Enumerable.Range(0, Windows).SelectMany(w => Enumerable.Range(0, HistoryPlan.Words).Select(i => plan.Word(w, i))).ToList();
        Assert.Equal(words.Count, words.Distinct().Count());
        Assert.All(words, word => Assert.Contains(areas, area => word.Value >= area.Value && word.Value + sizeof(ulong) <= area.Value + (ulong)(pages * PageSize)));
    }

    private async Task<HistoryPlan> PlanAsync(IMemoryPool pool) =>
        new([await pool.AllocatePagesAsync(2)], pool.Info.PageSize, 2, 100, 2, Stopwatch.GetTimestamp(), _directory);

    private HistoryWatch Watch(HistoryPlan plan, Journals journals) => new(plan, journals.All, Path.Combine(_directory, "kept"), _findings.Add);

    /// <summary>Every word of the first window, however long that takes.</summary>
    private static void Steps(IMemoryPool pool, HistoryPlan plan, int client, ChaosJournal journal, int rounds)
    {
        using var recorder = new HistoryRecorder(plan.File(0, client, 0), client + 1);
        journal.HistoryWindow = 0;
        var random = new Random(client);
        for (var i = 0; i < rounds * HistoryPlan.Words; i++) recorder.Random(pool, plan.Word(0, i % HistoryPlan.Words), random);
    }

    private sealed class Journals(string directory, int count) : IDisposable
    {
        public IReadOnlyList<ChaosJournal> All { get; } = [.. Enumerable.Range(0, count).Select(i => new ChaosJournal(Path.Combine(directory, $"{i}.journal")))];

        public void Dispose()
        {
            foreach (var journal in All) journal.Dispose();
        }
    }
}
