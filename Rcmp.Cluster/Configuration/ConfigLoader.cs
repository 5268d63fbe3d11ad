using System.Collections;
using Akka.Configuration;
using Akka.Configuration.Hocon;

namespace Rcmp.Cluster.Configuration;

/// <summary>What a program is.</summary>
internal enum NodeRole
{
    Master,
    Rack,
    Client,
}

/// <summary>A user's configuration over reference.conf, checked for unknown keys.</summary>
/// <param name="Config">With reference.conf as its last fallback.</param>
/// <param name="User">The user's part alone.</param>
/// <param name="Source">For messages: the file's path.</param>
/// <param name="Role">For whom it was loaded.</param>
/// <param name="Text">The source's text, to find lines in.</param>
internal sealed record LoadedConfig(Config Config, Config User, string Source, NodeRole Role, string Text)
{
    public SettingsReader Reader() => new(Config, Source, key => HoconSyntax.LineOfKey(Text, key));
}

/// <summary>Loads HOCON: a file, the environment over it, reference.conf below.</summary>
internal static class ConfigLoader
{
    public const string Root = "rcmp";
    private const string EnvironmentPrefix = "RCMP_";

    private static readonly Lazy<Config> ReferenceConfig = new(() => ConfigurationFactory.ParseString(Resource("reference.conf")));
    private static readonly Lazy<IReadOnlyList<string>> ReferenceKeys = new(() => [.. KeysOf(ReferenceConfig.Value)]);

    /// <summary>The embedded reference.conf.</summary>
    public static Config Reference => ReferenceConfig.Value;

    /// <summary>Every key there is, in the order of reference.conf.</summary>
    public static IReadOnlyList<string> KnownKeys => ReferenceKeys.Value;

    /// <exception cref="PoolConfigurationException">No such file, malformed, or with an unknown key.</exception>
    public static LoadedConfig Load(string path, NodeRole role) => Load(path, role, Environment.GetEnvironmentVariables());

    public static LoadedConfig Load(string path, NodeRole role, IDictionary environment)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new PoolConfigurationException($"The configuration file '{path}' does not exist.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PoolConfigurationException($"The configuration file '{path}' cannot be read: {e.Message}", e);
        }
        return Parse(text, path, role, environment);
    }

    /// <summary>As <see cref="Load(string, NodeRole)"/>, from text.</summary>
    public static LoadedConfig Parse(string text, string source, NodeRole role, IDictionary? environment = null)
    {
        var user = ParseText(text, source);
        CheckKeys(user, source, text);
        var effective = environment is null ? user : FromEnvironment(environment).SafeWithFallback(user);
        return new LoadedConfig(effective.SafeWithFallback(Reference), effective, source, role, text);
    }

    /// <summary>An embedded file of the folder hocon.</summary>
    public static string Resource(string name)
    {
        using var stream = typeof(ConfigLoader).Assembly.GetManifestResourceStream("hocon/" + name)
            ?? throw new InvalidOperationException($"The assembly was built without hocon/{name}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>The variable that overrides a key: <c>rcmp.node.port</c> is <c>RCMP_NODE_PORT</c>.</summary>
    public static string EnvironmentNameOf(string key) => EnvironmentPrefix + key[(Root.Length + 1)..].Replace('.', '_').Replace('-', '_').ToUpperInvariant();

    /// <summary>The paths of all values below <c>rcmp</c>. A list is one value.</summary>
    public static IEnumerable<string> KeysOf(Config config) =>
        config.Root is { } root && root.IsObject() && root.GetObject().Items.TryGetValue(Root, out var pool) ? KeysOf(pool, Root) : [];

    private static IEnumerable<string> KeysOf(HoconValue value, string path) =>
        !value.IsObject() ? [path] : value.GetObject().Items.SelectMany(item => KeysOf(item.Value, path + "." + item.Key));

    private static Config ParseText(string text, string source)
    {
        if (HoconSyntax.Check(text) is var (line, error))
            throw new PoolConfigurationException($"{source}, line {line}: {error}.");
        try
        {
            return ConfigurationFactory.ParseString(text);
        }
        catch (Exception e)
        {
            // "Unknown token at position 14:", then the text and a mark on further lines.
            var message = e.Message.Split('\n')[0].TrimEnd(' ', ':', '\r');
            var digits = message[(message.LastIndexOf(' ') + 1)..];
            var where = int.TryParse(digits, out var position) ? $", line {HoconSyntax.LineOf(text, position)}" : "";
            throw new PoolConfigurationException($"{source}{where}: not HOCON: {Printable.Line(message)}.", e);
        }
    }

    private static void CheckKeys(Config user, string source, string text)
    {
        if (user.Root is not { } root || !root.IsObject()) return;
        foreach (var top in root.GetObject().Items.Keys)
            if (top is not Root && !top.Equals("akka", StringComparison.Ordinal) && NearestName.Distance(top, Root) <= 1 + (top.Length > 3 ? 1 : 0))
                throw Unknown(top, Root, source, text);
        var known = KnownKeys.ToHashSet();
        foreach (var key in KeysOf(user))
            if (!known.Contains(key))
                throw Unknown(key, KnownKeys.Any(k => k.StartsWith(key + ".", StringComparison.Ordinal)) ? key + " { … }" : NearestName.Find(key, KnownKeys), source, text);
    }

    private static PoolConfigurationException Unknown(string key, string? near, string source, string text)
    {
        var where = HoconSyntax.LineOfKey(text, key) is { } line ? $"{source}, line {line}" : source;
        return new($"{where}: unknown key {Printable.Line(key)}{(near is null ? "; hocon/reference.conf lists them all." : $"; did you mean {near}?")}");
    }

    private static Config FromEnvironment(IDictionary environment)
    {
        var config = Config.Empty;
        foreach (var key in KnownKeys)
            if (environment[EnvironmentNameOf(key)] is string { Length: > 0 } value)
                config = config.SafeWithFallback(ConfigurationFactory.ParseString($"{key} = \"{value.Replace("\\", "\\\\").Replace("\"", "\\\"")}\""));
        return config;
    }
}
