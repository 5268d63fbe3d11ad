using System.CommandLine;
using Akka.Configuration;
using Rcmp.Cluster.Configuration;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Commands;

/// <summary>Loads a file as the program would that it is for.</summary>
internal static class ConfigFiles
{
    public const string RoleHelp = "Whom the file is for; without it: a client if it sets rcmp.client.rack, else a rack if it sets rcmp.region.path, else a master.";

    public static readonly string[] Roles = ["master", "rack", "client"];

    public static LoadedConfig Load(string path, string? role)
    {
        var loaded = ConfigLoader.Load(path, NodeRole.Client);
        var keys = ConfigLoader.KeysOf(loaded.User).ToHashSet();
        return loaded with
        {
            Role = role switch
            {
                "master" => NodeRole.Master,
                "rack" => NodeRole.Rack,
                "client" => NodeRole.Client,
                _ => keys.Contains("rcmp.client.rack") ? NodeRole.Client : keys.Contains("rcmp.region.path") ? NodeRole.Rack : NodeRole.Master,
            },
        };
    }

    /// <summary>Reads every value that the program would read.</summary>
    public static void Check(LoadedConfig loaded)
    {
        switch (loaded.Role)
        {
            case NodeRole.Master:
                MasterNodeOptions.Read(loaded);
                break;
            case NodeRole.Rack:
                RackNodeOptions.Read(loaded);
                break;
            default:
                RcmpClientOptions.Read(loaded).Validate();
                break;
        }
    }
}

internal sealed class ConfigCheckCommand : RcmpCommand
{
    private readonly Argument<string> _file = new("FILE") { Description = "The HOCON file." };
    private readonly Option<string?> _role = SharedOptions.Choice("--role", ConfigFiles.RoleHelp, ConfigFiles.Roles);

    public ConfigCheckCommand()
        : base("check", "Say whether a file can be used: syntax, unknown keys, values.")
    {
        Add(_file);
        Add(_role);
    }

    public override Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var loaded = ConfigFiles.Load(context.Get(_file), context.Get(_role));
        ConfigFiles.Check(loaded);
        context.Out.WriteLine($"{loaded.Source}: ok for a {loaded.Role.ToString().ToLowerInvariant()}");
        return Task.FromResult(ExitCodes.Done);
    }
}

internal sealed class ConfigShowCommand : RcmpCommand
{
    private readonly Argument<string> _file = new("FILE") { Description = "The HOCON file." };
    private readonly Option<string?> _role = SharedOptions.Choice("--role", ConfigFiles.RoleHelp, ConfigFiles.Roles);
    private readonly Option<bool> _json = SharedOptions.Json();

    public ConfigShowCommand()
        : base("show", "Print every rcmp key with the value in effect; * marks those that are not the default.")
    {
        Add(_file);
        Add(_role);
        Add(_json);
    }

    public override Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var loaded = ConfigFiles.Load(context.Get(_file), context.Get(_role));
        ConfigFiles.Check(loaded);
        var values = ConfigLoader.KnownKeys.Select(key => (Key: key, Value: Text(loaded.Config, key), Default: Text(ConfigLoader.Reference, key))).ToList();
        if (context.Get(_json))
        {
            JsonOutput.Write(context.Out, new { ok = true, role = loaded.Role.ToString().ToLowerInvariant(), settings = values.ToDictionary(v => v.Key, v => v.Value) });
            return Task.FromResult(ExitCodes.Done);
        }
        foreach (var (key, value, standard) in values) context.Out.WriteLine($"{(value == standard ? ' ' : '*')} {key} = {Quote(value)}");
        return Task.FromResult(ExitCodes.Done);
    }

    private static string Text(Config config, string key)
    {
        var value = config.GetValue(key);
        return value.IsArray() ? string.Join(", ", value.GetStringList()) : value.GetString() ?? "";
    }

    private static string Quote(string value) => value.Length == 0 || value.AsSpan().ContainsAny(" :/,") ? $"\"{value}\"" : value;
}
