using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;
using Rcmp.Tests.Workers;

namespace Rcmp.Tests.Processes;

/// <summary>A pool of real processes with client processes in its racks; all of them are gone at the end of a test.</summary>
internal sealed class ProcessPool : IAsyncDisposable
{
    private readonly List<WorkerProcess> _workers = [];

    private ProcessPool(LocalCluster cluster) => Cluster = cluster;

    public LocalCluster Cluster { get; }

    public static Task<ProcessPool> StartAsync(int racks = 2, params (string Key, string Value)[] settings) => StartAsync(1, racks, settings);

    public static Task<ProcessPool> StartAsync(int masters, int racks, params (string Key, string Value)[] settings) => StartAsync(null, masters, racks, settings);

    public static Task<ProcessPool> StartAsync(LinkNetwork? network, int masters, int racks, params (string Key, string Value)[] settings) =>
        StartAsync(network, [], masters, racks, settings);

    /// <param name="network">A network of the nodes' own.</param>
    /// <param name="launcher">What the nodes are started with.</param>
    /// <param name="masters">How many.</param>
    /// <param name="racks">How many.</param>
    /// <param name="settings">Of every node and client.</param>
    public static async Task<ProcessPool> StartAsync(
        LinkNetwork? network, IReadOnlyList<string> launcher, int masters, int racks, params (string Key, string Value)[] settings)
    {
        var directory = Directory.CreateTempSubdirectory("rcmp-test-").FullName;
        var options = new LocalClusterOptions
        {
            Directory = directory,
            Masters = masters,
            Racks = racks,
            Network = network,
            Launcher = launcher,
            RegionSize = ByteSize.MiB(32),
            Ephemeral = true,
            Settings = settings.ToDictionary(pair => pair.Key, pair => pair.Value),
        };
        var cluster = LocalCluster.Prepare(options, TestContext.Current.SendDiagnosticMessage);
        var pool = new ProcessPool(cluster);
        await cluster.StartAsync(TestContext.Current.SendDiagnosticMessage, TestContext.Current.CancellationToken);
        return pool;
    }

    public async Task<WorkerProcess> StartClientAsync(int rack)
    {
        var worker = await WorkerProcess.StartAsync(Cluster.ClientConfiguration(rack), Cluster.ClientLauncher(rack));
        _workers.Add(worker);
        return worker;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var worker in _workers) await worker.DisposeAsync();
        await Cluster.DisposeAsync();
    }
}
