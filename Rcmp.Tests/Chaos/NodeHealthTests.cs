using Rcmp.Hosts.Chaos;
using Rcmp.Hosts.Local;

namespace Rcmp.Tests.Chaos;

public sealed class NodeHealthTests
{
    private static readonly ProcessIdentity Process = new(4711, 1);

    private readonly Clock _clock = new();
    private readonly NodeHealth _health;
    private NodeReading _reading = new(30 << 20, 40);

    public NodeHealthTests() => _health = new NodeHealth(id => id == Process.Id ? _reading : null, _clock);

    private void Look(long memoryMiB, long files, double seconds)
    {
        _clock.Now += TimeSpan.FromSeconds(seconds);
        _reading = new NodeReading(memoryMiB << 20, files);
        _health.Look([("rack1", Process), ("client0", null)]);
    }

    [Fact]
    public void WhatGrowsAfterTheWarmUpIsFound()
    {
        Look(10, 5, 0);
        Look(60, 30, NodeHealth.WarmUp.TotalSeconds);
        Look(108, 30 + NodeHealth.FilesMore + 1, 60);
        Assert.Contains("rack1 has 79 open files", Assert.Single(_health.Findings()));
        Look(109, 30, 1);
        Assert.Contains("had 109 MiB of its own memory, after its warm-up", Assert.Single(_health.Findings()));
        Assert.Equal((49L << 20, 0L, 61.0), (_health.MemoryGrowthMax, _health.FilesGrowthMax, _health.LongestLife.TotalSeconds));
        // The same whether it lives on or not.
        Look(109, 30, NodeHealth.Settled.TotalSeconds);
        Assert.Contains("had 109 MiB of its own memory, after its warm-up", Assert.Single(_health.Findings()));
    }

    /// <summary>Less than what young objects may take, but after they have.</summary>
    [Fact]
    public void WhatGrowsSlowlyIsFoundInALongLife()
    {
        Look(10, 5, 0);
        Look(60, 30, NodeHealth.WarmUp.TotalSeconds);
        Look(90, 30, NodeHealth.Settled.TotalSeconds);
        Look(122, 30, 600);
        Assert.Empty(_health.Findings());
        Look(123, 30, 600);
        Assert.Contains("after 5 minutes it had 90 MiB", Assert.Single(_health.Findings()));
    }

    [Fact]
    public void WhatAProcessTakesWhileItStartsIsNotGrowth()
    {
        Look(10, 5, 0);
        Look(80, 120, NodeHealth.WarmUp.TotalSeconds);
        Look(90, 130, 60);
        Assert.Empty(_health.Findings());
        Assert.Equal((90L << 20, 130L), (_health.MemoryMax, _health.FilesMax));
    }

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; }

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
