using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Local;

/// <summary>One direction between two nodes.</summary>
internal readonly record struct Link(string From, string To);

/// <summary>A network of a local cluster's own, whose links can be cut: a namespace with an address per node, and a bridge between them, on which the
/// process that made it sits too. Only inside <see cref="LinkNamespace"/>; gone with the processes.</summary>
internal sealed class LinkNetwork
{
    /// <summary>The address of the process that made it. Its own links are never cut.</summary>
    public const string Observer = "10.99.0.1";

    private const string Bridge = "rcmp-br";
    private const string Interface = "eth0";
    private const int FirstHost = 11;

    // Packets to it are sent and arrive nowhere: neither side is told, as with a broken switch. A blackhole route would make the sender's calls fail at once.
    private const string Nobody = "02:00:00:00:00:99";

    private readonly Dictionary<string, string> _hosts = [];
    private readonly HashSet<Link> _cut = [];

    private LinkNetwork(IEnumerable<string> nodes)
    {
        foreach (var node in nodes) _hosts[node] = string.Create(CultureInfo.InvariantCulture, $"10.99.0.{FirstHost + _hosts.Count}");
    }

    public static async Task<LinkNetwork> CreateAsync(IEnumerable<string> nodes)
    {
        var network = new LinkNetwork(nodes);
        await IpAsync(null, [$"link add {Bridge} type bridge", $"addr add {Observer}/24 dev {Bridge}", $"link set {Bridge} up"]);
        foreach (var (node, host) in network._hosts)
        {
            await IpAsync(null, [$"netns add {node}", $"link add v-{node} type veth peer name {Interface} netns {node}", $"link set v-{node} master {Bridge} up"]);
            await IpAsync(node, ["link set lo up", $"addr add {host}/24 dev {Interface}", $"link set {Interface} up"]);
        }
        return network;
    }

    public string HostOf(string node) => _hosts[node];

    /// <summary>What a program is started with to run where the node is. It becomes the program: the process id is the program's.</summary>
    public IReadOnlyList<string> LauncherOf(string node) => ["ip", "netns", "exec", node];

    /// <summary>All links of a node that begin there.</summary>
    public IEnumerable<Link> LinksFrom(string node) => _hosts.Keys.Where(other => other != node).Select(other => new Link(node, other));

    /// <summary>All links of a node that end there.</summary>
    public IEnumerable<Link> LinksTo(string node) => _hosts.Keys.Where(other => other != node).Select(other => new Link(other, node));

    /// <summary>From now on nothing passes, and nobody is told.</summary>
    public async Task CutAsync(IEnumerable<Link> links)
    {
        foreach (var of in links.Where(l => !_cut.Contains(l)).GroupBy(l => l.From))
        {
            await IpAsync(of.Key, of.Select(l => $"neigh replace {_hosts[l.To]} lladdr {Nobody} dev {Interface} nud permanent"));
            _cut.UnionWith(of);
        }
    }

    public async Task HealAllAsync()
    {
        foreach (var of in _cut.GroupBy(l => l.From).ToList())
        {
            await IpAsync(of.Key, of.Select(l => $"neigh del {_hosts[l.To]} dev {Interface}"));
            _cut.ExceptWith(of);
        }
    }

    private static async Task IpAsync(string? node, IEnumerable<string> lines)
    {
        var start = new ProcessStartInfo("ip") { RedirectStandardInput = true, RedirectStandardError = true };
        foreach (var argument in node is null ? new[] { "-batch", "-" } : ["-n", node, "-batch", "-"]) start.ArgumentList.Add(argument);
        Process process;
        try
        {
            process = Process.Start(start) ?? throw new Win32Exception("it was not started");
        }
        catch (Win32Exception e)
        {
            throw CommandException.Missing($"'ip' (package iproute2) cannot be run: {e.Message}");
        }
        using (process)
        {
            await process.StandardInput.WriteAsync(string.Join('\n', lines) + "\n");
            process.StandardInput.Close();
            var said = await process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            if (process.ExitCode != 0) throw CommandException.Missing($"the network between the nodes cannot be changed: {said.ReplaceLineEndings(" ").Trim()}");
        }
    }
}
