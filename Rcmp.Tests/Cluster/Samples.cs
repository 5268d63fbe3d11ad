using System.Reflection;
using Rcmp.Protocol;

namespace Rcmp.Tests.Cluster;

/// <summary>Makes a value of any type of the protocol, by its constructor with the most parameters; all members differ from their defaults.</summary>
internal static class Samples
{
    public static object Of(Type type, int seed = 1)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying) return Of(underlying, seed);
        if (type == typeof(string)) return "text " + seed;
        if (type == typeof(bool)) return true;
        if (type == typeof(Guid)) return new Guid(seed, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
        if (type == typeof(double)) return seed + 0.5;
        if (type.IsEnum) return Enum.GetValues(type).GetValue(Enum.GetValues(type).Length - 1)!;
        if (type.IsPrimitive) return Convert.ChangeType(seed + 3, type, System.Globalization.CultureInfo.InvariantCulture);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueList<>)) return ListOf(type, seed);
        var constructor = type.GetConstructors(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance)
            .Where(c => c.GetParameters() is not [var only] || only.ParameterType != type)
            .MaxBy(c => c.GetParameters().Length) ?? throw new InvalidOperationException($"{type} has no constructor.");
        return constructor.Invoke([.. constructor.GetParameters().Select((p, i) => Of(p.ParameterType, seed + i + 1))]);
    }

    private static object ListOf(Type type, int seed)
    {
        var element = type.GetGenericArguments()[0];
        var items = Array.CreateInstance(element, 3);
        for (var i = 0; i < items.Length; i++) items.SetValue(Of(element, seed + i), i);
        return type.GetMethods().Single(m => m.Name == "Of" && m.GetParameters()[0].ParameterType.IsInterface).Invoke(null, [items])!;
    }
}
