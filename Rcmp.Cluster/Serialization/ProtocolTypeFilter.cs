using System.Collections.Frozen;
using Hyperion;

namespace Rcmp.Cluster.Serialization;

/// <summary>Admits the protocol's types: a body that names another one is refused before that type is even looked for.
/// Hyperion's own builder refuses its own names, since it compares short with assembly-qualified ones.</summary>
internal sealed class ProtocolTypeFilter : ITypeFilter
{
    private readonly FrozenSet<string> _names;

    public ProtocolTypeFilter(IEnumerable<Type> types)
    {
        Type[] primitives =
        [
            typeof(bool), typeof(byte), typeof(sbyte), typeof(short), typeof(ushort), typeof(int), typeof(uint), typeof(long), typeof(ulong),
            typeof(float), typeof(double), typeof(string), typeof(Guid),
        ];
        _names = types.Concat(primitives).SelectMany(NamesOf).ToFrozenSet(StringComparer.Ordinal);
    }

    public bool IsAllowed(string typeName) => _names.Contains(typeName);

    /// <summary>A type is named in full when its code is generated, and by its short name in a body: without version, culture and key,
    /// and "%core%" for the assembly of the runtime's own types.</summary>
    private static IEnumerable<string> NamesOf(Type type)
    {
        var full = type.AssemblyQualifiedName!;
        yield return full;
        var shortName = full;
        foreach (var part in new[] { ", Version=", ", Culture=", ", PublicKeyToken=" })
            shortName = Without(shortName, part);
        yield return shortName;
        yield return shortName.Replace("System.Private.CoreLib", "%core%", StringComparison.Ordinal);
    }

    private static string Without(string name, string part)
    {
        for (var at = name.IndexOf(part, StringComparison.Ordinal); at >= 0; at = name.IndexOf(part, StringComparison.Ordinal))
        {
            var end = name.IndexOfAny([',', ']'], at + 1);
            name = end < 0 ? name[..at] : name[..at] + name[end..];
        }
        return name;
    }
}
