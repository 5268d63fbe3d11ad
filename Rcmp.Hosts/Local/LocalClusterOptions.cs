using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Local;

/// <summary>What a local cluster of processes is made of.</summary>
internal sealed record LocalClusterOptions
{
    private const long RegionSizeMin = 8 << 20;

    public required string Directory { get; init; }

    public int Masters { get; init; } = 1;

    public int Racks { get; init; } = 2;

    /// <summary>Of each rack.</summary>
    public ByteSize RegionSize { get; init; } = ByteSize.MiB(256);

    public ByteSize PageSize { get; init; } = ByteSize.KiB(4);

    /// <summary>The processes stay when this one ends.</summary>
    public bool Detached { get; init; }

    /// <summary>The directory goes too when the cluster is taken down.</summary>
    public bool Ephemeral { get; init; }

    /// <summary><c>rcmp.timing-profile</c>: the quiet one does not take a busy machine for dead nodes.</summary>
    public string TimingProfile { get; init; } = "default";

    /// <summary>Further <c>rcmp.*</c> keys of every node.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>A network with a place for each node; none: all are on the loopback.</summary>
    public LinkNetwork? Network { get; init; }

    /// <summary>Stands before the command line of each node and becomes the node; nothing: the nodes are this program. For tests, whose nodes can be made to fail.</summary>
    public IReadOnlyList<string> Launcher { get; init; } = [];

    /// <summary>The names of the nodes, masters first.</summary>
    public static IEnumerable<string> NamesOf(int masters, int racks) =>
        [.. Enumerable.Range(0, masters).Select(i => $"master{i}"), .. Enumerable.Range(0, racks).Select(i => $"rack{i}")];

    /// <summary>Before anything is touched.</summary>
    public void Validate()
    {
        if (!PageGeometry.IsValidPageSize(PageSize.Bytes)) throw CommandException.Usage($"--page-size: {PageSize} is not a power of two from 4KiB to 2MiB");
        if (RegionSize.Bytes < RegionSizeMin) throw CommandException.Usage($"--region-size: {RegionSize} is too small, the minimum is {new ByteSize(RegionSizeMin)}");
        if (RegionSize.Bytes < 16 * PageSize.Bytes) throw CommandException.Usage($"--region-size: {RegionSize} is too small for pages of {PageSize}");
    }

    /// <summary>Where the cluster lies that <c>up</c> without <c>--dir</c> starts.</summary>
    public static string DefaultDirectory
    {
        get
        {
            var state = Environment.GetEnvironmentVariable("XDG_STATE_HOME");
            if (string.IsNullOrEmpty(state))
                state = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify), ".local", "state");
            return Path.Combine(state, "rcmp", "default");
        }
    }
}
