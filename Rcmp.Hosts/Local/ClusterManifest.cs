using System.Text.Json;
using System.Text.Json.Serialization;
using Rcmp.Cluster.Configuration;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Local;

/// <summary>A node of a local cluster, as its directory has it.</summary>
/// <param name="Name">Such as <c>rack0</c>; its files are named so.</param>
/// <param name="Role">master or rack.</param>
/// <param name="Address">Host and port of its actor system.</param>
/// <param name="RegionPath">A rack's region.</param>
internal sealed record ManifestNode(string Name, string Role, string Address, string? RegionPath);

/// <summary>What a local cluster's directory says about it: enough for other commands to find and stop it, and to start it again.</summary>
internal sealed record ClusterManifest(
    Guid PoolId, long PageSize, long RegionSize, bool Ephemeral, IReadOnlyList<ManifestNode> Nodes, IReadOnlyDictionary<string, string>? Settings = null)
{
    public const string FileName = "cluster.json";

    private static readonly JsonSerializerOptions ReadOptions = new(JsonOutput.Options) { RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true };

    [JsonIgnore]
    public int Masters => Nodes.Count(n => n.Role == "master");

    [JsonIgnore]
    public int Racks => Nodes.Count(n => n.Role == "rack");

    public static ClusterManifest? Read(string directory)
    {
        var path = Path.Combine(directory, FileName);
        try
        {
            var manifest = File.Exists(path) ? JsonSerializer.Deserialize<ClusterManifest>(File.ReadAllText(path), ReadOptions) : null;
            if (manifest?.Complaint() is { } complaint) throw new JsonException(complaint);
            return manifest;
        }
        catch (JsonException e)
        {
            throw CommandException.Usage($"{path} cannot be read: {Printable.Line(e.Message)}; remove the directory, or give another --dir");
        }
    }

    /// <summary>What is wrong with it, or null. The names become those of files, and the regions are removed by 'rcmp down'.</summary>
    private string? Complaint()
    {
        if (PageSize <= 0 || RegionSize <= 0) return "the sizes are not above zero";
        // They become lines of the nodes' configuration.
        foreach (var (key, value) in Settings ?? new Dictionary<string, string>())
            if (value is null || (key + value).Any(char.IsControl)) return $"the setting {Printable.Line(key)} is not one line";
        foreach (var node in Nodes)
        {
            if (node is null || node.Name.Length == 0 || !node.Name.All(char.IsAsciiLetterOrDigit)) return "a node has no name of letters and digits";
            if (node.Role is not ("master" or "rack")) return $"{node.Name} is neither a master nor a rack";
            if (!NodeAddress.TryParse(node.Address, out _)) return $"the address of {node.Name} is not {NodeAddress.Form}";
            if (node.Role == "rack" && (node.RegionPath is null || !Path.IsPathRooted(node.RegionPath))) return $"{node.Name} has no region";
        }
        return null;
    }

    public void Write(string directory)
    {
        var path = Path.Combine(directory, FileName);
        File.WriteAllText(path + ".new", JsonSerializer.Serialize(this, JsonOutput.Options));
        File.Move(path + ".new", path, true);
    }
}
