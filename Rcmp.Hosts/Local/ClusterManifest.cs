using System.Text.Json;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Local;

/// <summary>A node of a local cluster, as its directory has it.</summary>
/// <param name="Name">Such as <c>rack0</c>; its files are named so.</param>
/// <param name="Role">master or rack.</param>
/// <param name="Address">Host and port of its actor system.</param>
/// <param name="RegionPath">A rack's region.</param>
internal sealed record ManifestNode(string Name, string Role, string Address, string? RegionPath);

/// <summary>What a local cluster's directory says about it: enough for other commands to find and stop it.</summary>
internal sealed record ClusterManifest(Guid PoolId, long PageSize, long RegionSize, bool Ephemeral, IReadOnlyList<ManifestNode> Nodes)
{
    public const string FileName = "cluster.json";

    public static ClusterManifest? Read(string directory)
    {
        var path = Path.Combine(directory, FileName);
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<ClusterManifest>(File.ReadAllText(path), JsonOutput.Options) : null;
        }
        catch (JsonException e)
        {
            throw CommandException.Usage($"{path} cannot be read: {e.Message.ReplaceLineEndings(" ")}; remove the directory, or give another --dir");
        }
    }

    public void Write(string directory)
    {
        var path = Path.Combine(directory, FileName);
        File.WriteAllText(path + ".new", JsonSerializer.Serialize(this, JsonOutput.Options));
        File.Move(path + ".new", path, true);
    }
}
