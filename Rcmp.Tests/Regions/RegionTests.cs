using System.Buffers.Binary;
using System.IO.Hashing;
using Rcmp.Regions;

namespace Rcmp.Tests.Regions;

public class RegionTests
{
    [Fact]
    public void ARegionIsWhatItWasFormattedAs()
    {
        using var fixture = new RegionFixture();
        using var region = fixture.OpenDaemon();
        Assert.Equal(fixture.Layout, region.Layout);
        Assert.Equal(fixture.PoolId, region.Layout.PoolId);
        Assert.True(region.Layout.FrameCount > 2500, $"only {region.Layout.FrameCount} frames");
        Assert.True(region.Layout.PageTableEntries >= 2 * region.Layout.FrameCount);
    }

    [Theory]
    [InlineData(4096, 16L << 20)]
    [InlineData(4096, 64L << 20)]
    [InlineData(65536, 256L << 20)]
    [InlineData(2 << 20, 4L << 30)]
    [InlineData(4096, 64L << 30)]
    public void ALayoutFillsItsRegion(int pageSize, long size)
    {
        var layout = RegionPlan.Compute(new RegionCreateOptions { PoolId = Guid.NewGuid(), PageSizeBytes = pageSize }, size);
        Assert.True(RegionPlan.IsConsistent(layout));
        var unused = size - layout.FramesOffset - layout.FrameCount * pageSize;
        Assert.InRange(unused, 0, (4 << 20) + size / 50);
    }

    [Fact]
    public void ATooSmallRegionIsRefusedWithTheSizeThatWouldDo()
    {
        var options = new RegionCreateOptions { PoolId = Guid.NewGuid(), SizeBytes = 2 << 20 };
        var path = $"/dev/shm/rcmp-test-{Guid.NewGuid():n}";
        var error = Assert.Throws<RegionOptionsException>(() => Region.Create(path, options));
        Assert.False(File.Exists(path));
        var minimum = RegionPlan.MinimumBytes(options);
        Assert.InRange(minimum, 4 << 20, 16 << 20);
        Assert.Contains($"{minimum}", error.Message, StringComparison.Ordinal);
        RegionPlan.Compute(options, minimum);
    }

    [Fact]
    public void AWrongPageSizeIsRefusedBeforeAFileIsMade()
    {
        var path = $"/dev/shm/rcmp-test-{Guid.NewGuid():n}";
        Assert.Throws<RegionOptionsException>(
            () => Region.Create(path, new RegionCreateOptions { PoolId = Guid.NewGuid(), SizeBytes = 16 << 20, PageSizeBytes = 5000 }));
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void ARegionThatDoesNotFitTheFileSystemIsRefusedAndLeavesNothing()
    {
        var path = $"/dev/shm/rcmp-test-{Guid.NewGuid():n}";
        Assert.Throws<RegionResourceException>(() => Region.Create(path, new RegionCreateOptions { PoolId = Guid.NewGuid(), SizeBytes = 1L << 45 }));
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void ARegionIsNotFormattedOverUnlessForced()
    {
        using var fixture = new RegionFixture();
        var options = new RegionCreateOptions { PoolId = Guid.NewGuid(), SizeBytes = RegionFixture.SizeBytes };
        Assert.Throws<RegionBusyException>(() => Region.Create(fixture.Path, options));
        using (var region = fixture.OpenDaemon())
        {
            Assert.Equal(fixture.PoolId, region.Layout.PoolId);
            Assert.Throws<RegionBusyException>(() => Region.Create(fixture.Path, options with { Force = true }));
        }

        Region.Create(fixture.Path, options with { Force = true });
        using var formatted = fixture.OpenDaemon();
        Assert.Equal(options.PoolId, formatted.Layout.PoolId);
    }

    [Fact]
    public void ASecondDaemonIsRefusedAndTheFirstIsNamed()
    {
        using var fixture = new RegionFixture();
        using var first = fixture.OpenDaemon();
        var error = Assert.Throws<RegionBusyException>(fixture.OpenDaemon);
        Assert.Contains($"process {Environment.ProcessId}", error.Message, StringComparison.Ordinal);
        first.Dispose();
        fixture.OpenDaemon();
    }

    [Fact]
    public async Task ADaemonKilledFromOutsideLeavesTheRegionFree()
    {
        using var fixture = new RegionFixture();
        var other = await fixture.LockInAnotherProcessAsync(fixture.Path);
        Assert.Throws<RegionBusyException>(fixture.OpenDaemon);
        other.Kill();
        await other.WaitForExitAsync();
        fixture.OpenDaemon();
    }

    [Fact]
    public void TheDaemonRefusesARegionOfAnotherPoolAndNamesBoth()
    {
        using var fixture = new RegionFixture();
        var other = Guid.NewGuid();
        var error = Assert.Throws<PoolMismatchException>(() => Region.OpenDaemon(fixture.Path, new RegionExpectations(other)));
        Assert.Contains($"{other}", error.Message, StringComparison.Ordinal);
        Assert.Contains($"{fixture.PoolId}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheDaemonRefusesARegionOfAnotherPageSizeAndNamesBoth()
    {
        using var fixture = new RegionFixture();
        var error = Assert.Throws<PoolMismatchException>(() => Region.OpenDaemon(fixture.Path, new RegionExpectations(null, 65536)));
        Assert.Contains("65536", error.Message, StringComparison.Ordinal);
        Assert.Contains("4096", error.Message, StringComparison.Ordinal);
        fixture.OpenDaemon();
    }

    [Fact]
    public void ARegionOfAnotherFormatIsRefusedByEverybodyNamingBoth()
    {
        using var fixture = new RegionFixture();
        var block = fixture.Read(0, RegionLayout.SuperblockBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(8), RegionLayout.FormatVersion + 1);
        BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(^8), XxHash3.HashToUInt64(block.AsSpan(..^8)));
        fixture.Write(0, block);
        foreach (var open in (Action[])[() => fixture.OpenDaemon(), () => fixture.OpenClient(), () => RegionInspector.Inspect(fixture.Path), () => RegionInspector.Check(fixture.Path)])
        {
            var error = Assert.Throws<PoolMismatchException>(open);
            Assert.Contains($"version {RegionLayout.FormatVersion + 1}", error.Message, StringComparison.Ordinal);
            Assert.Contains($"version {RegionLayout.FormatVersion}:", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void ARegionBoundToANumaNodeHasAllItsTablesThere()
    {
        var path = $"/dev/shm/rcmp-test-{Guid.NewGuid():n}";
        try
        {
            var options = new RegionCreateOptions { PoolId = Guid.NewGuid(), SizeBytes = RegionFixture.SizeBytes, NumaNode = 0 };
            try
            {
                Region.Create(path, options);
            }
            catch (RegionResourceException refusal) when (refusal.Message.Contains("binding to NUMA node 0", StringComparison.Ordinal))
            {
                Assert.Skip(refusal.Message);
            }

            using (var region = Region.OpenDaemon(path, new RegionExpectations(options.PoolId)))
            {
                region.FrameSpan(new FrameIndex((uint)region.Layout.FrameCount - 1)).Fill(7);
                const string Policies = "/proc/self/numa_maps";
                if (File.Exists(Policies))
                {
                    var mapped = File.ReadAllLines(Policies).Where(line => line.Contains(path, StringComparison.Ordinal)).ToArray();
                    Assert.NotEmpty(mapped);
                    Assert.All(mapped, line => Assert.Contains(" bind:0 ", line, StringComparison.Ordinal));
                }
            }

            Assert.Empty(RegionInspector.Check(path).Findings);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void ANumaNodeThatIsNotThereIsRefusedAndLeavesNothing()
    {
        var path = $"/dev/shm/rcmp-test-{Guid.NewGuid():n}";
        var error = Assert.Throws<RegionResourceException>(
            () => Region.Create(path, new RegionCreateOptions { PoolId = Guid.NewGuid(), SizeBytes = RegionFixture.SizeBytes, NumaNode = 1023 }));
        Assert.Contains("binding to NUMA node 1023 failed", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void AFileThatIsNoRegionIsRefused()
    {
        var path = $"/dev/shm/rcmp-test-{Guid.NewGuid():n}";
        Assert.Throws<RegionResourceException>(() => Region.OpenDaemon(path, RegionExpectations.Any));
        try
        {
            File.WriteAllText(path, "hello");
            Assert.Throws<RegionDamagedException>(() => Region.OpenDaemon(path, RegionExpectations.Any));
            File.WriteAllBytes(path, new byte[4 << 20]);
            Assert.Throws<RegionDamagedException>(() => Region.OpenClient(path, RegionExpectations.Any));
            Assert.Throws<RegionResourceException>(() => Region.OpenClient("/dev/null", RegionExpectations.Any));
            Assert.Throws<RegionResourceException>(() => Region.OpenInspector("/dev/shm"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void ARegionThatWasCutOffIsRefused()
    {
        using var fixture = new RegionFixture();
        using (var file = File.OpenWrite(fixture.Path))
            file.SetLength(RegionFixture.SizeBytes / 2);
        Assert.Throws<RegionDamagedException>(fixture.OpenDaemon);
    }

    [Fact]
    public void ClientsMapTheDaemonsTablesReadOnly()
    {
        using var fixture = new RegionFixture();
        using var client = fixture.OpenClient();
        var zones = File.ReadAllLines("/proc/self/smaps").Where(line => line.EndsWith(fixture.Path, StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToArray();
        Assert.Equal(2, zones.Length);
        Assert.Contains(" r--s ", zones[0], StringComparison.Ordinal);
        Assert.Contains(" rw-s ", zones[1], StringComparison.Ordinal);
    }

    [Fact]
    public void TheMappingsAreNotInheritedByAFork()
    {
        using var fixture = new RegionFixture();
        using var client = fixture.OpenClient();
        var lines = File.ReadAllLines("/proc/self/smaps");
        var zone = Array.FindIndex(lines, line => line.EndsWith(fixture.Path, StringComparison.Ordinal));
        var flags = lines.Skip(zone).First(line => line.StartsWith("VmFlags:", StringComparison.Ordinal));
        Assert.Contains(" dc ", flags, StringComparison.Ordinal);
    }

    [Fact]
    public void APinKeepsTheMappingUntilItIsGivenBack()
    {
        using var fixture = new RegionFixture();
        var client = fixture.OpenClient();
        Assert.True(client.TryPin(out var pin));
        client.Dispose();
        Assert.Contains(File.ReadAllLines("/proc/self/maps"), line => line.EndsWith(fixture.Path, StringComparison.Ordinal));
        Assert.False(client.TryPin(out _));
        pin.Dispose();
        Assert.DoesNotContain(File.ReadAllLines("/proc/self/maps"), line => line.EndsWith(fixture.Path, StringComparison.Ordinal));
    }

    [Fact]
    public void APopulatedRegionHasItsMemory()
    {
        using var fixture = new RegionFixture();
        Region.Create(fixture.Path, new RegionCreateOptions { PoolId = Guid.NewGuid(), SizeBytes = RegionFixture.SizeBytes, Populate = true, HugePages = true, Force = true });
        using var region = fixture.OpenDaemon();
        Assert.True(region.Layout.HugePages);
    }
}
