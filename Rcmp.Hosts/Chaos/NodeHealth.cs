using System.Globalization;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Chaos;

/// <summary>Watches that memory and file descriptors of the nodes and the clients do not grow: a process's last sample against its first after the warm-up. Memory of one that
/// lives for more than five minutes in two parts: until then, and since.</summary>
internal sealed class NodeHealth(Func<int, NodeReading?> sample, TimeProvider clock)
{
    /// <summary>Until then a process loads code and fills caches.</summary>
    public static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(10);

    /// <summary>By then the young objects have filled their share of memory more than once: what grows afterwards stays for ever.</summary>
    public static readonly TimeSpan Settled = TimeSpan.FromMinutes(5);

    /// <summary>A process that lives for the whole of an hour gains some connections, not more.</summary>
    public const int FilesMore = 48;

    /// <summary>From the warm-up until it has settled: before it collects, .NET fills as much memory with young objects as the last cache has, 32 MiB on many machines.</summary>
    public static readonly ByteSize MemoryMore = ByteSize.MiB(48);

    /// <summary>Since it had settled, however long that was ago.</summary>
    public static readonly ByteSize SettledMemoryMore = ByteSize.MiB(32);

    private readonly Dictionary<ProcessIdentity, Watched> _processes = [];

    public NodeHealth()
        : this(Sample, TimeProvider.System)
    {
    }

    public long FilesMax { get; private set; }

    public long MemoryMax { get; private set; }

    /// <summary>By how much a process has grown at most, from its warm-up to its last sample.</summary>
    public long FilesGrowthMax => Growth(static reading => reading.Files);

    /// <inheritdoc cref="FilesGrowthMax"/>
    public long MemoryGrowthMax => Growth(static reading => reading.Memory);

    /// <summary>How long the process that was watched longest was watched after its warm-up.</summary>
    public TimeSpan LongestLife => _processes.Values.Select(static watched => watched.Life).DefaultIfEmpty().Max();

    public void Look(IEnumerable<(string Name, ProcessIdentity? Process)> processes)
    {
        foreach (var (name, process) in processes)
        {
            if (process is not { } identity || sample(identity.Id) is not { } now) continue;
            (FilesMax, MemoryMax) = (Math.Max(FilesMax, now.Files), Math.Max(MemoryMax, now.Memory));
            if (!_processes.TryGetValue(identity, out var watched)) _processes[identity] = watched = new Watched(name, clock.GetUtcNow());
            watched.Life = clock.GetUtcNow() - watched.Since - WarmUp;
            if (watched.Life < TimeSpan.Zero) continue;
            watched.First ??= now;
            if (watched.Life >= Settled) watched.AfterSettling ??= now;
            watched.Last = now;
        }
    }

    public IEnumerable<string> Findings()
    {
        foreach (var watched in _processes.Values)
        {
            if (watched is not { First: { } first, Last: { } last }) continue;
            if (last.Files > first.Files + FilesMore) yield return $"{watched.Name} has {last.Files} open files, after its warm-up it had {first.Files}";
            var young = watched.AfterSettling ?? last;
            if (young.Memory > first.Memory + MemoryMore.Bytes)
                yield return $"{watched.Name} had {new ByteSize(young.Memory).ToShortString()} of its own memory, after its warm-up it had {new ByteSize(first.Memory).ToShortString()}";
            if (last.Memory > young.Memory + SettledMemoryMore.Bytes)
                yield return $"{watched.Name} has {new ByteSize(last.Memory).ToShortString()} of its own memory, after {Settled.TotalMinutes:0} minutes it had {new ByteSize(young.Memory).ToShortString()}";
        }
    }

    /// <summary>The memory is what is not shared: the region is counted by its size already.</summary>
    private static NodeReading? Sample(int process)
    {
        try
        {
            const string Anonymous = "RssAnon:";
            var line = File.ReadLines($"/proc/{process}/status").First(l => l.StartsWith(Anonymous, StringComparison.Ordinal));
            var kibibytes = long.Parse(line[Anonymous.Length..].Replace("kB", "").Trim(), CultureInfo.InvariantCulture);
            return new NodeReading(kibibytes << 10, Directory.GetFiles($"/proc/{process}/fd").Length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            return null;
        }
    }

    private long Growth(Func<NodeReading, long> of) =>
        _processes.Values.Select(watched => watched is { First: { } first, Last: { } last } ? of(last) - of(first) : 0).DefaultIfEmpty().Max();

    private sealed class Watched(string name, DateTimeOffset since)
    {
        public string Name { get; } = name;

        public DateTimeOffset Since { get; } = since;

        public TimeSpan Life { get; set; }

        public NodeReading? First { get; set; }

        public NodeReading? AfterSettling { get; set; }

        public NodeReading? Last { get; set; }
    }
}

/// <summary>What a process has of its own: bytes of memory, open files.</summary>
internal sealed record NodeReading(long Memory, long Files);
