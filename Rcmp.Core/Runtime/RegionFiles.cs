namespace Rcmp.Runtime;

/// <summary>Where regions of a pool without devices are put, and how they are removed.</summary>
internal static class RegionFiles
{
    public const string SharedMemory = "/dev/shm";

    /// <summary><c>/dev/shm</c> if it has room for so many bytes, else the temporary directory: slower once memory is short, but it works.</summary>
    public static string PickDirectory(long bytes) => HasRoom(SharedMemory, bytes) ? SharedMemory : Path.GetTempPath();

    public static bool HasRoom(string directory, long bytes) => Directory.Exists(directory) && FreeBytes(directory) >= bytes;

    /// <summary>What there is room for in the directory.</summary>
    public static long FreeBytes(string directory) => Directory.Exists(directory) ? new DriveInfo(directory).AvailableFreeSpace : 0;

    /// <summary>Whether the region is memory, and no file on a disk.</summary>
    public static bool IsInSharedMemory(string path) => path.StartsWith(SharedMemory + "/", StringComparison.Ordinal);

    /// <summary>Removes a region's file and what its daemon put beside it.</summary>
    public static void Remove(string path)
    {
        File.Delete(path);
        File.Delete(path + ".lock");
        var sessions = path + ".sessions";
        if (Directory.Exists(sessions)) Directory.Delete(sessions, recursive: true);
    }
}
