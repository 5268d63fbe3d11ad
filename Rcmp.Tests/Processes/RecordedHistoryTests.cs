using System.Globalization;
using Rcmp.Hosts.Linearizability;
using Rcmp.Hosts.Local;
using Rcmp.Tests.Workers;

namespace Rcmp.Tests.Processes;

/// <summary>What real processes did and saw, judged by the same checker as the simulation's clients.</summary>
[Collection(ProcessCollection.Name)]
public sealed class RecordedHistoryTests(ITestOutputHelper output) : IDisposable
{
    private const int Pages = 3;
    private const int Operations = 4000;
    private const int MovesMin = 10;
    private readonly string _directory = Directory.CreateTempSubdirectory("rcmp-history-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task WhatFourClientsSawOnMovingPagesIsLinearizableAlsoWhenOneIsKilled()
    {
        await using var pool = await ProcessPool.StartAsync(2, ("rcmp.swap.policy", "swap"));
        await using var monitor = PoolMonitor.Of(pool.Cluster);
        var clients = new[] { await pool.StartClientAsync(0), await pool.StartClientAsync(1), await pool.StartClientAsync(0), await pool.StartClientAsync(1) };
        var words = await clients[0].AllocateAsync(Pages);
        var files = Enumerable.Range(1, clients.Length).Select(i => Path.Combine(_directory, $"{i}.history")).ToArray();
        // Both racks want the pages.
        foreach (var client in clients[..2]) await client.SayAsync($"{WorkerProtocol.Start} bring bring {words} {Pages}");
        var running = clients.Select((client, i) => client.SayAsync(
            string.Create(CultureInfo.InvariantCulture, $"{WorkerProtocol.Record} {files[i]} {words} {Pages} {(i == 3 ? 1_000_000_000 : Operations)} {i + 1}"))).ToArray();
        await Task.WhenAll(running[..3]);
        var moves = await monitor.SwapsAsync(TestContext.Current.CancellationToken);
        output.WriteLine($"{moves} moves");
        Assert.True(moves > MovesMin, $"only {moves} moves");
        foreach (var client in clients[..2]) await client.SayAsync($"{WorkerProtocol.Stop} bring");
        await clients[3].KillAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => running[3]);

        var history = HistoryRecorder.Load(files);
        Assert.True(history.Count > 3 * Operations, $"{history.Count} operations");
        var result = LinearizabilityChecker.Check(history);
        Assert.True(result.Verdict == LinearizabilityVerdict.Linearizable, result.Explanation);

        // The checker is not blind: an answer that is changed is noticed.
        var at = history.FindIndex(e => e is { Operation: WordOperation.FetchAdd, IsUnknown: false });
        history[at] = history[at] with { Result = history[at].Result + 1_000_003 };
        Assert.Equal(LinearizabilityVerdict.NotLinearizable, LinearizabilityChecker.Check(history).Verdict);
    }
}
