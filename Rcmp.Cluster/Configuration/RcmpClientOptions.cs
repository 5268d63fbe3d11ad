using Rcmp.Cluster.Configuration;
using Rcmp.DataPath;

namespace Rcmp;

/// <summary>How a client connects to the pool. Each property is a key of hocon/reference.conf.</summary>
public sealed record RcmpClientOptions
{
    /// <summary><c>rcmp.client.rack</c>: host and port of the rack daemon on this machine. Required.</summary>
    public string Rack { get; set; } = "";

    /// <summary><c>rcmp.pool.id</c>: the pool that is expected there; null takes the rack's.</summary>
    public Guid? PoolId { get; set; }

    /// <summary><c>rcmp.client.name</c>: for logs and status; empty is the program's name.</summary>
    public string Name { get; set; } = "";

    /// <summary><c>rcmp.node.host</c>: where the client's own actor system listens, so that the daemon can answer.</summary>
    public string Host { get; set; } = "127.0.0.1";

    /// <summary><c>rcmp.node.port</c>: 0 picks a free one.</summary>
    public int Port { get; set; }

    /// <summary><c>rcmp.timing-profile</c>: default or fast.</summary>
    public string TimingProfile { get; set; } = "default";

    /// <summary><c>rcmp.client.timeout</c>: how long a call waits for a page, a rack or the daemon.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary><c>rcmp.client.connections-per-link</c>: connections to each other rack.</summary>
    public int ConnectionsPerLink { get; set; } = 4;

    /// <summary><c>rcmp.client.neighbours</c>: how many pages around one that was missed are made reachable together with it.</summary>
    public int Neighbours { get; set; } = 15;

    /// <summary><c>rcmp.client.neighbours-max</c>: how many pages are made reachable ahead of calls that go from page to page.</summary>
    public int NeighboursMax { get; set; } = 512;

    /// <summary><c>rcmp.client.threads</c>: own threads, on which asynchronous calls that miss are carried out.</summary>
    public int Threads { get; set; } = 4;

    /// <summary><c>rcmp.fabric.spin</c>: how long a thread polls for an answer from another rack before it sleeps.</summary>
    public TimeSpan Spin { get; set; } = TimeSpan.FromMicroseconds(250);

    /// <summary><c>rcmp.fabric.deadline</c>: how long one operation on the wire may take.</summary>
    public TimeSpan OperationDeadline { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary><c>rcmp.fabric.connect-timeout</c>: how long opening a connection to another rack may take.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Every access goes through the fabric, as with <c>rcmp.swap.policy = rdma-only</c>; for comparison.</summary>
    public bool RdmaOnly { get; set; }

    /// <summary>Where the client logs; null logs nothing.</summary>
    public Microsoft.Extensions.Logging.ILoggerFactory? LoggerFactory { get; set; }

    /// <summary>Reads the options from a HOCON file.</summary>
    /// <exception cref="PoolConfigurationException">No such file, malformed, an unknown key, or a wrong value.</exception>
    public static RcmpClientOptions Load(string path) => Read(ConfigLoader.Load(path, NodeRole.Client));

    internal static RcmpClientOptions Read(LoadedConfig loaded) => Read(loaded, loaded.Reader());

    internal static RcmpClientOptions Read(LoadedConfig loaded, SettingsReader reader)
    {
        var common = CommonOptions.Read(loaded, reader);
        var fabric = RackNodeOptions.ReadFabric(reader);
        return new RcmpClientOptions
        {
            Rack = (reader.OptionalAddress("rcmp.client.rack")
                ?? throw reader.Missing("rcmp.client.rack", "host:port of the rack daemon on this machine, such as 127.0.0.1:4200")).ToString(),
            PoolId = reader.OptionalGuid("rcmp.pool.id"),
            Name = reader.Text("rcmp.client.name", "at most 128 characters", text => text.Length <= 128),
            Host = reader.Host(),
            Port = reader.Int32("rcmp.node.port", 0, 65535),
            TimingProfile = common.TimingProfile,
            Timeout = reader.Duration("rcmp.client.timeout", TimeSpan.FromMilliseconds(10), TimeSpan.FromHours(1)),
            ConnectionsPerLink = reader.Int32("rcmp.client.connections-per-link", 1, 64),
            Neighbours = reader.Int32("rcmp.client.neighbours", 0, 1024),
            NeighboursMax = reader.Int32("rcmp.client.neighbours-max", 0, 1024),
            Threads = reader.Int32("rcmp.client.threads", 1, 256),
            Spin = fabric.Spin,
            OperationDeadline = fabric.Deadline,
            ConnectTimeout = fabric.ConnectTimeout,
            RdmaOnly = NodeOptions.ReadPolicy(reader) == SwapPolicy.RdmaOnly,
        };
    }

    /// <summary>Checks the values as a HOCON file's would be.</summary>
    /// <exception cref="PoolConfigurationException">A value is missing or outside its range.</exception>
    public void Validate()
    {
        Check(NodeAddress.TryParse(Rack, out _), nameof(Rack), Rack, NodeAddress.Form + " (the rack daemon on this machine)");
        Check(Name.Length <= 128, nameof(Name), $"a text of {Name.Length} characters", "at most 128 characters");
        Check(Port is >= 0 and <= 65535, nameof(Port), Port, "0 to 65535");
        Check(Uri.CheckHostName(Host) != UriHostNameType.Unknown, nameof(Host), Host, "a host name or an IP address");
        Check(TimingProfile is "default" or "fast", nameof(TimingProfile), TimingProfile, "default or fast");
        Check(Timeout >= TimeSpan.FromMilliseconds(10) && Timeout <= TimeSpan.FromHours(1), nameof(Timeout), Timeout, "10 ms to 1 h");
        Check(ConnectionsPerLink is >= 1 and <= 64, nameof(ConnectionsPerLink), ConnectionsPerLink, "1 to 64");
        Check(Neighbours is >= 0 and <= 1024, nameof(Neighbours), Neighbours, "0 to 1024");
        Check(NeighboursMax is >= 0 and <= 1024, nameof(NeighboursMax), NeighboursMax, "0 to 1024");
        Check(Threads is >= 1 and <= 256, nameof(Threads), Threads, "1 to 256");
        Check(Spin >= TimeSpan.Zero && Spin <= TimeSpan.FromSeconds(1), nameof(Spin), Spin, "0 to 1 s");
        Check(OperationDeadline >= TimeSpan.FromMilliseconds(1) && OperationDeadline <= TimeSpan.FromMinutes(10), nameof(OperationDeadline), OperationDeadline, "1 ms to 10 min");
        Check(ConnectTimeout >= TimeSpan.FromMilliseconds(10) && ConnectTimeout <= TimeSpan.FromMinutes(10), nameof(ConnectTimeout), ConnectTimeout, "10 ms to 10 min");
    }

    internal PoolClientOptions ToDataPath() => new()
    {
        Timeout = Timeout,
        OperationDeadline = OperationDeadline,
        ConnectTimeout = ConnectTimeout,
        SpinNs = (long)Spin.TotalNanoseconds,
        ConnectionsPerLink = ConnectionsPerLink,
        Neighbours = Neighbours,
        NeighboursMax = NeighboursMax,
        Threads = Threads,
        RdmaOnly = RdmaOnly,
    };

    private static void Check(bool ok, string name, object value, string allowed)
    {
        if (!ok) throw new PoolConfigurationException($"{nameof(RcmpClientOptions)}.{name} = {(value is "" ? "\"\"" : value)} is not allowed; set {allowed}.");
    }
}
