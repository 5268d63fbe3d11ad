using System.Diagnostics;
using System.Globalization;
using Rcmp.Regions;

namespace Rcmp.Tests.Regions;

/// <summary>A region on hugetlbfs. Mounts one and reserves pages for the time of the test, where that is allowed.</summary>
public sealed class HugePageTests
{
    private const string Reserved = "/proc/sys/vm/nr_hugepages";
    private const long RegionBytes = 32 << 20;

    [Fact]
    public void ARegionInHugePagesServesAsAnyOther()
    {
        using var mount = HugeMount.Make((int)(RegionBytes >> 21) + 4);
        var path = Path.Combine(mount.Folder, "region");
        var layout = Region.Create(path, new RegionCreateOptions { PoolId = Guid.NewGuid(), SizeBytes = RegionBytes });
        using (var region = Region.OpenDaemon(path, RegionExpectations.Any))
        {
            using var client = Region.OpenClient(path, RegionExpectations.Any);
            var last = new FrameIndex((uint)layout.FrameCount - 1);
            region.FrameBytes(last).Fill(0x5A);
            Assert.Equal(0x5A, client.FrameBytes(last)[4095]);
            _ = new RegionStore(region);
            Assert.Contains(File.ReadAllLines("/proc/self/smaps"), line => line.StartsWith("KernelPageSize:", StringComparison.Ordinal) && line.Contains(" 2048 kB", StringComparison.Ordinal));
        }

        Assert.Empty(RegionInspector.Check(path).Findings);
        Assert.Equal(layout, RegionInspector.Inspect(path).Layout);
    }

    [Fact]
    public void MoreThanIsReservedIsRefusedAndLeavesNothing()
    {
        using var mount = HugeMount.Make(4);
        var path = Path.Combine(mount.Folder, "region");
        var refusal = Assert.Throws<RegionResourceException>(() => Region.Create(path, new RegionCreateOptions { PoolId = Guid.NewGuid(), SizeBytes = 1L << 40 }));
        Assert.Contains("nr_hugepages", refusal.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
    }

    private sealed class HugeMount : IDisposable
    {
        private readonly long _before;

        private HugeMount(string folder, long before) => (Folder, _before) = (folder, before);

        public string Folder { get; }

        public static HugeMount Make(int pages)
        {
            var before = long.Parse(File.ReadAllText(Reserved), CultureInfo.InvariantCulture);
            try
            {
                File.WriteAllText(Reserved, (before + pages).ToString(CultureInfo.InvariantCulture));
            }
            catch (Exception e) when (e is UnauthorizedAccessException or IOException)
            {
                Assert.Skip($"huge pages cannot be reserved: {e.Message}");
            }

            var mount = new HugeMount(Directory.CreateTempSubdirectory("rcmp-test-huge-").FullName, before);
            if (long.Parse(File.ReadAllText(Reserved), CultureInfo.InvariantCulture) >= before + pages && Run("mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", mount.Folder) == 0) return mount;
            mount.Dispose();
            Assert.Skip($"{pages} huge pages could not be reserved, or hugetlbfs not be mounted");
            return mount;
        }

        public void Dispose()
        {
            foreach (var file in Directory.GetFiles(Folder)) File.Delete(file);
            _ = Run("umount", Folder);
            Directory.Delete(Folder);
            File.WriteAllText(Reserved, _before.ToString(CultureInfo.InvariantCulture));
        }

        private static int Run(string program, params string[] arguments)
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode;
        }
    }
}
