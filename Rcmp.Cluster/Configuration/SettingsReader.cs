using System.Globalization;
using Akka.Configuration;

namespace Rcmp.Cluster.Configuration;

/// <summary>Reads typed values from an effective configuration; a wrong one is one clear line. Remembers which keys were read, so that a
/// test can compare them with reference.conf.</summary>
/// <param name="config">With reference.conf as its last fallback.</param>
/// <param name="source">Where the user's values come from, for messages.</param>
/// <param name="lineOf">The line of a key in the source, if it is written there.</param>
internal sealed class SettingsReader(Config config, string source, Func<string, int?> lineOf)
{
    private readonly HashSet<string> _read = [];

    public IReadOnlySet<string> KeysRead => _read;

    public string Text(string key, string? allowed = null, Func<string, bool>? isValid = null)
    {
        var text = Raw(key);
        return isValid is null || isValid(text) ? text : throw Wrong(key, text, allowed ?? "another value");
    }

    public string? OptionalText(string key) => Raw(key) is { Length: > 0 } text ? text : null;

    /// <summary>Where the node's or the client's actor system listens.</summary>
    public string Host() => Text("rcmp.node.host", "a host name or an IP address", text => Uri.CheckHostName(text) != UriHostNameType.Unknown);

    public int Int32(string key, int min, int max)
    {
        var text = Raw(key);
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max
            ? value
            : throw Wrong(key, text, $"a whole number from {min} to {max}");
    }

    public double Number(string key, double min, double max)
    {
        var text = Raw(key);
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max
            ? value
            : throw Wrong(key, text, string.Create(CultureInfo.InvariantCulture, $"a number from {min} to {max}"));
    }

    public bool Switch(string key) => Raw(key).ToLowerInvariant() switch
    {
        "on" or "true" or "yes" => true,
        "off" or "false" or "no" => false,
        var text => throw Wrong(key, text, "on or off"),
    };

    public TimeSpan Duration(string key, TimeSpan min, TimeSpan max)
    {
        var text = Raw(key);
        return Quantity.TryParseDuration(text, out var value) && value >= min && value <= max
            ? value
            : throw Wrong(key, text, $"a duration from {Quantity.FormatDuration(min)} to {Quantity.FormatDuration(max)}, with a unit (us, ms, s, m)");
    }

    public long Size(string key, long min, long max)
    {
        var text = Raw(key);
        return Quantity.TryParseSize(text, out var value) && value >= min && value <= max
            ? value
            : throw Wrong(key, text, $"a size from {Quantity.FormatSize(min)} to {Quantity.FormatSize(max)} (KiB, MiB, GiB)");
    }

    public string Choice(string key, params ReadOnlySpan<string> choices)
    {
        var text = Raw(key);
        if (choices.Contains(text)) return text;
        var names = choices.ToArray();
        var hint = NearestName.Find(text, names) is { } near ? $" (did you mean {near}?)" : "";
        throw Wrong(key, text, "one of " + string.Join(", ", names) + hint);
    }

    public Guid? OptionalGuid(string key)
    {
        var text = Raw(key);
        if (text.Length == 0) return null;
        return Guid.TryParse(text, out var value) && value != Guid.Empty
            ? value
            : throw Wrong(key, text, "a UUID such as 3f0c8a52-9f0e-4c3b-8a64-0d7a1c5e2b10");
    }

    public Guid RequiredGuid(string key) =>
        OptionalGuid(key) ?? throw Missing(key, "a UUID, the same on all nodes of the pool; make one with uuidgen");

    public NodeAddress? OptionalAddress(string key)
    {
        var text = Raw(key);
        if (text.Length == 0) return null;
        return NodeAddress.TryParse(text, out var value) ? value : throw Wrong(key, text, NodeAddress.Form);
    }

    public IReadOnlyList<NodeAddress> Addresses(string key)
    {
        _read.Add(key);
        var value = config.GetValue(key);
        // The environment can only give text: "host:port, host:port".
        if (value is null || value.IsObject()) throw Wrong(key, value is null ? "" : "an object", $"a list of {NodeAddress.Form}");
        var items = value.IsArray() ? value.GetStringList() : (value.GetString() ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return [.. items.Select(item => NodeAddress.TryParse(item ?? "", out var address) ? address : throw Wrong(key, item ?? "", NodeAddress.Form))];
    }

    public PoolConfigurationException Wrong(string key, string value, string allowed) =>
        new($"{Where(key)}: {key} = {(value.Length == 0 ? "\"\"" : Printable.Line(value))} is not allowed; write {allowed}.");

    public PoolConfigurationException Missing(string key, string allowed) => new($"{Where(key)}: {key} must be set: {allowed}.");

    private string Where(string key) => lineOf(key) is { } line ? $"{source}, line {line}" : source;

    private string Raw(string key)
    {
        _read.Add(key);
        var value = config.GetValue(key);
        if (value is null || value.IsArray() || value.IsObject()) throw Wrong(key, value is null ? "" : "a list or an object", "one value");
        return (value.GetString() ?? "").Trim();
    }
}
