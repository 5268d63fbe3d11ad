using System.Globalization;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Chaos;

/// <summary>Watches that memory and file descriptors of the nodes and the clients do not grow: a process's last sample against its first after the warm-up.</summary>
internal sealed class NodeHealth
{
    /// <summary>Until then a process loads code and fills caches.</summary>
    public static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(10);

    public const int FilesMore = 64;
    public static readonly ByteSize MemoryMore = ByteSize.MiB(96);

    private readonly Dictionary<ProcessIdentity, Watched> _processes = [];

    public long FilesMax { get; private set; }

    public long MemoryMax { get; private set; }

    public void Look(IEnumerable<(string Name, ProcessIdentity? Process)> processes)
    {
        foreach (var (name, process) in processes)
        {
            if (process is not { } identity || Sample(identity.Id) is not { } now) continue;
            (FilesMax, MemoryMax) = (Math.Max(FilesMax, now.Files), Math.Max(MemoryMax, now.Memory));
            if (!_processes.TryGetValue(identity, out var watched)) _processes[identity] = watched = new Watched(name, DateTime.UtcNow);
            if (DateTime.UtcNow - watched.Since < WarmUp) continue;
            watched.First ??= now;
            watched.Last = now;
        }
    }

    public IEnumerable<string> Findings()
    {
        foreach (var watched in _processes.Values)
        {
            if (watched is not { First: { } first, Last: { } last }) continue;
            if (last.Files > first.Files + FilesMore) yield return $"{watched.Name} has {last.Files} open files, after its warm-up it had {first.Files}";
            if (last.Memory > first.Memory + MemoryMore.Bytes)
                yield return $"{watched.Name} has {new ByteSize(last.Memory).ToShortString()} of its own memory, after its warm-up it had {new ByteSize(first.Memory).ToShortString()}";
        }
    }

    /// <summary>The memory is what is not shared: the region is counted by its size already.</summary>
    private static Reading? Sample(int process)
    {
        try
        {
            const string Anonymous = "RssAnon:";
            var line = File.ReadLines($"/proc/{process}/status").First(l => l.StartsWith(Anonymous, StringComparison.Ordinal));
            var kibibytes = long.Parse(line[Anonymous.Length..].Replace("kB", "").Trim(), CultureInfo.InvariantCulture);
            return new Reading(kibibytes << 10, Directory.GetFiles($"/proc/{process}/fd").Length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            return null;
        }
    }

    private sealed record Reading(long Memory, long Files);

    private sealed class Watched(string name, DateTime since)
    {
        public string Name { get; } = name;

        public DateTime Since { get; } = since;

        public Reading? First { get; set; }

        public Reading? Last { get; set; }
    }
}
