using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Rcmp.Hosts.Cli;
using Rcmp.Runtime;

namespace Rcmp.Hosts.Local;

/// <summary>Writes a local cluster's files: a HOCON file per node and per rack's clients, and the manifest.</summary>
internal static class ClusterFiles
{
    /// <summary>What is left free of /dev/shm: sessions' and other programs' files.</summary>
    private const long SharedMemorySlack = 16 << 20;

    /// <summary>Chooses ports and places for the regions, unless there are some, and writes everything. <paramref name="say"/> hears what a user should know.</summary>
    public static ClusterManifest Write(LocalClusterOptions options, Guid poolId, ClusterManifest? kept, Action<string> say)
    {
        Directory.CreateDirectory(options.Directory);
        var ports = FreePorts.Take(options.Masters + options.Racks);
        var regions = kept?.Nodes.Select(n => n.RegionPath).OfType<string>().ToArray() ?? PlaceRegions(options, say);
        var nodes = new List<ManifestNode>();
        for (var i = 0; i < options.Masters; i++) nodes.Add(new($"master{i}", "master", Address(options, $"master{i}", ports[i]), null));
        for (var i = 0; i < options.Racks; i++) nodes.Add(new($"rack{i}", "rack", Address(options, $"rack{i}", ports[options.Masters + i]), regions[i]));
        var manifest = new ClusterManifest(poolId, options.PageSize.Bytes, options.RegionSize.Bytes, options.Ephemeral, nodes, options.Settings);
        WriteConfigurations(options, manifest);
        manifest.Write(options.Directory);
        return manifest;
    }

    /// <summary>Removes all but the logs, which may be wanted.</summary>
    public static void Remove(string directory, ClusterManifest manifest)
    {
        foreach (var node in manifest.Nodes) File.Delete(ConfigurationOf(directory, node.Name));
        for (var i = 0; i < manifest.Nodes.Count(n => n.Role == "rack"); i++) File.Delete(ConfigurationOf(directory, $"client{i}"));
        File.Delete(Path.Combine(directory, ClusterManifest.FileName));
    }

    public static string ConfigurationOf(string directory, string name) => Path.Combine(directory, name + ".conf");

    public static string LogOf(string directory, string name) => Path.Combine(directory, name + ".log");

    public static string ProcessFileOf(string directory, string name) => Path.Combine(directory, name + ".pid");

    public static string ReadyFileOf(string directory, string name) => Path.Combine(directory, name + ".ready");

    /// <summary>How the names of a cluster's files in /dev/shm begin. It follows from the directory, so that a cluster that starts again there finds its regions.</summary>
    public static string SharedNameOf(string directory) => "rcmp-" + XxHash32.HashToUInt32(Encoding.UTF8.GetBytes(directory)).ToString("x8", CultureInfo.InvariantCulture);

    private static string HostOf(LocalClusterOptions options, string node) => options.Network?.HostOf(node) ?? "127.0.0.1";

    private static string Address(LocalClusterOptions options, string node, int port) => string.Create(CultureInfo.InvariantCulture, $"{HostOf(options, node)}:{port}");

    private static string[] PlaceRegions(LocalClusterOptions options, Action<string> say)
    {
        var needed = options.RegionSize.Bytes * options.Racks + SharedMemorySlack;
        var free = RegionFiles.FreeBytes(RegionFiles.SharedMemory);
        var shared = RegionFiles.HasRoom(RegionFiles.SharedMemory, needed);
        if (!shared)
            say($"{RegionFiles.SharedMemory} has {new ByteSize(free).ToShortString()} free, {new ByteSize(needed).ToShortString()} are needed: the regions are files in {options.Directory} (slower at first touch, and written back to disk)");
        return [.. Enumerable.Range(0, options.Racks).Select(i => shared
            ? Path.Combine(RegionFiles.SharedMemory, string.Create(CultureInfo.InvariantCulture, $"{SharedNameOf(options.Directory)}-rack{i}"))
            : Path.Combine(options.Directory, string.Create(CultureInfo.InvariantCulture, $"rack{i}.region")))];
    }

    private static void WriteConfigurations(LocalClusterOptions options, ClusterManifest manifest)
    {
        var seeds = string.Join(", ", manifest.Nodes.Where(n => n.Role == "master").Select(n => $"\"{n.Address}\""));
        var settings = string.Concat(options.Settings.Select(s => $"{s.Key} = {s.Value}\n"));
        foreach (var node in manifest.Nodes)
        {
            var text = new StringBuilder()
                .Append($"rcmp.timing-profile = {options.TimingProfile}\nrcmp.pool {{ id = \"{manifest.PoolId}\", page-size = {options.PageSize} }}\nrcmp.seed-nodes = [{seeds}]\n")
                .Append($"rcmp.node {{ host = {HostOf(options, node.Name)}, port = {node.Address[(node.Address.LastIndexOf(':') + 1)..]} }}\n");
            if (node.RegionPath is not null) text.Append($"rcmp.region {{ path = \"{node.RegionPath}\", size = {options.RegionSize} }}\nrcmp.fabric.address = \"tcp://{HostOf(options, node.Name)}:0\"\n");
            File.WriteAllText(ConfigurationOf(options.Directory, node.Name), text.Append(settings).ToString());
        }
        var racks = manifest.Nodes.Where(n => n.Role == "rack").ToList();
        for (var i = 0; i < racks.Count; i++)
        {
            File.WriteAllText(ConfigurationOf(options.Directory, $"client{i}"),
                $"rcmp.timing-profile = {options.TimingProfile}\nrcmp.pool.id = \"{manifest.PoolId}\"\nrcmp.client.rack = \"{racks[i].Address}\"\nrcmp.node.host = {HostOf(options, racks[i].Name)}\n{settings}");
        }
    }
}
