using System.Globalization;

namespace Rcmp.Cluster.Configuration;

/// <summary>Host and port of a node's actor system.</summary>
internal readonly record struct NodeAddress(string Host, int Port)
{
    public const string Form = "host:port, such as 127.0.0.1:4200";
    public const string SystemName = "rcmp";
    private const string Prefix = "akka.tcp://" + SystemName + "@";

    /// <summary>As Akka writes it.</summary>
    public string Akka => $"{Prefix}{Host}:{Port.ToString(CultureInfo.InvariantCulture)}";

    public static bool TryParse(string text, out NodeAddress address)
    {
        address = default;
        text = text.Trim();
        if (text.StartsWith(Prefix, StringComparison.Ordinal)) text = text[Prefix.Length..];
        var colon = text.LastIndexOf(':');
        if (colon <= 0 || !int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port is < 1 or > 65535)
            return false;
        var host = text[..colon];
        if (host.AsSpan().ContainsAny(" /@") || Uri.CheckHostName(host.Trim('[', ']')) == UriHostNameType.Unknown) return false;
        address = new NodeAddress(host, port);
        return true;
    }

    public override string ToString() => $"{Host}:{Port.ToString(CultureInfo.InvariantCulture)}";
}
