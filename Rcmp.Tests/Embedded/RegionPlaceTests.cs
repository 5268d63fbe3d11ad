using Rcmp.Runtime;

namespace Rcmp.Tests.Embedded;

public sealed class RegionPlaceTests
{
    private const int PageSize = 2 << 20;

    [Fact]
    public async Task RegionsThatSharedMemoryHasNoRoomForAreFilesAndThatIsSaid()
    {
        var directory = Path.GetTempPath();
        // A sparse file: only its tables, of large pages, are written.
        var size = ((RegionFiles.FreeBytes(RegionFiles.SharedMemory) >> 21) + 64) << 21;
        Assert.SkipWhen(RegionFiles.FreeBytes(directory) < size + (1L << 30), $"{directory} is no larger than {RegionFiles.SharedMemory}");
        using var log = new LogLines();
        string path;
        await using (var pool = await RcmpPool.StartEmbeddedAsync(new EmbeddedPoolOptions { RegionSize = size, PageSize = PageSize, LoggerFactory = log }, TestContext.Current.CancellationToken))
        {
            path = pool.Info.RegionPath;
            var address = await pool.AllocatePagesAsync(1, ct: TestContext.Current.CancellationToken);
            pool.Write(address, 42ul);
            Assert.Equal(42ul, pool.Read<ulong>(address));
        }

        Assert.StartsWith(directory, path, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
        Assert.Contains(log.Lines, line => line.StartsWith("/dev/shm has no room", StringComparison.Ordinal) && line.Contains(directory, StringComparison.Ordinal));
    }

    [Fact]
    public async Task OfRegionsInSharedMemoryNothingIsSaid()
    {
        using var log = new LogLines();
        await using var pool = await RcmpPool.StartEmbeddedAsync(new EmbeddedPoolOptions { RegionSize = 16 << 20, LoggerFactory = log }, TestContext.Current.CancellationToken);
        Assert.StartsWith(RegionFiles.SharedMemory, pool.Info.RegionPath, StringComparison.Ordinal);
        Assert.DoesNotContain(log.Lines, line => line.Contains("has no room", StringComparison.Ordinal));
    }
}
