using System.Globalization;
using Rcmp.Hosts.Cli;
using Rcmp.Native;

namespace Rcmp.Hosts.Doctor;

/// <summary>What the machine offers, read from /proc, /sys and /dev; nothing is changed.</summary>
/// <param name="root">"/"; tests give a directory with made-up files.</param>
internal sealed class MachineChecks(string root = "/")
{
    private static readonly ByteSize LockedEnough = ByteSize.MiB(64);
    private static readonly ByteSize SharedEnough = ByteSize.GiB(1);
    private static readonly string[] LibraryDirectories =
        ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "usr/lib64", "lib64", "usr/lib", "usr/local/lib"];

    public IReadOnlyList<MachineCheck> All() =>
        [MemoryLock(), HugePages(), SharedMemory(), RdmaDevices(), RdmaLibraries(), DaxDevices(), Fuse(), ProcessBarrier(), Numa(), Processors()];

    private MachineCheck MemoryLock()
    {
        const string Label = "Max locked memory";
        var line = Lines("proc/self/limits").FirstOrDefault(l => l.StartsWith(Label, StringComparison.Ordinal));
        var soft = line?[Label.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        if (soft is "unlimited") return new("memory lock", true, "unlimited", null);
        var bytes = long.TryParse(soft, out var value) ? value : 0;
        return new("memory lock", bytes >= LockedEnough.Bytes, new ByteSize(bytes).ToShortString(), bytes >= LockedEnough.Bytes ? null
            : "RDMA (verbs) cannot register a region larger than this; tcp is not affected. Raise it: ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit");
    }

    private MachineCheck HugePages()
    {
        var info = Lines("proc/meminfo").Select(l => l.Split(':')).Where(p => p.Length == 2).ToDictionary(p => p[0], p => p[1].Trim());
        var total = long.Parse(info.GetValueOrDefault("HugePages_Total", "0"), CultureInfo.InvariantCulture);
        var free = info.GetValueOrDefault("HugePages_Free", "0");
        var size = info.GetValueOrDefault("Hugepagesize", "none");
        return new("huge pages", total > 0, $"{total} reserved, {free} free, {size} each", total > 0 ? null
            : "regions use 4 KiB mappings: uniform access to large regions pays more TLB misses. Reserve some: echo 512 > /proc/sys/vm/nr_hugepages, then region create --huge-pages");
    }

    private MachineCheck SharedMemory()
    {
        var path = Path.Combine(root, "dev/shm");
        if (!System.IO.Directory.Exists(path))
            return new("shared memory", false, "/dev/shm is missing", "regions lie in files on disk: slower at first touch, and written back");
        var free = new DriveInfo(path).AvailableFreeSpace;
        return new("shared memory", free >= SharedEnough.Bytes, $"{new ByteSize(free).ToShortString()} free in /dev/shm", free >= SharedEnough.Bytes ? null
            : "regions that do not fit lie in files on disk: slower at first touch, and written back. Enlarge it: mount -o remount,size=4G /dev/shm");
    }

    private MachineCheck RdmaDevices()
    {
        var devices = Names("sys/class/infiniband", "*");
        return new("RDMA devices", devices.Length > 0, devices.Length > 0 ? string.Join(", ", devices) : "none", devices.Length > 0 ? null
            : "racks reach each other over tcp: some 10 µs instead of 2 µs per access, and the owner's CPU takes part");
    }

    private MachineCheck RdmaLibraries()
    {
        var missing = new[] { "libibverbs.so.1", "librdmacm.so.1" }.Where(name => !HasLibrary(name)).ToArray();
        return new("RDMA libraries", missing.Length == 0, missing.Length == 0 ? "libibverbs, librdmacm" : $"{string.Join(", ", missing)} missing",
            missing.Length == 0 ? null : "the verbs backend cannot be used; tcp can. Install them: apt-get install libibverbs1 librdmacm1 ibverbs-providers");
    }

    private MachineCheck DaxDevices()
    {
        var devices = Names("dev", "dax*");
        return new("DAX devices", devices.Length > 0, devices.Length > 0 ? string.Join(", ", devices.Select(d => "/dev/" + d)) : "none",
            devices.Length > 0 ? null : "no CXL memory: regions lie in /dev/shm or hugetlbfs files of this machine, and one machine is one rack");
    }

    private MachineCheck Fuse()
    {
        var device = File.Exists(Path.Combine(root, "dev/fuse"));
        var library = HasLibrary("libfuse3.so.3");
        return new("FUSE", device && library, (device ? "/dev/fuse" : "no /dev/fuse") + (library ? ", libfuse3" : ", no libfuse3"),
            device && library ? null : "the pool cannot be mounted as a file system; all else works. Install it: apt-get install fuse3");
    }

    private static MachineCheck ProcessBarrier()
    {
        var ok = MemoryBarrierCalls.TryRegister() && MemoryBarrierCalls.TryIssue();
        return new("membarrier", ok, ok ? "works across processes" : "refused by the kernel", ok ? null
            : "every access in the rack pays a full fence: some 90 to 280 ns instead of 6 to 9. It needs Linux 4.16 and a sandbox that lets the call pass");
    }

    private MachineCheck Numa()
    {
        var nodes = Names("sys/devices/system/node", "node*");
        return new("NUMA nodes", true, nodes.Length == 0 ? "1" : nodes.Length.ToString(CultureInfo.InvariantCulture), null);
    }

    private static MachineCheck Processors()
    {
        var count = Environment.ProcessorCount;
        return new("processors", count >= 2, count.ToString(CultureInfo.InvariantCulture), count >= 2 ? null
            : "a rack's service thread and its clients take turns: remote access waits for the scheduler");
    }

    private bool HasLibrary(string name) => LibraryDirectories.Any(directory => File.Exists(Path.Combine(root, directory, name)));

    private string[] Lines(string path)
    {
        var full = Path.Combine(root, path);
        return File.Exists(full) ? File.ReadAllLines(full) : [];
    }

    private string[] Names(string directory, string pattern)
    {
        var full = Path.Combine(root, directory);
        return System.IO.Directory.Exists(full)
            ? [.. System.IO.Directory.GetFileSystemEntries(full, pattern).Select(e => Path.GetFileName(e)).Order(StringComparer.Ordinal)]
            : [];
    }
}
